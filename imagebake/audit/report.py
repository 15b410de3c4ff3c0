"""Reports of runtime dependencies: text for people, SARIF for code scanning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from imagebake.audit.findings import RULES, DependencyReport, RuntimeDependency
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.version import VERSION

_DAY = "2 February 2026"


def render_text(report: DependencyReport) -> str:
    """Render every dependency, what could not be resolved, and the totals as text."""
    parts = [
        *(_dependency_text(dependency) for dependency in report.dependencies),
        *map(str, report.malformed),
    ]
    if report.unresolved:
        lines = (f"  {g.path}:{g.line}:{g.column}: {g.what}: {g.why}" for g in report.unresolved)
        parts.append("\n".join(("not resolved:", *lines)))
    return "\n\n".join((*parts, "\n".join(_summary(report))))


def _dependency_text(debt: RuntimeDependency) -> str:
    lines = [
        f"{debt.path}:{debt.line}:{debt.column}: {debt.severity}[{debt.rule.id}]: {debt.message}"
    ]
    if debt.source.strip():
        lines.append(f"  | {debt.source.strip()}")
    lines += (f"  = called from {call}" for call in debt.via)
    return "\n".join((*lines, f"  = {_DAY}: {debt.outage}", f"  = instead: {debt.instead}"))


def _summary(report: DependencyReport) -> Iterator[str]:
    totals = report.totals()
    if totals:
        yield "rule  debts  files"
        for rule in RULES:
            if found := totals.get(rule.id):
                yield f"{rule.id}  {found['debts']:>5}  {found['files']:>5}  {rule.title}"
        yield ""
    files = len({dependency.path for dependency in report.dependencies})
    debts = _counted(len(report.dependencies), "debt")
    yield (
        f"{debts} in {files} of {_counted(report.files, 'file')};"
        f" {_counted(len(report.unresolved), 'place')} not resolved;"
        f" {_counted(len(report.malformed), 'mistake')} in files"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(report: DependencyReport) -> dict[str, Any]:
    """Render the report as a SARIF run.

    The fingerprint of a result covers file, rule and message but not the line, so that a line
    inserted above it does not make code scanning open a new alert.
    """
    driver = {
        "name": "imagebake debt",
        "version": VERSION,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": f"2 February 2026: {rule.outage}"},
                "defaultConfiguration": {"level": rule.severity.value},
            }
            for rule in RULES
        ],
    }
    notes = [
        {
            "level": "note",
            "message": {"text": f"not resolved: {gap.what}: {gap.why}"},
            "locations": [_location(gap.path, gap.line, gap.column)],
        }
        for gap in report.unresolved
    ]
    notes += [_syntax_error(mistake) for mistake in report.malformed]
    run = {
        "tool": {"driver": driver},
        # Columns count characters, not UTF-16 code units.
        "columnKind": "unicodeCodePoints",
        "results": [_result(dependency) for dependency in report.dependencies],
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(debt: RuntimeDependency) -> dict[str, Any]:
    text = f"{debt.message}. 2 February 2026: {debt.outage}. Instead: {debt.instead}."
    return {
        "ruleId": debt.rule.id,
        "level": debt.severity.value,
        "message": {"text": text},
        "locations": [_location(debt.path, debt.line, debt.column)],
        "partialFingerprints": {
            "imagebakeDebt/v1": sha256_json([debt.path, debt.rule.id, debt.message])
        },
    }


def _syntax_error(mistake: Diagnostic) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": f"{mistake.code}: {mistake.message}"},
        "locations": [_location(mistake.path, mistake.line, mistake.column)],
    }


def _location(path: str, line: int, column: int) -> dict[str, Any]:
    region = {"startLine": line, "startColumn": column}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(path)}, "region": region}}
