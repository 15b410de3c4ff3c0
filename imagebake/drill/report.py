"""A drill's report: Markdown for a terminal or a pull request, and one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from imagebake.drill.model import (
    GOLDEN,
    IDENTITY,
    PLAIN,
    STORE,
    DrillPhase,
    DrillRecord,
    ProvisioningAttempt,
)
from imagebake.drill.verdict import DrillVerdict, Score
from imagebake.kernel.charts import (
    Axis,
    Band,
    Counts,
    Event,
    Figure,
    bin_counts,
    count_chart,
    event_chart,
    figure,
)
from imagebake.kernel.templating import render_page
from imagebake.kernel.text.markdown import plain, table
from imagebake.lab.faults import IdentityState, StoreState

NAMES = {GOLDEN: "Golden image", PLAIN: "Plain image"}

NOTES = (
    (
        "Every machine is a real first boot of the image's own init, agent and services, in a"
        " container that reaches an emulated Azure platform. It is created through Azure Resource"
        " Manager, and its state is what its own agent reported."
    ),
    (
        "The hours of the incident are compressed, the boots are not. So the clock stops before"
        " each change of the faults until every machine is Ready or has failed: each machine meets"
        " one set of faults, that of the minute of its creation. A request counts at the minute of"
        " the creation plus the real time since."
    ),
    (
        "The plain image has the same base and the same packages in the distribution's own"
        " configuration. It downloads at creation the extensions that the golden image contains."
        " Its extension also requests a token of the machine's identity, as extensions do that read"
        " a key vault."
    ),
    "The downloaded handlers are small stand-ins under the names of the real ones.",
)
"""The limits of the measurement, for readers who want to judge the numbers."""

_BIN = 15
"""Minutes of requests that one bar counts."""
_TICK = 120
"""Minutes between two labels of the time axis."""
_LABELS = (GOLDEN, PLAIN)


def headline(record: DrillRecord, verdict: DrillVerdict) -> str:
    """Sum up the result in a sentence or two."""
    golden, bare = verdict.score(GOLDEN), verdict.score(PLAIN)
    if verdict.passed:
        return (
            f"{record.plan.image} got through: all {golden.asked} machines were Ready."
            f" Without imagebake, {bare.failed} of {bare.asked} failed."
        )
    broken = next(point for point in verdict.points if not point.kept)
    return f"The drill failed. {broken.name}: {broken.why}."


def rows(verdict: DrillVerdict) -> tuple[tuple[str, ...], ...]:
    """List each measure with its golden and its plain value."""
    scores = [verdict.score(label) for label in _LABELS]
    return tuple((name, *(measure(score) for score in scores)) for name, measure in _MEASURES)


def witness_text(record: DrillRecord) -> str:
    """Report on the first failed machine, which the drill leaves alone; empty without one."""
    witness = record.witness
    if witness is None:
        return ""
    clock = record.plan.timeline.clock(witness.minute)
    if witness.healed:
        return f"The machine of {clock} that failed first was left alone, and healed by itself."
    why = f" ({witness.message})" if witness.message else ""
    return (
        f"The machine of {clock} that failed first was left alone. After the incident it still"
        f" was not Ready{why}: a machine that failed in an incident stays failed until an operator"
        " acts."
    )


def phase_counts(record: DrillRecord, label: str) -> tuple[tuple[int, int], ...]:
    """Count, for each phase, the machines created in it and those that became Ready."""
    timeline = record.plan.timeline
    created: dict[DrillPhase, list[ProvisioningAttempt]] = {phase: [] for phase in timeline.phases}
    for attempt in record.of(label):
        created[timeline.phase_at(attempt.minute)].append(attempt)
    return tuple(
        (len(attempts), sum(attempt.ready for attempt in attempts)) for attempts in created.values()
    )


def phases(record: DrillRecord) -> Iterator[tuple[str, ...]]:
    """List each phase: its start, its name, and the results of golden and plain machines."""
    line = record.plan.timeline
    counts = zip(*(phase_counts(record, label) for label in _LABELS), strict=True)
    for phase, by_label in zip(line.phases, counts, strict=True):
        results = (f"{ready} of {asked} Ready" if asked else "-" for asked, ready in by_label)
        yield (line.clock(phase.start), phase.name, *results)


def seconds(value: float | None) -> str:
    """Write a time to Ready, `-` for none."""
    return "-" if value is None else f"{value:.1f} s"


def impairment(score: Score) -> str:
    """Write for how long new machines failed."""
    if score.impaired is None:
        return "to the end"
    hours, minutes = divmod(round(score.impaired), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


_MEASURES: tuple[tuple[str, Callable[[Score], str]], ...] = (
    ("Machines created", lambda score: str(score.asked)),
    ("Ready", lambda score: str(score.ready)),
    ("Failed", lambda score: str(score.failed)),
    ("Time to Ready, median", lambda score: seconds(score.p50)),
    ("Time to Ready, 95th percentile", lambda score: seconds(score.p95)),
    ("Creation impaired for", impairment),
    ("Requests to the package store", lambda score: str(score.store_requests)),
    ("… in the worst minute", lambda score: str(score.store_peak)),
    ("Requests for tokens", lambda score: str(score.identity_requests)),
    ("… in the worst minute", lambda score: str(score.identity_peak)),
)


def markdown(record: DrillRecord, verdict: DrillVerdict) -> str:
    """Write the whole report as Markdown."""
    parts = [
        f"# Drill of {record.plan.image}: {_outcome(verdict)}",
        # Both may quote a machine's message, which must not become Markdown.
        plain(headline(record, verdict)),
        _about(record),
        _table(_score_header(record), rows(verdict)),
        "## Criteria",
        _table(
            ("", "criterion", "seen"),
            (("✓" if point.kept else "✗", point.name, point.why) for point in verdict.points),
        ),
        "## Faults, and the machines created meanwhile",
        _table(("from", "state", *NAMES.values()), phases(record)),
        plain(witness_text(record)),
        "## How to read this",
        "\n".join(f"- {note}" for note in NOTES),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def drill_page(record: DrillRecord, verdict: DrillVerdict) -> str:
    """Render the whole report as one HTML document."""
    timeline = record.plan.timeline
    return render_page(
        "drill.html.j2",
        plan=record.plan,
        passed=verdict.passed,
        outcome=_outcome(verdict),
        headline=headline(record, verdict),
        about=_about(record),
        names=NAMES,
        scores=[verdict.score(label) for label in _LABELS],
        seconds=seconds,
        impairment=impairment,
        machines=_machine_chart(record),
        phases=[
            {"mark": mark, "style": _style(phase), "cells": cells}
            for phase, mark, cells in zip(
                timeline.phases, _marks(timeline.phases), phases(record), strict=True
            )
        ],
        witness=witness_text(record),
        points=verdict.points,
        requests=_request_chart(record),
        measures=[_score_header(record), *rows(verdict)],
        attempts=sorted(record.attempts, key=lambda attempt: (attempt.minute, attempt.label)),
        clock=timeline.clock,
        result=_result,
        notes=NOTES,
    )


def _table(header: Sequence[str], lines: Iterable[Iterable[str]]) -> str:
    return table(header, [[plain(cell) for cell in line] for line in lines])


def _outcome(verdict: DrillVerdict) -> str:
    return "passed" if verdict.passed else "failed"


def _about(record: DrillRecord) -> str:
    plan = record.plan
    return (
        f"{plan.timeline.title}, replayed on {record.began:%Y-%m-%d at %H:%M} UTC with"
        f" {plan.minutes_per_second:g} minutes to a second."
    )


def _score_header(record: DrillRecord) -> tuple[str, ...]:
    versions = {candidate.label: candidate.version for candidate in record.plan.candidates}
    return ("", *(f"{NAMES[label]} {versions[label]}" for label in _LABELS))


def _result(attempt: ProvisioningAttempt) -> str:
    return attempt.code if attempt.seconds is None else f"Ready after {attempt.seconds:.1f} s"


def _machine_chart(record: DrillRecord) -> Figure:
    lanes = [
        (NAMES[label], [_event(record, attempt) for attempt in record.of(label)])
        for label in _LABELS
    ]
    return figure(
        lambda axis: event_chart(axis, lanes, label="Machines over time"),
        _axis(record),
        "A green dot became Ready, a red cross did not. Shaded: the faults listed below.",
    )


def _event(record: DrillRecord, attempt: ProvisioningAttempt) -> Event:
    clock = record.plan.timeline.clock(attempt.minute)
    return Event(moment=attempt.minute, good=attempt.ready, title=f"{clock} {_result(attempt)}")


def _request_chart(record: DrillRecord) -> Figure:
    lanes = []
    for service, noun in ((STORE, "packages"), (IDENTITY, "tokens")):
        for label in _LABELS:
            counts = bin_counts(record.requests(label, service).by_minute, _BIN)
            total = sum(count for _, count in counts)
            lanes.append(
                Counts(name=f"{NAMES[label]}, {noun}: {total:,}", style=label, counts=counts)
            )
    return figure(
        lambda axis: count_chart(axis, lanes, span=_BIN, label="Requests over time"),
        _axis(record),
        f"The height of a bar is the number of requests in {_BIN} minutes, all on one scale.",
    )


def _axis(record: DrillRecord) -> Axis:
    line = record.plan.timeline
    ends = [*(phase.start for phase in line.phases[1:]), line.end]
    bands = tuple(
        Band(name=phase.name, mark=mark, style=_style(phase), start=phase.start, end=end)
        for phase, mark, end in zip(line.phases, _marks(line.phases), ends, strict=True)
    )
    # Ticks at even hours of the day, not at multiples of the first minute.
    first = -(line.origin.hour * 60 + line.origin.minute) % _TICK
    minutes = range(first, line.end + 1, _TICK)
    return Axis(
        title="time of day (UTC)",
        end=line.end,
        bands=bands,
        ticks=tuple((minute, line.clock(minute)) for minute in minutes),
    )


def _style(phase: DrillPhase) -> str:
    """Name the faults of *phase* as the style sheet does."""
    store, identity = phase.store is not StoreState.UP, phase.identity is not IdentityState.UP
    broken = {(True, False): STORE, (False, True): IDENTITY, (True, True): "both"}
    return f"broken-{broken[store, identity]}" if store or identity else "calm"


def _marks(phases: Iterable[DrillPhase]) -> list[str]:
    """Number the phases that have a fault; calm ones have no number."""
    marks: list[str] = []
    for phase in phases:
        marks.append("" if phase.healthy else str(sum(map(bool, marks)) + 1))
    return marks
