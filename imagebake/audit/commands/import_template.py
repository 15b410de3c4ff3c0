"""The task `import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from imagebake.audit.draft.importer import has_errors, import_template
from imagebake.audit.draft.model import Draft
from imagebake.audit.draft.spec_text import render_spec
from imagebake.audit.library import DiskFiles, TemplateLibrary
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError, UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.kernel.text import constrained
from imagebake.spec.load import load_spec


def import_(
    template: Annotated[
        str, Word("an Azure Image Builder template (ARM JSON), alone or in a deployment")
    ] = "",
    *,
    name: Annotated[str, Flag("what the image is called (default: as the template)")] = "",
    out: Annotated[str, Flag("the file to write (default: image_specs/NAME.yaml)")] = "",
    parameters: Annotated[str, Flag("the file of a deployment's parameters")] = "",
    strict: Annotated[
        bool, Flag("exit 3 when something of the template has no place in the spec")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Convert *template* to a spec, write it, and print the findings."""
    if not template:
        raise UsageError("name an image template", hint="./inv import TEMPLATE.json")
    if name and not constrained.IMAGE.fullmatch(name):
        hint = "lower-case letters, digits and dashes, at most 63"
        raise UsageError(f"{name!r} cannot be the name of an image", hint=hint)
    context = open_context(quiet=as_json)
    wanted = name or (Path(out).stem if out else "")
    draft = import_template(template, parameters, wanted, _library(template, parameters))
    place = Path(out) if out else context.workspace.specs / f"{draft.name}.yaml"
    _refuse_taken(draft.name, place, context)
    write_atomically(place, render_spec(draft).encode())
    lacking = _lacking(place, context)
    shown = context.workspace.shown(place)
    if as_json:
        print_json(_json(draft, shown, lacking))
    else:
        print(
            "\n\n".join([*map(str, (*draft.findings, *lacking)), _summary(draft, shown, lacking)])
        )
    if strict and (lacking or has_errors(draft)):
        raise ValidationFailed(
            f"{shown} is not all that {template} is", hint="without --strict it is only said"
        )


def _library(*paths: str) -> TemplateLibrary:
    return TemplateLibrary(DiskFiles([Path.cwd(), *(Path(path).parent for path in paths if path)]))


def _refuse_taken(name: str, place: Path, context: Context) -> None:
    """Raise `UsageError` where a spec or a lock of that name exists."""
    for taken in (
        place,
        context.workspace.specs / f"{name}.yaml",
        context.workspace.lock_path(name),
    ):
        if taken.exists():
            where = context.workspace.shown(taken)
            raise UsageError(f"{where} is there already", hint="give another --name")


def _lacking(place: Path, context: Context) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of the written spec: the fields that it still lacks."""
    try:
        load_spec(place, root=context.workspace.root)
    except SpecError as error:
        return error.diagnostics
    return ()


def _summary(draft: Draft, shown: str, lacking: tuple[Diagnostic, ...]) -> str:
    lines = [f"{shown}: written, with {len(draft.findings)} findings about the template"]
    if lacking:
        lines.append(f"before it can be locked, write in it what it lacks: {len(lacking)}, above")
    return "\n".join(lines)


def _json(draft: Draft, shown: str, lacking: tuple[Diagnostic, ...]) -> dict[str, object]:
    return {
        "name": draft.name,
        "path": shown,
        "findings": [_finding(finding) for finding in draft.findings],
        "lacking": [_finding(finding) for finding in lacking],
        "left_out": list(draft.left_out),
        "packages": list(draft.packages),
    }


def _finding(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "path": diagnostic.path,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    }
