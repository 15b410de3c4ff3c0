"""What templates owe, for people."""

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
    """The report as text: every debt, what is not known, and the totals."""
    parts = [*(_debt(debt) for debt in report.debts), *map(str, report.malformed)]
    if report.gaps:
        lines = (f"  {g.path}:{g.line}:{g.column}: {g.what}: {g.why}" for g in report.gaps)
        parts.append("\n".join(("not resolved:", *lines)))
    return "\n\n".join((*parts, "\n".join(_summary(report))))


def _debt(debt: RuntimeDependency) -> str:
    lines = [
        f"{debt.path}:{debt.line}:{debt.column}: {debt.severity}[{debt.rule.id}]: {debt.message}"
    ]
    if debt.source.strip():
        lines.append(f"  | {debt.source.strip()}")
    lines += (f"  = called from {one}" for one in debt.via)
    return "\n".join((*lines, f"  = {_DAY}: {debt.outage}", f"  = instead: {debt.instead}"))


def _summary(report: DependencyReport) -> Iterator[str]:
    totals = report.totals()
    if totals:
        yield "rule  debts  files"
        for rule in RULES:
            if found := totals.get(rule.id):
                yield f"{rule.id}  {found['debts']:>5}  {found['files']:>5}  {rule.title}"
        yield ""
    owing = len({debt.path for debt in report.debts})
    debts = _counted(len(report.debts), "debt")
    yield (
        f"{debts} in {owing} of {_counted(report.files, 'file')};"
        f" {_counted(len(report.gaps), 'place')} not resolved;"
        f" {_counted(len(report.malformed), 'mistake')} in files"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(report: DependencyReport) -> dict[str, Any]:
    """The report as a run of code scanning.

    A result is the same as long as its file, its rule and what it says are: a line more above
    it makes no new one.
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
        for gap in report.gaps
    ]
    notes += [_mistake(one) for one in report.malformed]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(debt) for debt in report.debts],
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


def _mistake(one: Diagnostic) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": f"{one.code}: {one.message}"},
        "locations": [_location(one.path, one.line, one.column)],
    }


def _location(path: str, line: int, column: int) -> dict[str, Any]:
    region = {"startLine": line, "startColumn": column}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(path)}, "region": region}}
