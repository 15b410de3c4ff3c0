"""What all of some files owe, each of them read as its language and its callers have it."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from imagebake.audit.dependencies import ReplacementLookup, find_dependencies, unresolved_place
from imagebake.audit.discovery import discover_in_resource
from imagebake.audit.findings import DependencyReport, RuntimeDependency, UnresolvedPlace
from imagebake.audit.languages.arm import ArmScope, find_resources
from imagebake.audit.languages.bicep_resources import find_bicep_resources
from imagebake.audit.languages.evaluate import EvaluationScope, evaluate
from imagebake.audit.languages.hcl import HclFile
from imagebake.audit.languages.nodes import Literal, Node, ObjectValue
from imagebake.audit.languages.terraform import discover_in_folder
from imagebake.audit.library import TemplateLibrary, relative_to
from imagebake.audit.model import (
    Discovered,
    DiscoveredExtension,
    DiscoveredImage,
    DiscoveredStartScript,
    ResourceContext,
    TemplateResource,
    Unresolved,
    unresolved_loop,
)
from imagebake.audit.source import SourceText
from imagebake.inspection.secrets import find_secrets
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import UsageError
from imagebake.spec.catalogue.replacements import replacement

JSON, BICEP, TERRAFORM, VALUES = ".json", ".bicep", ".tf", ".tfvars"
CODES = {
    JSON: ("J001", "this is not JSON"),
    BICEP: ("J002", "this is not Bicep"),
    TERRAFORM: ("J003", "this is not Terraform"),
    VALUES: ("J003", "this is not Terraform"),
}
"""What a mistake in a file is called, by how the file's name ends."""

_HINT = "the rest of the file was read where that is possible"


def scan_templates(
    paths: Iterable[str], library: TemplateLibrary, advice: ReplacementLookup
) -> DependencyReport:
    """Read the files at *paths*, and the modules they call, and say what they owe.

    A file that another one of them calls is read as it is called, and not on its own.
    """
    wanted = sorted(set(paths))
    debts: dict[object, RuntimeDependency] = {}
    gaps: set[UnresolvedPlace] = set()
    for found in _found(wanted, library):
        if isinstance(found, Unresolved):
            gaps.add(unresolved_place(found))
            continue
        for owed in find_dependencies(found, advice):
            if isinstance(owed, UnresolvedPlace):
                gaps.add(owed)
            else:
                debts[owed.order] = _merged(debts.get(owed.order), owed)
    return DependencyReport(
        files=len(wanted),
        debts=tuple(
            sorted(
                debts.values(),
                key=lambda dependency: dependency.order,
            )
        ),
        gaps=tuple(sorted(gaps)),
        malformed=tuple(sorted(_malformed(library))),
    )


def _merged(before: RuntimeDependency | None, owed: RuntimeDependency) -> RuntimeDependency:
    """One debt of those that differ by who calls the module that they are in."""
    if before is None:
        return owed
    return dataclasses.replace(before, via=tuple(dict.fromkeys((*before.via, *owed.via))))


def _found(wanted: list[str], library: TemplateLibrary) -> Iterator[Discovered]:
    """Everything in the files that nobody calls, then in what was not reached from them."""
    called = set(_called(wanted, library))
    for left in (
        [path for path in wanted if path not in called],
        [path for path in wanted if path in called],
    ):
        alone = [path for path in left if path not in library.called]
        for path in alone:
            if path.endswith((JSON, BICEP)):
                yield from _whole(path, library)
        yield from _folders([path for path in alone if path.endswith(TERRAFORM)], library)


def _called(wanted: list[str], library: TemplateLibrary) -> Iterator[str]:
    """The files that one of *wanted* names as a module."""
    for path in wanted:
        if path.endswith(BICEP) and (file := library.bicep(path)):
            for declaration in file.declarations:
                if declaration.kind == "module" and ":" not in declaration.target:
                    yield relative_to(file.source, declaration.target)
        elif path.endswith(TERRAFORM) and (hcl := library.hcl(path)):
            for folder in _called_folders(hcl):
                yield from library.files.folder(folder)


def _called_folders(file: HclFile) -> Iterator[str]:
    for block in file.blocks:
        source = block.attributes.get("source") if block.kind == "module" else None
        if source and isinstance(source.value, Literal):
            path = str(source.value.value)
            here = posixpath.dirname(file.source.path)
            if path.startswith(("./", "../")):
                yield posixpath.normpath(posixpath.join(here, path))


def _whole(path: str, library: TemplateLibrary) -> Iterator[Discovered]:
    """What is in a file that stands for itself."""
    library.begin()
    if path.endswith(BICEP):
        file = library.bicep(path)
        found = find_bicep_resources(file, {}, ResourceContext(), library) if file else iter(())
        yield from _facts(found)
        return
    read = library.document(path)
    if read is None or read[1].root is None:
        return
    root = read[1].root
    scope = ArmScope(root if isinstance(root, ObjectValue) else None, {})
    yield from _facts(find_resources(root, scope, ResourceContext(), library))
    for gap in scope.gaps:
        yield unresolved_loop(gap)


def _facts(
    found: Iterator[TemplateResource | DiscoveredExtension | Unresolved],
) -> Iterator[Discovered]:
    for one in found:
        if isinstance(one, TemplateResource):
            yield from discover_in_resource(one)
        else:
            yield one


def _folders(paths: list[str], library: TemplateLibrary) -> Iterator[Discovered]:
    """What is in Terraform files: all of a folder is one module, whichever of it is asked for."""
    for folder in sorted({posixpath.dirname(path) for path in paths}):
        library.begin()
        every = library.folder(folder)
        files = tuple(file for file in every if file.source.path.endswith(TERRAFORM))
        values = [file for file in every if file.source.path.endswith(VALUES)]
        asked = {path for path in paths if posixpath.dirname(path) == folder}
        for found in discover_in_folder(files, _given(values), ResourceContext(), library):
            here = found.source.path in asked or found.source.path not in {
                file.source.path for file in files
            }
            if here or (not isinstance(found, Unresolved) and _caller(found) in asked):
                yield found


def _caller(found: DiscoveredExtension | DiscoveredImage | DiscoveredStartScript) -> str:
    """The file that calls the module that something is in, outermost."""
    return found.context.via[0].rsplit(":", 2)[0] if found.context.via else ""


def _given(values: list[HclFile]) -> dict[str, Node]:
    """What files of values set the variables to."""
    return {
        key: evaluate(one.value, EvaluationScope())
        for file in values
        for key, one in file.attributes.items()
    }


def _malformed(library: TemplateLibrary) -> Iterator[Diagnostic]:
    for path, (source, flaws) in library.flaws.items():
        ending = next((one for one in CODES if path.endswith(one)), JSON)
        code, what = CODES[ending]
        for flaw in flaws:
            yield source.complaint(flaw.at, code, f"{what}: {flaw.message}", hint=_HINT)


FILE_SIZE_MAX = 16 << 20
"""No template is larger (bytes)."""

_SUFFIXES = (".json", ".bicep", ".tf")
_UNREAD = ".tf.json"
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "venv"})
_TEMPLATE = re.compile(rb"(?i)microsoft\.(?:compute|virtualmachineimages|resources)/")
_VALUES = re.compile(r"terraform\.tfvars|.*\.auto\.tfvars")


class DiskFiles:
    """Files below *roots*, which nothing that is read leads out of."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(root.resolve() for root in roots)
        self.wrong: dict[str, Diagnostic] = {}

    def read(self, path: str) -> SourceText | None:
        """The text of the file at *path*; what is wrong with the file is noted."""
        content = self.content(path)
        if content is None:
            return None
        try:
            return SourceText(path, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8", "replace")
            source = SourceText(path, before)
            self.wrong[path] = source.complaint(
                len(before), "J004", f"the byte 0x{content[error.start]:02x} is not UTF-8"
            )
            return None

    def content(self, path: str) -> bytes | None:
        """The bytes of the file at *path*, if it is one that may be read."""
        place = Path(path)
        try:
            real = place.resolve()
            if not any(real.is_relative_to(root) for root in self.roots) or not real.is_file():
                return None
            if real.stat().st_size > FILE_SIZE_MAX:
                self.wrong[path] = SourceText(path, "").complaint(
                    0, "J004", f"it is larger than {FILE_SIZE_MAX >> 20} MiB, and no template is"
                )
                return None
            return real.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or "its path is none"
            self.wrong[path] = SourceText(path, "").complaint(
                0, "J004", f"it cannot be read: {why}"
            )
            return None

    def folder(self, path: str) -> tuple[str, ...]:
        """The Terraform files of a folder, and those that set its variables."""
        place = Path(path or ".")
        try:
            if not any(place.resolve().is_relative_to(root) for root in self.roots):
                return ()
            names = sorted(one.name for one in place.iterdir())
        except (OSError, ValueError, RuntimeError):
            return ()
        wanted = [one for one in names if one.endswith(".tf") or _VALUES.fullmatch(one)]
        return tuple(os.path.normpath(place / name) for name in wanted)


def find_runtime_dependencies(paths: Sequence[str], *, here: Path) -> DependencyReport:
    """What the templates at *paths*, files and folders, owe.

    Raises `UsageError` for a path that is not there. Files that others name are read as
    well, if they are below *here* or a folder that was named.
    """
    roots = [here, *(place if place.is_dir() else place.parent for place in map(Path, paths))]
    files = DiskFiles(roots)
    wanted = [found for path in paths for found in _templates(path, files)]
    library = TemplateLibrary(files)
    report = scan_templates(
        [path for path in wanted if not path.endswith(_UNREAD)], library, _advice
    )
    gaps = (*report.gaps, *(_unread(path) for path in wanted if path.endswith(_UNREAD)))
    malformed = (*report.malformed, *files.wrong.values())
    whole = replace(report, gaps=tuple(sorted(gaps)), malformed=tuple(sorted(malformed)))
    return _without_secrets(whole, files)


def _unread(path: str) -> UnresolvedPlace:
    return UnresolvedPlace(
        path=path, line=1, column=1, what="Terraform in JSON", why="it is not read"
    )


def _advice(publisher: str, kind: str) -> tuple[str, bool]:
    found = replacement(publisher, kind)
    return str(found), found.identity


def _templates(path: str, files: DiskFiles) -> Iterator[str]:
    """The files that *path* stands for; JSON that is no template is passed over in folders."""
    place = Path(path)
    if place.is_file():
        if not path.endswith(_SUFFIXES):
            raise UsageError(
                f"{path} is no template", hint="they end in .json, .bicep or .tf; or name a folder"
            )
        yield os.path.normpath(path)
        return
    if not place.is_dir():
        raise UsageError(f"there is no {path}", hint="./inv debt PATH: a file or a folder")
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and one not in _PASSED_OVER
        )
        for name in sorted(names):
            found = os.path.normpath(f"{folder}/{name}")
            known = name.endswith(_SUFFIXES) and (
                not name.endswith(".json")
                or name.endswith(_UNREAD)
                or _TEMPLATE.search(files.content(found) or b"")
            )
            if known:
                yield found


def _without_secrets(report: DependencyReport, files: DiskFiles) -> DependencyReport:
    """*report* without the lines that have a secret in them."""
    paths = {dependency.path for dependency in report.debts} | {
        one.path for one in report.malformed
    }
    secret = {
        (path, leak.line)
        for path in paths
        for leak in find_secrets(path, files.content(path) or b"")
    }
    return replace(
        report,
        debts=tuple(
            replace(one, source="") if (one.path, one.line) in secret else one
            for one in report.debts
        ),
        malformed=tuple(
            replace(one, source="") if (one.path, one.line) in secret else one
            for one in report.malformed
        ),
    )
