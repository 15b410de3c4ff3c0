"""The task `debt`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from imagebake.audit.report import render_sarif, render_text
from imagebake.audit.scan import find_runtime_dependencies as find
from imagebake.kernel.console import print_json
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically


def debt(
    paths: Annotated[
        Sequence[str],
        Word(
            "a template (ARM JSON, Bicep, Terraform), or a folder of them; as many as you like",
            name="path",
        ),
    ] = (),
    *,
    strict: Annotated[
        bool, Flag("exit 3 when there is debt, or a file that cannot be understood")
    ] = False,
    sarif: Annotated[str, Flag("a file for GitHub code scanning")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the runtime downloads in the templates at *paths*; *strict* makes them a failure."""
    if not paths:
        raise UsageError("name files or folders", hint="./inv debt infra main.bicep")
    report = find(paths, here=Path.cwd())
    if sarif:
        write_atomically(Path(sarif), canonical_json(render_sarif(report)))
    if as_json:
        print_json(report.to_json())
    else:
        print(render_text(report))
    if strict and (report.dependencies or report.malformed):
        raise ValidationFailed(
            f"{len(report.dependencies)} debts, {len(report.malformed)} mistakes",
            hint="without --strict they are only said",
        )
