"""A hundred thousand beats: how long it takes to write, to read and to tell what they say.

The peer is the parser itself: `json.loads` of the same bytes, a line at a time, and nothing
done with them.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from imagebake.artifacts.beats import BeatRecords
from imagebake.model.heartbeat import (
    AGENT,
    CREATE,
    GOLDEN,
    PLAIN,
    READY,
    SCRIPT,
    TOKEN,
    Beat,
    Phase,
)
from imagebake.model.heartbeat_history import history
from imagebake.model.heartbeat_verdict import incidents, last_word, verdicts
from imagebake.reports.metrics import open_metrics

BEATS, REGIONS, LIMIT = 100_000, 10, 2.0
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
_FAILED = Phase("handler Contoso.Demo.Hello", 4.0, "VMExtensionHandlerNonTransientError",
                "Failed to fetch manifest", "packages-1.store.test")  # fmt: skip


def main() -> None:
    """Write the records, and measure what `heartbeat --history` and `--metrics` do with them."""
    print(f"{os.cpu_count()} cores, {platform.platform()}, load {os.getloadavg()[0]:.1f}")
    print("\n| what | seconds | limit | met |\n|---|--:|--:|---|")
    with tempfile.TemporaryDirectory() as folder:
        records = BeatRecords(folder=Path(folder), host="bench")
        _row("write", _timed(lambda: records.add(map(a_beat, range(BEATS)))))
        files = sorted(Path(folder).glob("*.jsonl"))
        lines = b"".join(path.read_bytes() for path in files).splitlines()
        _row("json.loads of each line, no more", _timed(lambda: [json.loads(one) for one in lines]))
        beats = records.load()
        load = min(_timed(records.load) for _ in range(3))
        figures = history(beats, now=NOW, objectives={"demo": 30})
        figure = _timed(lambda: history(beats, now=NOW, objectives={"demo": 30}))
        judged = _timed(lambda: incidents(verdicts(beats), {"demo": 2}))
        _row("read", load)
        _row("figures by region", figure)
        _row("verdicts and incidents", judged)
        _row("history: the three together", load + figure + judged, LIMIT)
        _row("last word by ring and version", _timed(lambda: last_word(beats)))
        found = incidents(verdicts(beats), {"demo": 2})
        _row("OpenMetrics", _timed(lambda: open_metrics(beats, figures, found)))
    print()


def a_beat(number: int) -> Beat:
    """One of a month of beats in ten regions, golden and plain; one in fifty missed."""
    run, place = divmod(number, 2 * REGIONS)
    ready = 3.0 + number % 17 / 10
    phases = [Phase(CREATE, 0.6), Phase(READY, 1.2), Phase(AGENT, ready)]
    phases.append(_FAILED if number % 50 == 0 else Phase(TOKEN, 0.2))
    return Beat(
        id=f"20261122T120000Z-{run:08x}-{place}",
        image="demo",
        version="2026.1122.0",
        version_id="/subscriptions/0/resourceGroups/imagebake/providers/Microsoft.Compute"
        "/galleries/imagebake/images/demo/versions/2026.1122.0",
        published=NOW - dt.timedelta(days=40),
        region=f"region{place % REGIONS}",
        rings=("canary", "broad"),
        label=PLAIN if place >= REGIONS else GOLDEN,
        began=NOW - dt.timedelta(minutes=8 * (BEATS // (2 * REGIONS) - run), milliseconds=-place),
        phases=(*phases, Phase(SCRIPT, 0.5)),
    )


def _timed(work: object) -> float:
    began = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - began


def _row(what: str, took: float, limit: float | None = None) -> None:
    met = "" if limit is None else "yes" if took <= limit else "no"
    print(f"| {what} | {took:.2f} | {limit or '':} | {met} |")


if __name__ == "__main__":
    main()
