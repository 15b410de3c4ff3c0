"""Scan template files for what machines need at run time, following the modules they call."""

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
from imagebake.audit.library import DiskFiles, TemplateLibrary, relative_to
from imagebake.audit.model import (
    AuditedResource,
    Discovered,
    DiscoveredExtension,
    DiscoveredImage,
    DiscoveredStartScript,
    ResourceContext,
    Unresolved,
    unresolved_loop,
)
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
"""Code and title of a syntax error, by the suffix of the file."""

_HINT = "the rest of the file was read where that is possible"


def scan_templates(
    paths: Iterable[str], library: TemplateLibrary, replacement: ReplacementLookup
) -> DependencyReport:
    """Read the files at *paths* and the modules they call; report their runtime dependencies.

    A file that another one of them calls is evaluated as that one calls it, not on its own.
    """
    wanted = sorted(set(paths))
    dependencies: dict[object, RuntimeDependency] = {}
    unresolved: set[UnresolvedPlace] = set()
    for found in _discover(wanted, library):
        if isinstance(found, Unresolved):
            unresolved.add(unresolved_place(found))
            continue
        for finding in find_dependencies(found, replacement):
            if isinstance(finding, UnresolvedPlace):
                unresolved.add(finding)
            else:
                dependencies[finding.order] = _merged(dependencies.get(finding.order), finding)
    return DependencyReport(
        files=len(wanted),
        dependencies=tuple(
            sorted(
                dependencies.values(),
                key=lambda dependency: dependency.order,
            )
        ),
        unresolved=tuple(sorted(unresolved)),
        malformed=tuple(sorted(_malformed(library))),
    )


def _merged(before: RuntimeDependency | None, finding: RuntimeDependency) -> RuntimeDependency:
    """Merge findings that differ only in the caller of their module."""
    if before is None:
        return finding
    return dataclasses.replace(before, via=tuple(dict.fromkeys((*before.via, *finding.via))))


def _discover(wanted: list[str], library: TemplateLibrary) -> Iterator[Discovered]:
    """Discover settings in the files that no other calls, then in files not reached from them."""
    # A module is evaluated with the arguments of its callers. Files that call one another in a
    # circle have no outermost caller; the second pass reads what the first did not reach.
    called = set(_called_files(wanted, library))
    for left in (
        [path for path in wanted if path not in called],
        [path for path in wanted if path in called],
    ):
        alone = [path for path in left if path not in library.called_files]
        for path in alone:
            if path.endswith((JSON, BICEP)):
                yield from _discover_in_file(path, library)
        yield from _discover_in_folders(
            [path for path in alone if path.endswith(TERRAFORM)], library
        )


def _called_files(wanted: list[str], library: TemplateLibrary) -> Iterator[str]:
    """Yield the files that one of *wanted* calls as a module."""
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


def _discover_in_file(path: str, library: TemplateLibrary) -> Iterator[Discovered]:
    """Discover settings in a Bicep or JSON file that is deployed by itself."""
    library.begin()
    if path.endswith(BICEP):
        file = library.bicep(path)
        found = find_bicep_resources(file, {}, ResourceContext(), library) if file else iter(())
        yield from _expand_resources(found)
        return
    read = library.document(path)
    if read is None or read[1].root is None:
        return
    root = read[1].root
    scope = ArmScope(root if isinstance(root, ObjectValue) else None, {})
    yield from _expand_resources(find_resources(root, scope, ResourceContext(), library))
    for gap in scope.unresolved:
        yield unresolved_loop(gap)


def _expand_resources(
    found: Iterator[AuditedResource | DiscoveredExtension | Unresolved],
) -> Iterator[Discovered]:
    for item in found:
        if isinstance(item, AuditedResource):
            yield from discover_in_resource(item)
        else:
            yield item


def _discover_in_folders(paths: list[str], library: TemplateLibrary) -> Iterator[Discovered]:
    """Discover settings in Terraform files.

    All files of a folder are one module; of its settings those are kept that stand in a
    wanted file, or that a wanted file calls.
    """
    for folder in sorted({posixpath.dirname(path) for path in paths}):
        library.begin()
        every = library.folder(folder)
        files = tuple(file for file in every if file.source.path.endswith(TERRAFORM))
        values = [file for file in every if file.source.path.endswith(VALUES)]
        asked = {path for path in paths if posixpath.dirname(path) == folder}
        for found in discover_in_folder(
            files, _variable_values(values), ResourceContext(), library
        ):
            here = found.source.path in asked or found.source.path not in {
                file.source.path for file in files
            }
            if here or (not isinstance(found, Unresolved) and _caller(found) in asked):
                yield found


def _caller(found: DiscoveredExtension | DiscoveredImage | DiscoveredStartScript) -> str:
    """Return the file of the outermost module call; empty where there is none."""
    return found.context.via[0].rsplit(":", 2)[0] if found.context.via else ""


def _variable_values(values: list[HclFile]) -> dict[str, Node]:
    """Evaluate the variables that `.tfvars` files set."""
    return {
        key: evaluate(attribute.value, EvaluationScope())
        for file in values
        for key, attribute in file.attributes.items()
    }


def _malformed(library: TemplateLibrary) -> Iterator[Diagnostic]:
    for path, (source, flaws) in library.flaws.items():
        ending = next((suffix for suffix in CODES if path.endswith(suffix)), JSON)
        code, what = CODES[ending]
        for flaw in flaws:
            yield source.diagnostic(flaw.at, code, f"{what}: {flaw.message}", hint=_HINT)


_SUFFIXES = (".json", ".bicep", ".tf")
_UNREAD = ".tf.json"
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "venv"})
_TEMPLATE = re.compile(rb"(?i)microsoft\.(?:compute|virtualmachineimages|resources)/")


def find_runtime_dependencies(paths: Sequence[str], *, here: Path) -> DependencyReport:
    """Report the runtime dependencies of the templates at *paths*, files and folders.

    Raises `UsageError` for a path that does not exist. Modules that they call are read where they
    are below *here* or a folder of *paths*.
    """
    roots = [here, *(place if place.is_dir() else place.parent for place in map(Path, paths))]
    files = DiskFiles(roots)
    wanted = [found for path in paths for found in _templates(path, files)]
    library = TemplateLibrary(files)
    report = scan_templates(
        [path for path in wanted if not path.endswith(_UNREAD)], library, _replacement
    )
    unresolved = (
        *report.unresolved,
        *(_unread_json(path) for path in wanted if path.endswith(_UNREAD)),
    )
    malformed = (*report.malformed, *files.wrong.values())
    whole = replace(
        report, unresolved=tuple(sorted(unresolved)), malformed=tuple(sorted(malformed))
    )
    return _without_secrets(whole, files)


def _unread_json(path: str) -> UnresolvedPlace:
    return UnresolvedPlace(
        path=path, line=1, column=1, what="Terraform in JSON", why="it is not read"
    )


def _replacement(publisher: str, kind: str) -> tuple[str, bool]:
    found = replacement(publisher, kind)
    return str(found), found.identity


def _templates(path: str, files: DiskFiles) -> Iterator[str]:
    """Yield the files that *path* stands for; in folders, JSON that is no template is skipped."""
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
            folder
            for folder in folders
            if not folder.startswith(".") and folder not in _SKIPPED_FOLDERS
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
    """Return *report* without the source lines that hold a secret."""
    paths = {dependency.path for dependency in report.dependencies} | {
        mistake.path for mistake in report.malformed
    }
    # A report is printed in logs and uploaded to code scanning, where a secret must not appear.
    secret = {
        (path, leak.line)
        for path in paths
        for leak in find_secrets(path, files.content(path) or b"")
    }
    return replace(
        report,
        dependencies=tuple(
            replace(dependency, source="")
            if (dependency.path, dependency.line) in secret
            else dependency
            for dependency in report.dependencies
        ),
        malformed=tuple(
            replace(mistake, source="") if (mistake.path, mistake.line) in secret else mistake
            for mistake in report.malformed
        ),
    )
