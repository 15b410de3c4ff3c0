"""A hundred thousand beats: how long it takes to write, to read and to tell what they say.

The peer is the parser itself: `json.loads` of the same bytes, a line at a time, and nothing
done with them. The commands are measured as whole processes, with everything that they load.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imagebake.heartbeat.history import region_statistics, time_buckets
from imagebake.heartbeat.metrics import render_open_metrics
from imagebake.heartbeat.model import (
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
from imagebake.heartbeat.records import BeatRecords, garbage_collection_paused, load_summaries
from imagebake.heartbeat.verdict import find_incidents, judge_beats, ring_health
from imagebake.kernel.context import Workspace

BEATS, REGIONS, LIMIT = 100_000, 10, 2.0
IMAGE = "demo"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
_FAILED = Phase("handler Contoso.Demo.Hello", 4.0, "VMExtensionHandlerNonTransientError",
                "Failed to fetch manifest", "packages-1.store.test")  # fmt: skip


def main() -> None:
    """Write the records, and measure what `heartbeat --history` and `--metrics` do with them."""
    print(f"{os.cpu_count()} cores, {platform.platform()}, load {os.getloadavg()[0]:.1f}")
    print("\n| what | seconds | limit | met |\n|---|--:|--:|---|")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(root=Path(folder), state=Path(folder) / "state")
        records = BeatRecords(folder=workspace.heartbeats, host="bench")
        _row("write", _timed(lambda: records.add(map(a_beat, range(BEATS)))))
        _figures(records, workspace.pulses)
        _commands(workspace)
    print()


def _figures(records: BeatRecords, kept: Path) -> None:
    """What is made of the records, part by part."""
    lines = b"".join(path.read_bytes() for path in records.files()).splitlines()
    _row("json.loads of each line, no more", _timed(lambda: [json.loads(one) for one in lines]))
    _row("read whole", _timed(records.load))
    with garbage_collection_paused():
        _row("read for the first time", _timed(lambda: load_summaries(records, kept)))
        _row("read again", min(_timed(lambda: load_summaries(records, kept)) for _ in range(3)))
        beats = load_summaries(records, kept)
        figures = region_statistics(beats, now=NOW, objectives={IMAGE: 30})
        found = find_incidents(judge_beats(beats), {IMAGE: 2})
        _row("figures by region", _timed(lambda: region_statistics(beats, now=NOW, objectives={})))
        _row(
            "verdicts and incidents", _timed(lambda: find_incidents(judge_beats(beats), {IMAGE: 2}))
        )
        _row("half days for the page", _timed(lambda: time_buckets(beats, now=NOW)))
    whole = records.load()
    _row("last word by ring and version", _timed(lambda: ring_health(whole)))
    _row("OpenMetrics", _timed(lambda: render_open_metrics(whole, figures, found)))


def _commands(workspace: Workspace) -> None:
    """The commands as whole processes: once without digests of the records, then with them."""
    specs = workspace.root / "image_specs"
    shutil.copytree(Path(__file__).parents[1] / "image_specs", specs)
    (specs / f"{IMAGE}.yaml").write_text(
        (specs / "debian-12-base.yaml").read_text().replace("debian-12-base", IMAGE)
    )
    ours = {"IMAGEBAKE_ROOT": str(workspace.root), "IMAGEBAKE_STATE": str(workspace.state)}
    environment = {**os.environ, **ours, "PYTHONPATH": str(Path(__file__).parents[1])}
    out = str(workspace.root / "site")
    for words in (("heartbeat", "--history", "--days", "9999"), ("dashboard", "--out", out)):
        shutil.rmtree(workspace.pulses, ignore_errors=True)
        for time_ in ("first", "again"):
            command = [sys.executable, "-m", "imagebake", *words]
            before = _of_children()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            _row(f"`{words[0]}`, {time_}", _of_children() - before, LIMIT)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def a_beat(number: int) -> Beat:
    """One of a month of beats in ten regions, golden and plain; one in fifty missed."""
    run, place = divmod(number, 2 * REGIONS)
    ready = 3.0 + number % 17 / 10
    phases = [Phase(CREATE, 0.6), Phase(READY, 1.2), Phase(AGENT, ready)]
    phases.append(_FAILED if number % 50 == 0 else Phase(TOKEN, 0.2))
    return Beat(
        id=f"{NOW:%Y%m%dT%H%M%SZ}-{run:08x}-{place}",
        image=IMAGE,
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
