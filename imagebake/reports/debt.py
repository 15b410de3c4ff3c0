"""What templates owe, for people."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.model.debt import RULES, Debt, DebtReport

_DAY = "2 February 2026"


def debt_text(report: DebtReport) -> str:
    """The report as text: every debt, what is not known, and the totals."""
    parts = [*(_debt(debt) for debt in report.debts), *map(str, report.malformed)]
    if report.gaps:
        lines = (f"  {g.path}:{g.line}:{g.column}: {g.what}: {g.why}" for g in report.gaps)
        parts.append("\n".join(("not resolved:", *lines)))
    return "\n\n".join((*parts, "\n".join(_summary(report))))


def _debt(debt: Debt) -> str:
    lines = [
        f"{debt.path}:{debt.line}:{debt.column}: {debt.severity}[{debt.rule.id}]: {debt.message}"
    ]
    if debt.source.strip():
        lines.append(f"  | {debt.source.strip()}")
    lines += (f"  = called from {one}" for one in debt.via)
    return "\n".join((*lines, f"  = {_DAY}: {debt.outage}", f"  = instead: {debt.instead}"))


def _summary(report: DebtReport) -> Iterator[str]:
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
