"""OpenMetrics exposition of heartbeats, for Prometheus and compatible scrapers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from imagebake.heartbeat.history import RegionStatistics
from imagebake.heartbeat.model import Beat
from imagebake.heartbeat.verdict import Incident

Sample = tuple[str, Mapping[str, str], float]
"""Suffix of the family's name, labels and value."""


def render_open_metrics(
    beats: Sequence[Beat], figures: Iterable[RegionStatistics], incidents: Iterable[Incident]
) -> str:
    """Render *beats*, their *figures* and *incidents* as OpenMetrics text."""
    lines: list[str] = []
    for name, kind, unit, about, samples in _families(beats, list(figures), list(incidents)):
        lines.append(f"# TYPE {name} {kind}")
        lines += [f"# UNIT {name} {unit}"] if unit else []
        lines.append(f"# HELP {name} {about}")
        lines += [
            f"{name}{suffix}{_labels(labels)} {_number(value)}" for suffix, labels, value in samples
        ]
    return "\n".join([*lines, "# EOF", ""])


def _families(
    beats: Sequence[Beat], figures: list[RegionStatistics], incidents: list[Incident]
) -> Iterator[tuple[str, str, str, str, list[Sample]]]:
    seconds = ("gauge", "seconds")
    about = "Beats in the records, by how they ended."
    yield "imagebake_beats", "counter", "", about, list(_counts(beats))
    about = "From asking for the machine until its agent is Ready."
    yield "imagebake_beat_ready_seconds", *seconds, about, list(_quantiles(figures))
    last: list[Sample] = [("", _group_labels(stats), stats.last.timestamp()) for stats in figures]
    yield "imagebake_beat_last_seconds", *seconds, "When the last beat began.", last
    good: list[Sample] = [
        ("", _group_labels(stats), stats.last_good.timestamp())
        for stats in figures
        if stats.last_good
    ]
    yield "imagebake_beat_last_good_seconds", *seconds, "When the last good beat began.", good
    about = "Each phase of the last beat."
    yield "imagebake_beat_phase_seconds", *seconds, about, list(_phases(beats))
    ages: list[Sample] = [
        ("", _group_labels(stats), stats.age_days)
        for stats in figures
        if stats.age_days is not None
    ]
    about = "The age of the version of the last beat."
    yield "imagebake_image_age_days", "gauge", "days", about, ages
    going_on: list[Sample] = [
        ("", _incident_labels(incident), 1.0) for incident in incidents if incident.open
    ]
    yield "imagebake_incident_open", "gauge", "", "1 while heartbeats miss.", going_on


def _counts(beats: Iterable[Beat]) -> Iterator[Sample]:
    counted = Counter((beat.image, beat.region, beat.label, beat.good) for beat in beats)
    for (image, region, label, good), count in sorted(counted.items()):
        result = "good" if good else "missed"
        labels = {"image": image, "region": region, "label": label, "result": result}
        # OpenMetrics: samples of a counter end in _total, the family's name does not.
        yield "_total", labels, float(count)


def _quantiles(figures: Iterable[RegionStatistics]) -> Iterator[Sample]:
    for stats in figures:
        for quantile, value in (("0.5", stats.p50), ("0.95", stats.p95)):
            if value is not None:
                yield "", {**_group_labels(stats), "quantile": quantile}, value


def _phases(beats: Iterable[Beat]) -> Iterator[Sample]:
    last = {(beat.image, beat.region, beat.label): beat for beat in beats}
    for (image, region, label), beat in sorted(last.items()):
        for phase in beat.phases:
            labels = {"image": image, "region": region, "label": label, "phase": phase.name}
            yield "", labels, phase.seconds


def _group_labels(stats: RegionStatistics) -> dict[str, str]:
    return {"image": stats.image, "region": stats.region, "label": stats.label}


def _incident_labels(incident: Incident) -> dict[str, str]:
    failed = incident.last.failure
    return {
        "image": incident.image,
        "region": incident.region,
        "cause": incident.last.cause.value,
        "phase": failed.name if failed else "",
        "host": failed.host if failed else "",
    }


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
