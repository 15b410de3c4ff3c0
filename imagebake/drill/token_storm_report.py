"""A storm of token requests in words and as a page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from imagebake.drill.token_storm import OURS, SDK, StormRecord, Wave
from imagebake.kernel.pages.charts import Axis, Band, Bars, bars, figure
from imagebake.kernel.pages.html import STYLE

NAMES = {SDK: "Azure SDK, by default", OURS: "imagebake"}
_BIN = 5

NOTES = (
    (
        "Both are the real clients: the SDK's managed-identity credential as it is by default, one"
        " for every program, and the same with imagebake's retries (drawn at random, more of them)"
        " behind one cache for all programs of a machine."
    ),
    (
        "Every request is sent to the emulated identity service; the waits between two requests"
        " pass in virtual time."
    ),
)


def headline(record: StormRecord) -> str:
    """The result in a sentence."""
    theirs, ours = record.wave(SDK), record.wave(OURS)
    if record.complaints:
        return f"The storm is no better with imagebake: {record.complaints[0]}."
    later = (ours.last or 0.0) - (theirs.last or 0.0)
    price = f" The price: the last machine had its tokens {later:.0f} s later." if later > 0 else ""
    return (
        f"{theirs.total:,} requests became {ours.total:,}, and {theirs.peak} in the worst second"
        f" became {ours.peak}.{price}"
    )


def rows(record: StormRecord) -> tuple[tuple[str, str, str], ...]:
    """What is measured, by the SDK's clients, and by ours."""
    waves = record.wave(SDK), record.wave(OURS)
    return tuple((name, tell(waves[0]), tell(waves[1])) for name, tell in _MEASURES)


def markdown(record: StormRecord) -> str:
    """The report as Markdown."""
    lines = [("", NAMES[SDK], NAMES[OURS]), ("---",) * 3, *rows(record)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = "\n".join(f"- {note}" for note in NOTES)
    parts = ("# Storm of token requests", headline(record), _about(record), table, notes)
    return "\n\n".join(parts) + "\n"


def page(record: StormRecord) -> str:
    """The report as one HTML document."""
    head = f"<tr><th></th><th>{NAMES[SDK]}</th><th>{NAMES[OURS]}</th></tr>"
    body = "".join(
        "<tr>" + "".join(f'<td class="number">{escape(cell)}</td>' for cell in line) + "</tr>"
        for line in rows(record)
    )
    outcome = "failed" if record.complaints else "passed"
    notes = "".join(f"<li>{escape(note)}</li>" for note in NOTES)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Storm of token requests</title><style>{STYLE}</style></head><body>\n"
        f'<h1>Storm of token requests <span class="verdict {outcome}">{outcome}</span></h1>\n'
        f'<p class="lead">{escape(headline(record))}</p>'
        f'<p class="soft">{escape(_about(record))}</p>\n'
        f"{_chart(record)}\n"
        f'<div class="scroll"><table>{head}{body}</table></div>\n<ul>{notes}</ul>\n</body></html>\n'
    )


def _chart(record: StormRecord) -> str:
    end = max(max(wave.arrivals, default=0) for wave in record.waves) + _BIN
    mended = min(record.plan.outage, end)
    bands = (
        Band(name="No tokens", mark="", style="broken-identity", start=0, end=mended),
        Band(name="Tokens again", mark="", style="calm", start=mended, end=end),
    )
    ticks = tuple((float(second), str(second)) for second in range(0, end, 60))
    styles = {SDK: "plain", OURS: "golden"}
    lanes = [
        Bars(
            name=f"{NAMES[kind]}: {record.wave(kind).total:,} requests",
            style=styles[kind],
            counts=_binned(record.wave(kind)),
        )
        for kind in (SDK, OURS)
    ]
    return figure(
        lambda axis: bars(axis, lanes, width=_BIN, label="Requests over time"),
        Axis(title="seconds since the first machine started", end=end, bands=bands, ticks=ticks),
        f"The height of a bar is the number of requests in {_BIN} seconds, all on one scale."
        " Shaded: no token was handed out.",
    )


def _binned(wave: Wave) -> list[tuple[float, int]]:
    counts: dict[float, int] = {}
    for second, count in wave.arrivals.items():
        start = second // _BIN * _BIN
        counts[start] = counts.get(start, 0) + count
    return sorted(counts.items())


def _about(record: StormRecord) -> str:
    plan = record.plan
    return (
        f"{plan.machines} machines with {plan.programs} programs each start within"
        f" {plan.spread:g} s. For {plan.outage:g} s the identity service refuses everybody, then"
        f" it serves {plan.capacity} requests in a second. A program that gives up is started"
        f" again after {plan.restart:g} s."
    )


def _moment(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


_MEASURES: tuple[tuple[str, Callable[[Wave], str]], ...] = (
    ("Requests", lambda wave: f"{wave.total:,}"),
    ("In the worst second", lambda wave: str(wave.peak)),
    ("In a second, on average", lambda wave: f"{wave.mean:.1f}"),
    ("Worst to average", lambda wave: f"{wave.bursts:.1f}"),
    ("Half of the machines had their tokens after", lambda wave: _moment(wave.median)),
    ("The last machine had its tokens after", lambda wave: _moment(wave.last)),
)
