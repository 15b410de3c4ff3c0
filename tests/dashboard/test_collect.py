"""What the dashboard gathers: from a gallery, from records, and from what was seen before."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.model.gallery import TAG_PROOF
from imagebake.build.journal import BakeJournal
from imagebake.dashboard.collect import overview
from imagebake.dashboard.command import dashboard
from imagebake.dashboard.model import Dashboard
from imagebake.dashboard.page import dashboard_page
from imagebake.heartbeat.history_report import read_heartbeats, records
from imagebake.kernel.context import Context, Workspace
from imagebake.kernel.errors import CloudError, NotNow, UsageError
from imagebake.kernel.settings import Freeze, Settings
from imagebake.recovery.runbook import RECORDS
from imagebake.rollout.operation import RolloutContext, claim_and_apply
from imagebake.rollout.planners import promotion_planner
from imagebake.rollout.present import RolloutRequest
from tests.support.bake_services import Tape
from tests.support.beats import BEGAN, a_beat
from tests.support.heartbeat_fleet import NOW, PLAIN_NEEDS, Beaten, a_beaten_spec, beaten
from tests.support.live_fleets import World

SPEC = a_beaten_spec()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Beaten]:
    with beaten(tmp_path) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Context:
    """Four hours after the first beat."""
    workspace = Workspace(root=tmp_path, state=tmp_path / "state")
    now = BEGAN + dt.timedelta(hours=4)
    return Context(workspace=workspace, settings=Settings(), progress=Tape(), now=now)


def seen_in(world: Beaten, *, reachable: bool = True) -> Dashboard:
    at = world.place
    reach = (lambda _: contextlib.nullcontext(at)) if reachable else unreachable
    return overview(at.context, [world.spec], reach=reach)


@contextlib.contextmanager
def unreachable(site: Context) -> Iterator[RolloutContext]:
    raise CloudError("cannot read gallery 'imagebake': nobody answers", hint="try again later")
    yield  # which makes it a context, and is never reached


def test_an_outage_is_seen_with_what_it_stopped_and_outlives_the_cloud(world: Beaten) -> None:
    world.host.broken[PLAIN_NEEDS] = "Failed to fetch https://packages-1.store.test/x: 409"
    world.beat("westeurope")
    World(world.emulator, world.cloud).version("1.0.1", tags={TAG_PROOF: "passed 0"})
    at = world.place
    decide = promotion_planner(at, world.spec, "canary", "1.0.1", heartbeats=read_heartbeats)
    for _ in range(2):
        with pytest.raises(NotNow):
            claim_and_apply(
                at, world.spec, decide, RolloutRequest(verb="promotion", again="./inv"), wait=0
            )

    seen, later = seen_in(world), seen_in(world, reachable=False)

    (incident,) = seen.open_incidents
    assert (incident.image, incident.region, incident.cause) == ("demo", "westeurope", "platform")
    assert incident.phase.startswith("handler ")
    assert incident.host == "packages-1.store.test"
    assert incident.stopped == ("Promote demo@1.0.1 to ring canary",)
    (refused,) = seen.moves
    assert (refused.times, refused.steps > 0, refused.seconds >= 0) == (2, True, True)
    assert "heartbeats fail in westeurope" in refused.refused
    assert seen.gate.state == "closed"
    assert [one.name for one in seen.images[0].rings or ()] == ["canary", "broad"]
    assert seen.gaps == ()
    assert {(one.region, one.figures is None) for one in seen.regions} == {
        ("northeurope", True),
        ("westeurope", False),
    }
    assert [one.kind for one in seen.quotas] == ["versions", "definitions", "galleries", "replicas"]

    assert [(one.part, one.seen is not None) for one in later.gaps] == [("gallery", True)]
    assert later.gaps[0].why.endswith("nobody answers; try again later")
    assert later.gate.state == "unknown"
    assert [one.current for one in later.images[0].rings or ()] == ["1.0.0", "1.0.0"]
    assert later.incidents == seen.incidents
    assert "shown as of" in dashboard_page(later)


def test_without_a_cloud_and_without_records_everything_is_a_gap(site: Context) -> None:
    seen = overview(site, [SPEC], reach=unreachable)

    assert [one.part for one in seen.gaps] == ["gallery", "beats"]
    assert seen.images[0].rings is None
    assert seen.seen is None
    assert (seen.moves, seen.bakes, seen.quotas, seen.incidents) == ((), (), (), ())
    assert "the gallery was never read" in dashboard_page(seen)


def test_records_of_the_past_are_read_and_what_is_broken_is_passed_over(site: Context) -> None:
    folder = site.workspace.mirror / "records" / "imagebake" / "demo" / "rollouts"
    folder.mkdir(parents=True)
    told = {
        "record_version": 1, "verb": "rollback", "title": "Roll back demo", "seconds": 12.5,
        "began": "2026-11-22T11:00:00+00:00", "done": [{"step": "x", "seconds": 1.0}],
        "failed": {}, "stopped": None, "objective_seconds": 600.0, "objective_met": True,
        "metrics": {"calls": {"reads": 3, "writes": 2}},
    }  # fmt: skip
    (folder / "20261122T110000Z-aaaaaa-rollback.json").write_text(json.dumps(told))
    for number, text in enumerate(("{", "[]", "{}", '{"refused": "x"}', '"x"', "null")):
        (folder / f"20261122T12000{number}Z-bbbbbb-rotation.json").write_text(text)
    naive = json.dumps(told | {"began": "2026-11-22T11:00:00"})
    (folder / "20261122T130000Z-cccccc-rollback.json").write_text(naive)
    journal = BakeJournal(folder=site.workspace.records, clock=lambda: BEGAN)
    with journal.bake("demo", {"bake_key": "0"}) as end:
        end["outcome"] = "baked"
    line = {"runbook": "bad-image", "began": "2026-11-20T00:00:00+00:00", "seconds": 40.0}
    path = site.workspace.records / RECORDS
    path.write_text(json.dumps(line | {"passed": True, "why": None}) + "\n{half")

    seen = overview(site, [SPEC], reach=unreachable)

    assert [(one.title, one.steps, one.calls) for one in seen.moves] == [("Roll back demo", 1, 5)]
    assert [(one.image, one.outcome) for one in seen.bakes] == [("demo", "baked")]
    rehearsed = {one.name: one.seconds for one in seen.runbooks if one.rehearsed}
    assert rehearsed == {"bad-image": 40.0}


def test_a_freeze_is_known_without_azure(site: Context) -> None:
    freeze = Freeze(
        begins=BEGAN, ends=BEGAN + dt.timedelta(days=1), timezone="UTC", reason="sale", owner="shop"
    )
    frozen = Context(
        workspace=site.workspace,
        settings=Settings(freezes=(freeze,)),
        progress=site.progress,
        now=site.now,
    )

    seen = overview(frozen, [SPEC], reach=unreachable)

    assert (seen.gate.state, seen.gate.until) == ("closed", freeze.ends)


def test_a_memory_that_is_broken_is_none(site: Context) -> None:
    (site.workspace.state / "seen").mkdir(parents=True)
    (site.workspace.state / "seen" / "local-imagebake.json").write_text("{")

    assert overview(site, [SPEC], reach=unreachable).seen is None


def test_beats_of_other_images_are_not_shown(site: Context) -> None:
    records(site).add([a_beat(0), a_beat(1, image="other")])

    seen = overview(site, [SPEC], reach=unreachable)

    assert {one.image for one in seen.regions} == {"demo"}


def test_a_file_is_no_directory_for_a_page(tmp_path: Path) -> None:
    (tmp_path / "site").touch()

    with pytest.raises(UsageError, match="is a file"):
        dashboard(out=str(tmp_path / "site"), as_json=False)


def test_the_command_writes_the_page_and_says_what_is_missing(
    tmp_path: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IMAGEBAKE_ROOT", str(project))
    monkeypatch.setenv("IMAGEBAKE_STATE", str(tmp_path / "state"))

    dashboard(out=str(tmp_path / "site"), as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert (tmp_path / "site" / "index.html").read_text().startswith("<!doctype html>")
    assert told["gaps"][0]["why"] == "there is no gallery 'imagebake' yet; ./inv bake --all"
    assert told["at"] <= NOW().isoformat()
