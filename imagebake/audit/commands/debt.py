"""`debt`: what the templates of others make machines wait for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagebake.audit.debt import debt as find
from imagebake.audit.report import debt_sarif, debt_text
from imagebake.kernel.console import print_json
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.host.files import write_atomically


def debt(paths: Sequence[str], *, strict: bool, sarif: str, as_json: bool) -> None:
    """Print what the templates at *paths* owe; when *strict*, debts and mistakes exit with 3."""
    if not paths:
        raise UsageError("name files or folders", hint="./inv debt infra main.bicep")
    report = find(paths, here=Path.cwd())
    if sarif:
        write_atomically(Path(sarif), canonical_json(debt_sarif(report)))
    if as_json:
        print_json(report.to_json())
    else:
        print(debt_text(report))
    if strict and (report.debts or report.malformed):
        raise ValidationFailed(
            f"{len(report.debts)} debts, {len(report.malformed)} mistakes",
            hint="without --strict they are only said",
        )
