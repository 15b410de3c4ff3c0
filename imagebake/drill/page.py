"""A drill as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from imagebake.drill.model import GOLDEN, IDENTITY, PLAIN, STORE, Attempt, DrillRecord, Phase
from imagebake.drill.report import (
    NAMES,
    NOTES,
    headline,
    impaired,
    phases,
    rows,
    seconds,
    witness_text,
)
from imagebake.drill.verdict import Score, Verdict
from imagebake.kernel.pages.charts import Axis, Band, Bars, Dot, bars, dots, figure
from imagebake.kernel.pages.html import STYLE
from imagebake.lab.faults import IdentityState, StoreState

_BIN = 15
_TICK = 120
_LABELS = (GOLDEN, PLAIN)
_NUMBERS = ("", "number", "number")


def page(record: DrillRecord, verdict: Verdict) -> str:
    """The whole report as one HTML document: the verdict, what it rests on, then the details."""
    plan = record.plan
    outcome = "passed" if verdict.passed else "failed"
    title = f"Drill of {plan.image}"
    body = [
        f'<h1>{escape(title)} <span class="verdict {outcome}">{outcome}</span></h1>',
        f'<p class="lead">{escape(headline(record, verdict))}</p>',
        f'<div class="tiles">{"".join(_tile(verdict.score(label)) for label in _LABELS)}</div>',
        _about(record),
        "<h2>Every machine, when it was asked for</h2>",
        _machines(record),
        _phases(record),
        _aside(witness_text(record)),
        "<h2>What had to be so</h2>",
        _points(verdict),
        "<h2>Requests to what was broken</h2>",
        _requests(record),
        "<h2>In numbers</h2>",
        _scores(record, verdict),
        "<h2>Machine by machine</h2>",
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


def _tile(score: Score) -> str:
    """One image at a glance."""
    asked = score.store_requests + score.identity_requests
    lines = (
        ("Time to Ready, median", seconds(score.p50)),
        ("Could not be had for", impaired(score)),
        ("Requests to what was broken", f"{asked:,}"),
    )
    told = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in lines)
    style = "good" if not score.failed else "bad"
    return (
        f'<section class="tile {style}"><h2>{NAMES[score.label]}</h2>'
        f'<p class="big">{score.ready} of {score.asked}</p><p>machines became Ready</p>'
        f"<dl>{told}</dl></section>"
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
        Band(name=phase.name, mark=mark, style=_style(phase), start=phase.start, end=end)
        for phase, mark, end in zip(line.phases, _marks(line.phases), ends, strict=True)
    )
    first = -(line.origin.hour * 60 + line.origin.minute) % _TICK
    minutes = range(first, line.end + 1, _TICK)
    return Axis(
        title="time of day (UTC)",
        end=line.end,
        bands=bands,
        ticks=tuple((minute, line.clock(minute)) for minute in minutes),
    )


def _style(phase: Phase) -> str:
    """What was broken in *phase*, as the style sheet calls it."""
    store, identity = phase.store is not StoreState.UP, phase.identity is not IdentityState.UP
    broken = {(True, False): STORE, (False, True): IDENTITY, (True, True): "both"}
    return f"broken-{broken[store, identity]}" if store or identity else "calm"


def _marks(every: Iterable[Phase]) -> list[str]:
    """A number for each phase in which something was broken."""
    marks: list[str] = []
    for phase in every:
        marks.append("" if phase.calm else str(sum(map(bool, marks)) + 1))
    return marks


def _machines(record: DrillRecord) -> str:
    lanes = [(NAMES[label], [_dot(record, one) for one in record.of(label)]) for label in _LABELS]
    return figure(
        lambda axis: dots(axis, lanes, label="Machines over time"),
        _axis(record),
        "A green dot became Ready, a red cross did not. Shaded: something was broken, as below.",
    )


def _phases(record: DrillRecord) -> str:
    """The key to the shades, and how machines fared in each."""
    every = record.plan.timeline.phases
    lines = []
    for phase, mark, told in zip(every, _marks(every), phases(record), strict=True):
        start, name, *fared = map(escape, told)
        key = f'<span class="key {_style(phase)}">{mark}</span>'
        cells = "".join(f"<td>{cell}</td>" for cell in (name, *fared))
        lines.append(f'<tr><td>{key}</td><td class="clock">{start}</td>{cells}</tr>')
    head = "".join(f"<th>{name}</th>" for name in ("what", *NAMES.values()))
    head = f'<th></th><th class="clock">from</th>{head}'
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


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
            name = f"{NAMES[label]}, {what}: {sum(counts.values()):,}"
            lanes.append(Bars(name=name, style=label, counts=sorted(counts.items())))
    return figure(
        lambda axis: bars(axis, lanes, width=_BIN, label="Requests over time"),
        _axis(record),
        f"The height of a bar is the number of requests in {_BIN} minutes, all on one scale.",
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
        f'<td class="half">{escape(point.name)}</td><td class="words">{escape(point.why)}</td></tr>'
        for point in verdict.points
    )
    return f'<div class="scroll"><table>{lines}</table></div>'


def _attempts(record: DrillRecord) -> str:
    lines = []
    for one in sorted(record.attempts, key=lambda one: (one.minute, one.label)):
        became = f"Ready after {one.seconds:.1f} s" if one.seconds is not None else one.code
        clock = record.plan.timeline.clock(one.minute)
        lines.append((clock, NAMES[one.label], became, one.message))
    table = _table(
        ("asked for", "image", "became", "Azure Resource Manager said"),
        lines,
        styles=("clock", "clock", "words", "words"),
    )
    return f"<details><summary>{len(lines)} machines</summary>{table}</details>"


def _table(
    header: Iterable[str], lines: Iterable[Iterable[str]], styles: Iterable[str] = _NUMBERS
) -> str:
    columns = tuple(styles)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(map(_cell, line, columns))}</tr>" for line in lines)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _cell(text: str, style: str) -> str:
    return f'<td class="{style}">{escape(text)}</td>'
