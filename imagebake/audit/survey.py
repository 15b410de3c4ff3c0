"""What all of some files owe, each of them read as its language and its callers have it."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable, Iterator

from imagebake.audit.debts import Advice, debts_of, gap_of
from imagebake.audit.findings import Debt, DebtReport, Gap
from imagebake.audit.found import (
    Context,
    Extension,
    Found,
    Image,
    Resource,
    StartText,
    Unread,
    loop_gap,
)
from imagebake.audit.languages.arm import resources_of
from imagebake.audit.languages.arm_scope import ArmScope
from imagebake.audit.languages.bicep_resources import bicep_resources
from imagebake.audit.languages.evaluate import Scope, evaluate
from imagebake.audit.languages.hcl import HclFile
from imagebake.audit.languages.nodes import Literal, Node, Table
from imagebake.audit.languages.terraform import found_in_folder
from imagebake.audit.library import Library, beside
from imagebake.audit.machines import found_in
from imagebake.kernel.diagnostics import Diagnostic

JSON, BICEP, TERRAFORM, VALUES = ".json", ".bicep", ".tf", ".tfvars"
CODES = {
    JSON: ("J001", "this is not JSON"),
    BICEP: ("J002", "this is not Bicep"),
    TERRAFORM: ("J003", "this is not Terraform"),
    VALUES: ("J003", "this is not Terraform"),
}
"""What a mistake in a file is called, by how the file's name ends."""

_HINT = "the rest of the file was read where that is possible"


def survey(paths: Iterable[str], library: Library, advice: Advice) -> DebtReport:
    """Read the files at *paths*, and the modules they call, and say what they owe.

    A file that another one of them calls is read as it is called, and not on its own.
    """
    wanted = sorted(set(paths))
    debts: dict[object, Debt] = {}
    gaps: set[Gap] = set()
    for found in _found(wanted, library):
        if isinstance(found, Unread):
            gaps.add(gap_of(found))
            continue
        for owed in debts_of(found, advice):
            if isinstance(owed, Gap):
                gaps.add(owed)
            else:
                debts[owed.order] = _merged(debts.get(owed.order), owed)
    return DebtReport(
        files=len(wanted),
        debts=tuple(sorted(debts.values(), key=lambda debt: debt.order)),
        gaps=tuple(sorted(gaps)),
        malformed=tuple(sorted(_malformed(library))),
    )


def _merged(before: Debt | None, owed: Debt) -> Debt:
    """One debt of those that differ by who calls the module that they are in."""
    if before is None:
        return owed
    return dataclasses.replace(before, via=tuple(dict.fromkeys((*before.via, *owed.via))))


def _found(wanted: list[str], library: Library) -> Iterator[Found]:
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


def _called(wanted: list[str], library: Library) -> Iterator[str]:
    """The files that one of *wanted* names as a module."""
    for path in wanted:
        if path.endswith(BICEP) and (file := library.bicep(path)):
            for declaration in file.declarations:
                if declaration.kind == "module" and ":" not in declaration.target:
                    yield beside(file.source, declaration.target)
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


def _whole(path: str, library: Library) -> Iterator[Found]:
    """What is in a file that stands for itself."""
    library.begin()
    if path.endswith(BICEP):
        file = library.bicep(path)
        found = bicep_resources(file, {}, Context(), library) if file else iter(())
        yield from _facts(found)
        return
    read = library.document(path)
    if read is None or read[1].root is None:
        return
    root = read[1].root
    scope = ArmScope(root if isinstance(root, Table) else None, {})
    yield from _facts(resources_of(root, scope, Context(), library))
    for gap in scope.gaps:
        yield loop_gap(gap)


def _facts(found: Iterator[Resource | Extension | Unread]) -> Iterator[Found]:
    for one in found:
        if isinstance(one, Resource):
            yield from found_in(one)
        else:
            yield one


def _folders(paths: list[str], library: Library) -> Iterator[Found]:
    """What is in Terraform files: all of a folder is one module, whichever of it is asked for."""
    for folder in sorted({posixpath.dirname(path) for path in paths}):
        library.begin()
        every = library.folder(folder)
        files = tuple(file for file in every if file.source.path.endswith(TERRAFORM))
        values = [file for file in every if file.source.path.endswith(VALUES)]
        asked = {path for path in paths if posixpath.dirname(path) == folder}
        for found in found_in_folder(files, _given(values), Context(), library):
            here = found.source.path in asked or found.source.path not in {
                file.source.path for file in files
            }
            if here or (not isinstance(found, Unread) and _caller(found) in asked):
                yield found


def _caller(found: Extension | Image | StartText) -> str:
    """The file that calls the module that something is in, outermost."""
    return found.context.via[0].rsplit(":", 2)[0] if found.context.via else ""


def _given(values: list[HclFile]) -> dict[str, Node]:
    """What files of values set the variables to."""
    return {
        key: evaluate(one.value, Scope()) for file in values for key, one in file.attributes.items()
    }


def _malformed(library: Library) -> Iterator[Diagnostic]:
    for path, (source, flaws) in library.flaws.items():
        ending = next((one for one in CODES if path.endswith(one)), JSON)
        code, what = CODES[ending]
        for flaw in flaws:
            yield source.complaint(flaw.at, code, f"{what}: {flaw.message}", hint=_HINT)
