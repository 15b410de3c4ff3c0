"""A drill in words: for a terminal, a pull request, and whoever reads neither every day."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from imagebake.drill.model import GOLDEN, PLAIN, DrillRecord
from imagebake.drill.verdict import Score, Verdict

NAMES = {GOLDEN: "Golden image", PLAIN: "Plain image"}

NOTES = (
    (
        "Every machine is a real first boot of the image's own init, agent and services in a"
        " container with Azure's addresses at the other end; it is asked for through Azure Resource"
        " Manager, and what is said of it is what its agent reported."
    ),
    (
        "The hours of the incident are compressed, the boots are not. So the clock stands still"
        " before anything breaks or is mended, until every machine is Ready or has failed: each met"
        " one state of the world, that of the minute it was asked for. What it requested is put"
        " down as long after that minute as it took."
    ),
    (
        "The plain image has the same base and the same packages, as the distribution configures"
        " them, and gets by download, when a machine is made, the extensions that the golden image"
        " has inside. Its extension also asks for a token of the machine's identity, as those do"
        " that read a vault."
    ),
    "The handlers that are downloaded are small stand-ins under the names of the real ones.",
)
"""What the reader must know to trust the numbers, and not to trust them too far."""


def headline(record: DrillRecord, verdict: Verdict) -> str:
    """The result in a sentence or two."""
    golden, plain = verdict.score(GOLDEN), verdict.score(PLAIN)
    if verdict.passed:
        return (
            f"{record.plan.image} got through: all {golden.asked} machines were Ready."
            f" Without imagebake, {plain.failed} of {plain.asked} failed."
        )
    broken = next(point for point in verdict.points if not point.kept)
    return f"The drill failed. {broken.name}: {broken.why}."


def rows(verdict: Verdict) -> tuple[tuple[str, ...], ...]:
    """The scores side by side: what is measured, golden, plain."""
    scores = [verdict.score(label) for label in (GOLDEN, PLAIN)]
    return tuple((name, *(tell(score) for score in scores)) for name, tell in _MEASURES)


def markdown(record: DrillRecord, verdict: Verdict) -> str:
    """The whole report as Markdown."""
    plan, line = record.plan, record.plan.timeline
    versions = {one.label: one.version for one in plan.candidates}
    speed = f" with {plan.minutes_per_second:g} minutes to a second."
    parts = [
        f"# Drill of {plan.image}: {'passed' if verdict.passed else 'failed'}",
        headline(record, verdict),
        f"{line.title}, replayed on {record.began:%Y-%m-%d at %H:%M} UTC{speed}",
        _table(
            (
                "",
                f"{NAMES[GOLDEN]} {versions[GOLDEN]}",
                f"{NAMES[PLAIN]} {versions[PLAIN]}",
            ),
            rows(verdict),
        ),
        "## What had to be so",
        _table(
            ("", "what", "seen"),
            ((_mark(point.kept), point.name, point.why) for point in verdict.points),
        ),
        "## What was broken, and what machines were asked for meanwhile",
        _table(("from", "what", *(NAMES[label] for label in (GOLDEN, PLAIN))), phases(record)),
        *_witness(record),
        "## How to read this",
        "\n".join(f"- {note}" for note in NOTES),
    ]
    return "\n\n".join(parts) + "\n"


def witness_text(record: DrillRecord) -> str:
    """What became of the first machine that failed, which was left alone; or nothing."""
    seen = record.witness
    if seen is None:
        return ""
    clock = record.plan.timeline.clock(seen.minute)
    if seen.healed:
        return f"The machine of {clock} that failed first was left alone, and healed by itself."
    why = f" ({seen.message})" if seen.message else ""
    return (
        f"The machine of {clock} that failed first was left alone. When all was over it still"
        f" was not Ready{why}: what failed in an incident stays failed until somebody acts."
    )


def phase_counts(record: DrillRecord, label: str) -> tuple[tuple[int, int], ...]:
    """For each phase: how many machines were asked for, and how many became Ready."""
    phases = record.plan.timeline.phases
    counts = []
    for phase in phases:
        mine = [
            one for one in record.of(label) if record.plan.timeline.phase_at(one.minute) is phase
        ]
        counts.append((len(mine), sum(one.ready for one in mine)))
    return tuple(counts)


def phases(record: DrillRecord) -> Iterable[tuple[str, ...]]:
    """For each phase: from when, what was broken, and how golden and plain machines fared."""
    line = record.plan.timeline
    counts = zip(phase_counts(record, GOLDEN), phase_counts(record, PLAIN), strict=True)
    for phase, both in zip(line.phases, counts, strict=True):
        told = (f"{ready} of {asked} Ready" if asked else "-" for asked, ready in both)
        yield (line.clock(phase.start), phase.name, *told)


def _witness(record: DrillRecord) -> tuple[str, ...]:
    text = witness_text(record)
    return (text,) if text else ()


def seconds(value: float | None) -> str:
    """A time to Ready in words, `-` for none."""
    return "-" if value is None else f"{value:.1f} s"


def impaired(score: Score) -> str:
    """For how long machines could not be had."""
    if score.impaired is None:
        return "to the end"
    hours, minutes = divmod(round(score.impaired), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


_MEASURES: tuple[tuple[str, Callable[[Score], str]], ...] = (
    ("Machines asked for", lambda score: str(score.asked)),
    ("Ready", lambda score: str(score.ready)),
    ("Failed", lambda score: str(score.failed)),
    ("Time to Ready, median", lambda score: seconds(score.p50)),
    ("Time to Ready, 95th percentile", lambda score: seconds(score.p95)),
    ("Machines could not be had for", impaired),
    ("Requests to the package store", lambda score: str(score.store_requests)),
    ("… in the worst minute", lambda score: str(score.store_peak)),
    ("Requests for tokens", lambda score: str(score.identity_requests)),
    ("… in the worst minute", lambda score: str(score.identity_peak)),
)


def _mark(kept: bool) -> str:  # noqa: FBT001 - one word of a table
    return "✓" if kept else "✗"


def _table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    head = tuple(header)
    rule = ("---",) * len(head)
    return "\n".join(
        "| " + " | ".join(_cell(cell) for cell in line) + " |" for line in (head, rule, *lines)
    )


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
