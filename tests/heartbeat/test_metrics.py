from __future__ import annotations

from imagebake.heartbeat.history import region_statistics
from imagebake.heartbeat.metrics import render_open_metrics
from imagebake.heartbeat.verdict import find_incidents, judge_beats
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat


def test_what_is_known_is_told_as_openmetrics() -> None:
    beats = [a_beat(0), a_beat(1, NO_PACKAGE), a_beat(2, region='a"b')]
    figures = region_statistics(beats, now=BEGAN, objectives={})

    text = render_open_metrics(beats, figures, find_incidents(judge_beats(beats), {"demo": 1}))

    lines = text.splitlines()
    west = 'image="demo",region="westeurope",label="golden"'
    assert lines[-1] == "# EOF"
    assert text.endswith("# EOF\n")
    assert "# TYPE imagebake_beats counter" in lines
    assert f'imagebake_beats_total{{{west},result="missed"}} 1' in lines
    assert f'imagebake_beat_ready_seconds{{{west},quantile="0.95"}} 4' in lines
    assert f"imagebake_beat_last_seconds{{{west}}} 1795352400" in lines
    assert f'imagebake_beat_phase_seconds{{{west},phase="ready"}} 1.5' in lines
    assert f"imagebake_image_age_days{{{west}}} 10" in lines
    assert (
        'imagebake_incident_open{image="demo",region="westeurope",cause="unknown",'
        'phase="handler Contoso.Demo.Hello",host="packages-1.store.test"} 1'
    ) in lines
    assert 'region="a\\"b"' in text


def test_families_are_told_once_and_with_their_units() -> None:
    text = render_open_metrics([], [], [])

    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    units = [line.split()[2:] for line in text.splitlines() if line.startswith("# UNIT")]
    assert len(names) == len(set(names))
    assert all(name.endswith(f"_{unit}") for name, unit in units)
