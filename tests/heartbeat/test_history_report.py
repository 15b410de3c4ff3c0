"""What `heartbeat` says without making machines: history, silence, metrics."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from imagebake.heartbeat.history_report import (
    print_history,
    read_heartbeats,
    records,
    refuse_silence,
    write_metrics,
)
from imagebake.kernel.context import Context, Workspace
from imagebake.kernel.errors import HeartbeatMissed, UsageError
from imagebake.kernel.settings import Settings
from tests.support.bake_services import Tape
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat
from tests.support.builders import a_spec
from tests.support.heartbeat_fleet import a_beaten_spec

SPEC = a_beaten_spec()


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def site(tmp_path: Path, tape: Tape) -> Context:
    """Four hours after the first beat."""
    workspace = Workspace(root=tmp_path, state=tmp_path / "state")
    now = BEGAN + dt.timedelta(hours=4)
    return Context(workspace=workspace, settings=Settings(), progress=tape, now=now)


def test_history_tells_of_regions_and_incidents(
    site: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    records(site).add([a_beat(0), a_beat(1, NO_PACKAGE), a_beat(2), a_beat(3, image="other")])

    print_history(site, [SPEC], days="30", as_json=False)

    printed = capsys.readouterr().out
    assert "demo   westeurope  golden  2026-11-22 14:00  3      1" in printed
    assert "handler Contoso.Demo.Hello: VMExtensionHandlerNonTransientError" in printed
    assert "(until 2026-11-22 14:00)" in printed
    assert "other" not in printed


def test_history_for_programs(site: Context, capsys: pytest.CaptureFixture[str]) -> None:
    records(site).add([a_beat(0), a_beat(1, NO_PACKAGE)])

    print_history(site, [SPEC], days="30", as_json=True)

    printed = json.loads(capsys.readouterr().out)
    assert printed["figures"][0]["p95"] == 4.0
    assert printed["incidents"][0]["closed"] is None
    assert printed["incidents"][0]["last"]["host"] == "packages-1.store.test"


def test_without_beats_history_says_where_it_looked(site: Context, tape: Tape) -> None:
    print_history(site, [SPEC], days="1", as_json=False)

    assert tape.notes == ["no beats in state/heartbeats yet"]


def test_silence_is_an_alarm_that_names_the_age(site: Context) -> None:
    records(site).add([a_beat(0), a_beat(3, NO_PACKAGE), a_beat(3, region="northeurope")])

    refuse_silence(site, [SPEC], {"northeurope"}, hours="2")
    with pytest.raises(HeartbeatMissed) as caught:
        refuse_silence(site, [SPEC], None, hours="2")

    assert caught.value.exit_code == 9
    assert caught.value.message == (
        "the last good beat of demo in westeurope is 4.0 h old (at most 2)"
    )
    assert caught.value.hint == "./inv heartbeat demo --region westeurope"


def test_where_nothing_was_ever_heard_is_silence_too(site: Context) -> None:
    with pytest.raises(HeartbeatMissed, match=r"has never had a good beat \(and 1 more\)"):
        refuse_silence(site, [SPEC], None, hours="10000")


@pytest.mark.parametrize("hours", ["", "-1", "soon", "1e9", "nan"])
def test_hours_are_a_number(site: Context, hours: str) -> None:
    with pytest.raises(UsageError):
        refuse_silence(site, [SPEC], None, hours=hours)


def test_metrics_are_a_file(site: Context, tmp_path: Path) -> None:
    records(site).add([a_beat(0)])

    write_metrics(site, [SPEC], str(tmp_path / "beats.prom"))

    assert (tmp_path / "beats.prom").read_text().endswith("# EOF\n")


def test_only_rings_that_ask_for_heartbeats_have_records_read(site: Context) -> None:
    assert read_heartbeats(site, a_spec()) is None
    assert read_heartbeats(site, SPEC) == {}
