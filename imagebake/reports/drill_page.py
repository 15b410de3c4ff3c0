"""A drill as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from imagebake.model.drill import GOLDEN, IDENTITY, PLAIN, STORE, Attempt, DrillRecord
from imagebake.model.drill_verdict import Verdict
from imagebake.reports.charts import Axis, Band, Dot, bars, dots
from imagebake.reports.drill import NAMES, NOTES, headline, rows, witness_text
from imagebake.reports.style import STYLE

_BIN = 15
_TICK = 120
_LABELS = (GOLDEN, PLAIN)


def page(record: DrillRecord, verdict: Verdict) -> str:
    """The whole report as one HTML document."""
    plan = record.plan
    outcome = "passed" if verdict.passed else "failed"
    title = f"Drill of {plan.image}"
    body = [
        f'<h1>{escape(title)} <span class="verdict {outcome}">{outcome}</span></h1>',
        f'<p class="lead">{escape(headline(record, verdict))}</p>',
        _about(record),
        _machines(record),
        _scores(record, verdict),
        _aside(witness_text(record)),
        "<h2>What had to be so</h2>",
        _points(verdict),
        "<h2>Requests to what was broken</h2>",
        _requests(record),
        "<h2>Every machine</h2>",
        _attempts(record),
        "<h2>How to read this</h2><ul>",
        *(f"<li>{escape(note)}</li>" for note in NOTES),
        "</ul>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: {outcome}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _about(record: DrillRecord) -> str:
    plan = record.plan
    when = f"Replayed on {record.began:%Y-%m-%d at %H:%M} UTC"
    speed = f"{plan.minutes_per_second:g} minutes to a second"
    return f'<p class="soft">{escape(plan.timeline.title)}. {when}, {speed}.</p>'


def _axis(record: DrillRecord) -> Axis:
    line = record.plan.timeline
    ends = [*(phase.start for phase in line.phases[1:]), line.end]
    bands = tuple(
        Band(name=phase.name, start=phase.start, end=end, calm=phase.calm)
        for phase, end in zip(line.phases, ends, strict=True)
    )
    first = -(line.origin.hour * 60 + line.origin.minute) % _TICK
    minutes = range(first, line.end + 1, _TICK)
    return Axis(
        end=line.end,
        bands=bands,
        ticks=tuple((minute, line.clock(minute)) for minute in minutes),
    )


def _machines(record: DrillRecord) -> str:
    lanes = [(NAMES[label], [_dot(record, one) for one in record.of(label)]) for label in _LABELS]
    chart = dots(_axis(record), lanes, label="Machines over time")
    return _figure(
        chart,
        "Each mark is a machine, at the time (UTC) it was asked for: a dot became Ready, a cross"
        " did not. Shaded: something was broken.",
    )


def _dot(record: DrillRecord, attempt: Attempt) -> Dot:
    clock = record.plan.timeline.clock(attempt.minute)
    became = f"Ready after {attempt.seconds:.1f} s" if attempt.seconds else attempt.code
    return Dot(minute=attempt.minute, good=attempt.ready, title=f"{clock} {became}")


def _requests(record: DrillRecord) -> str:
    lanes = []
    for service, what in ((STORE, "packages"), (IDENTITY, "tokens")):
        for label in _LABELS:
            counts: dict[float, int] = {}
            for minute, count in record.requests(label, service).by_minute.items():
                start = minute // _BIN * _BIN
                counts[start] = counts.get(start, 0) + count
            lanes.append((f"{label}: {what}", label, sorted(counts.items())))
    chart = bars(_axis(record), lanes, width=_BIN)
    return _figure(chart, f"Requests in {_BIN} minutes, all on one scale.")


def _figure(chart: str, caption: str) -> str:
    return (
        f'<figure><div class="scroll">{chart}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _scores(record: DrillRecord, verdict: Verdict) -> str:
    versions = {one.label: one.version for one in record.plan.candidates}
    header = ["", *(f"{NAMES[label]} {versions[label]}" for label in _LABELS)]
    return _table(header, rows(verdict))


def _aside(text: str) -> str:
    return f'<p class="aside">{escape(text)}</p>' if text else ""


def _points(verdict: Verdict) -> str:
    lines = "".join(
        f'<tr><td class="{"kept" if point.kept else "broken"}">{"✓" if point.kept else "✗"}</td>'
        f"<td>{escape(point.name)}</td><td>{escape(point.why)}</td></tr>"
        for point in verdict.points
    )
    return f'<div class="scroll"><table>{lines}</table></div>'


def _attempts(record: DrillRecord) -> str:
    lines = []
    for one in sorted(record.attempts, key=lambda one: (one.minute, one.label)):
        became = f"Ready after {one.seconds:.1f} s" if one.seconds is not None else one.code
        clock = record.plan.timeline.clock(one.minute)
        lines.append((clock, NAMES[one.label], became, one.message))
    table = _table(("asked for", "image", "became", "Azure Resource Manager said"), lines)
    return f"<details><summary>{len(lines)} machines</summary>{table}</details>"


def _table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td class="number">{escape(cell)}</td>' for cell in line) + "</tr>"
        for line in lines
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
