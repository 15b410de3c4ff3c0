"""The report of a token storm: Markdown, and one HTML page."""

from __future__ import annotations

from collections.abc import Callable

from imagebake.drill.token_storm import OURS, SDK, ClientWave, StormRecord
from imagebake.kernel.charts import Axis, Band, Counts, Figure, bin_counts, count_chart, figure
from imagebake.kernel.templating import render_page
from imagebake.kernel.text.markdown import table

NAMES = {SDK: "Azure SDK, by default", OURS: "imagebake"}
TITLE = "Storm of token requests"
_HEADER = ("", NAMES[SDK], NAMES[OURS])
_BIN = 5
"""Seconds of requests that one bar counts."""

NOTES = (
    (
        "Both are the real clients: the SDK's managed-identity credential with its defaults, one"
        " for each program, and the same with imagebake's retries (more of them, with full jitter)"
        " behind one cache for all programs of a machine."
    ),
    (
        "Every request is sent to the emulated identity service; the waits between two requests"
        " pass in virtual time."
    ),
)


def headline(record: StormRecord) -> str:
    """Sum up the result in a sentence or two."""
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
    """List each measure with its value for the SDK's clients and for ours."""
    theirs, ours = record.wave(SDK), record.wave(OURS)
    return tuple((name, measure(theirs), measure(ours)) for name, measure in _MEASURES)


def markdown(record: StormRecord) -> str:
    """Write the report as Markdown."""
    notes = "\n".join(f"- {note}" for note in NOTES)
    figures = table(_HEADER, rows(record))
    return "\n\n".join((f"# {TITLE}", headline(record), _about(record), figures, notes)) + "\n"


def token_storm_page(record: StormRecord) -> str:
    """Render the report as one HTML document."""
    return render_page(
        "token_storm.html.j2",
        failed=bool(record.complaints),
        headline=headline(record),
        about=_about(record),
        chart=_chart(record),
        header=_HEADER,
        rows=rows(record),
        notes=NOTES,
    )


def _chart(record: StormRecord) -> Figure:
    end = max(max(wave.arrivals, default=0) for wave in record.waves) + _BIN
    # A storm may be over before the outage is; a band must not leave the axis.
    mended = min(record.plan.outage, end)
    bands = (
        Band(name="No tokens", mark="", style="broken-identity", start=0, end=mended),
        Band(name="Tokens again", mark="", style="calm", start=mended, end=end),
    )
    ticks = tuple((float(second), str(second)) for second in range(0, end, 60))
    lanes = [
        Counts(
            name=f"{NAMES[kind]}: {record.wave(kind).total:,} requests",
            style=style,
            counts=bin_counts(record.wave(kind).arrivals, _BIN),
        )
        for kind, style in ((SDK, "plain"), (OURS, "golden"))
    ]
    return figure(
        lambda axis: count_chart(axis, lanes, span=_BIN, label="Requests over time"),
        Axis(title="seconds since the first machine started", end=end, bands=bands, ticks=ticks),
        f"The height of a bar is the number of requests in {_BIN} seconds, all on one scale."
        " Shaded: the identity service issues no token.",
    )


def _about(record: StormRecord) -> str:
    plan = record.plan
    return (
        f"{plan.machines} machines with {plan.programs} programs each start within"
        f" {plan.spread:g} s. For {plan.outage:g} s the identity service refuses every request,"
        f" then it serves {plan.capacity} requests per second. A program that gives up is started"
        f" again after {plan.restart:g} s."
    )


def _moment(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


_MEASURES: tuple[tuple[str, Callable[[ClientWave], str]], ...] = (
    ("Requests", lambda wave: f"{wave.total:,}"),
    ("In the worst second", lambda wave: str(wave.peak)),
    ("Per second, on average", lambda wave: f"{wave.mean:.1f}"),
    ("Worst to average", lambda wave: f"{wave.bursts:.1f}"),
    ("Half of the machines had their tokens after", lambda wave: _moment(wave.median)),
    ("The last machine had its tokens after", lambda wave: _moment(wave.last)),
)
