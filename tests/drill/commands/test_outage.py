"""An outage from the first beat that misses to the page that shows it, with toy machines.

`docs/start/tutorial-outage.md` is the same with machines that boot.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.model.gallery import TAG_INCIDENT, TAG_PROOF, TAG_RING
from imagebake.cli.program import OwnConfig, TaskProgram
from imagebake.emulator.server import Emulator
from imagebake.heartbeat.beats import raise_worst, run_heartbeat
from imagebake.heartbeat.verdict import judge_beats
from imagebake.kernel import context
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import ImagebakeError
from imagebake.lab.faults import StoreState
from imagebake.lab.local_cloud import read_outages
from imagebake.recovery.runbook import parse_runbook
from imagebake.rollout.operation import RolloutContext
from imagebake.session.session import AzureBackend, CloudSession, Destination, LocalBuildLogs
from imagebake.spec.load import load_all, load_spec
from tests.support.bake_services import an_endpoint, quick
from tests.support.beats import console_of
from tests.support.builders import a_lock
from tests.support.emulators import DEFINITION_ID, RecordingBuilder, a_distributor, azure
from tests.support.heartbeat_fleet import NOW, PLAIN_NEEDS
from tests.support.live_fleets import GROUP, World
from tests.support.machine_hosts import TinyHost

PROJECT = Path(__file__).resolve().parents[3]
SPEC = """\
name: demo
description: A demonstration
owner: platform-team
source: {publisher: Debian, offer: debian-12, sku: 12-gen2, version: "0.20260914.2237"}
local: {suite: bookworm}
gallery:
  definition: demo
  identifier: {publisher: imagebake, offer: demo, sku: base}
  generation: V2
  security: TrustedLaunchSupported
  architecture: x64
pins:
  - {package: jq, version: 1.6-2.1+deb12u1}
regions: [{name: westeurope}]
rings:
  - {name: canary, soak_hours: 0, audience: {scale_sets: [canary]}}
  - {name: broad, soak_hours: 0, audience: {scale_sets: [web]}}
heartbeat: {plain: true, timeout_seconds: 30}
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody's clone; machines say of the store what `./inv outage` has made of it."""

    root: Path

    def type(self, line: str) -> int:
        """What a command line ends with; heartbeats have machines that need no root."""
        words = shlex.split(line)[1:]
        if words[0] == "heartbeat" and not words[-1].startswith("--"):
            return self.beat()
        program = TaskProgram(name="imagebake", binary="inv", config_class=OwnConfig)
        try:
            program.run(["inv", *words])
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    @contextlib.contextmanager
    def azure(self) -> Iterator[tuple[Emulator, Clients]]:
        site = context.open_context(quiet=True)
        host = TinyHost(NOW, printed=console_of)
        if read_outages(site.workspace.emulator).store != StoreState.UP:
            host.broken[PLAIN_NEEDS] = "Failed to fetch https://packages-1.store.test/x: 409"
        with (
            Emulator(site.workspace.emulator, builder=RecordingBuilder(), host=host) as emulator,
            Clients(an_endpoint(emulator.url, emulator.ca), quick()) as cloud,
        ):
            yield emulator, cloud

    def beat(self) -> int:
        site = context.open_context(quiet=True)
        specs = list(load_all(site.workspace.specs, root=site.workspace.root).values())
        with self.azure() as (_, cloud):
            to = Destination(gallery=GROUP, identity="", mirror_url="")
            logs = LocalBuildLogs(lambda _: None)
            end = CloudSession(
                cloud=cloud, destination=to, bases=AzureBackend(), images=AzureBackend(), logs=logs
            )
            fleet = Fleet(cloud, GROUP, NOW)
            beats = run_heartbeat(
                RolloutContext(context=site, session=end, fleet=fleet, now=NOW, began=NOW()), specs
            )
        try:
            raise_worst(judge_beats(beats))
        except ImagebakeError as error:
            return error.exit_code
        return 0

    def page(self) -> str:
        """What `./inv dashboard` wrote, without the places where a line may break."""
        return (self.root / "site" / "index.html").read_text().replace("<wbr>", "")

    def incidents(self) -> list[str]:
        with self.azure() as (_, cloud):
            tags = Fleet(cloud, GROUP, NOW).definition_tags("demo")
        return [text for name, text in tags.items() if name.startswith(TAG_INCIDENT)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    (tmp_path / "image_specs").mkdir()
    (tmp_path / "image_specs" / "demo.yaml").write_text(SPEC)
    lock = a_lock(load_spec(tmp_path / "image_specs" / "demo.yaml", root=tmp_path))
    (tmp_path / "image_specs" / "demo.lock.json").write_bytes(canonical_json(lock.to_json()))
    (tmp_path / "templates").symlink_to(PROJECT / "templates")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEBAKE_ROOT", str(tmp_path))
    monkeypatch.setenv("IMAGEBAKE_STATE", str(tmp_path / "state"))
    made = Desk(tmp_path)
    with made.azure() as (emulator, cloud):
        world = World(emulator, cloud)
        world.shelf("demo", "demo-plain")
        built = f"{DEFINITION_ID}/versions/1.0.0"
        with azure(emulator) as arm:
            arm.shelf()
            arm.template(distribute=[a_distributor(galleryImageId=built)])
            arm.run()
        since = NOW() - dt.timedelta(days=2)
        tags = {TAG_PROOF: "passed 0123", TAG_RING + "canary": since.isoformat(timespec="seconds")}
        world.version("1.0.0", tags=tags, source=built)
        world.version("1.0.0", image="demo-plain", source=built)
        for name in ("canary", "web"):
            world.scale_set(name, capacity=0)
    return made


def test_an_outage_is_detected_stops_a_promotion_is_answered_and_shown(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    promotion = "./inv promote demo@1.0.0 --ring broad"
    book = parse_runbook("x", (PROJECT / "docs/runbooks/extension-store-unreadable.md").read_text())
    assert desk.type("./inv heartbeat demo") == 0

    assert desk.type("./inv outage store --told") == 0
    for command in (*book.checks, *book.commands):
        words = command.text.replace("$IMAGE", "demo").replace("$REGION", "westeurope")
        assert desk.type(words.replace(" --region westeurope", "")) == command.exit_code, words
    (incident,) = desk.incidents()
    stopped = desk.type(promotion)
    assert desk.type("./inv dashboard --out site") == 0
    sick = desk.page()

    assert desk.type("./inv outage over") == 0
    assert desk.type("./inv heartbeat demo") == 0
    assert desk.type("./inv gate") == 0
    assert desk.type("./inv unhold demo --reason over") == 0
    assert desk.type(promotion) == 0
    capsys.readouterr()
    assert desk.type("./inv dashboard --out site --json") == 0
    shown = json.loads(capsys.readouterr().out)

    assert f"handler {PLAIN_NEEDS} failed at packages-1.store.test" in incident
    assert stopped == 75
    assert "packages-1.store.test" in sick
    assert desk.incidents() == []
    (closed_incident,) = shown["incidents"]
    assert closed_incident["closed"]
    assert (closed_incident["host"], closed_incident["phase"]) == (
        "packages-1.store.test",
        f"handler {PLAIN_NEEDS}",
    )
    assert "packages-1.store.test" in desk.page()
    assert [ring["current"] for ring in shown["images"][0]["rings"]] == ["1.0.0", "1.0.0"]


def test_outages_add_up_until_they_are_over(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("identity", "region --region northeurope", "store --told", "store --told"):
        assert desk.type(f"./inv outage {words}") == 0
    capsys.readouterr()
    desk.type("./inv outage")
    everything = capsys.readouterr().out.splitlines()
    desk.type("./inv outage over --json")

    assert everything == [
        "the extension store answers machines with 409",
        "the identity service answers machines with 429",
        "the region northeurope does not answer",
        "Azure says: Extension packages cannot be read",
    ]
    assert json.loads(capsys.readouterr().out) == {
        "store": "up", "identity": "none", "regions": [], "told": [],
    }  # fmt: skip


def test_what_cannot_be_broken_is_refused_and_what_cannot_be_read_is_mended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = desk.root / "state" / "emulator" / "outages.json"

    assert desk.type("./inv outage flood") == 2
    assert desk.type("./inv outage store --region westeurope") == 2
    for text in ("{", '{"store": "wet"}', "[]", '{"incidents": [{"colour": "red"}]}'):
        file.write_text(text)
        assert desk.type("./inv outage") == 2, text
        assert desk.type("./inv status") == 2, text
        assert desk.type("./inv outage over") == 0
    monkeypatch.setenv("IMAGEBAKE_CLOUD", "azure")
    assert desk.type("./inv outage store") == 2
