"""The only judge of the fabric's documents: the agent itself, as Debian packages it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagebake.lab.fabric.exchange import RequestRecord, Service
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import (
    STATUS_HOST,
    STORE_HOSTS,
    FabricExtension,
    GatewayMode,
    GoalState,
    GoalStateSource,
    StoreMode,
)
from imagebake.lab.fabric.status import AGENT, AgentStatus, HandlerStatus
from tests.lab.fabric.conftest import HELLO, MACHINE
from tests.support.lab import Lab
from tests.support.small_roots import AGENTS, agent_root

pytestmark = [pytest.mark.root, pytest.mark.archive]

PATIENCE = 60.0
SECRET = {"password": "hush"}
SEALED = dataclasses.replace(
    HELLO, settings={"greeting": "<hello> & welcome"}, protected_settings=SECRET
)
OPENED = hashlib.sha256(json.dumps(SECRET).encode()).hexdigest()


@dataclass
class Judge:
    """A machine that is off, its host, and what the host was asked."""

    suite: str
    root: Path
    lab: Lab
    fabric: Fabric
    requests: list[RequestRecord] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self, **conf: str) -> Iterator[Path]:
        """Run the agent; yields its root. Settings are named with underscores."""
        settings = {name.replace("_", "."): value for name, value in conf.items()}
        hosts = (*STORE_HOSTS, STATUS_HOST)
        with self.lab.agent((self.root,), ca=self.fabric.ca, hosts=hosts, conf=settings) as written:
            yield written

    def wait(self, happened: Callable[[AgentStatus], bool]) -> AgentStatus:
        """The first report of which *happened* is true."""

        def report() -> AgentStatus | None:
            status = self.fabric.agent_status()
            return status if status and happened(status) else None

        status = self.fabric.wait(report, PATIENCE)
        assert status, f"not within {PATIENCE} s; last: {self.fabric.agent_status()}"
        return status

    def settled(self) -> HandlerStatus:
        """The toy handler's status, once it has come to an end, good or bad."""

        def ended(status: AgentStatus) -> bool:
            handler = status.handler(HELLO.name)
            return handler is not None and (handler.failed or handler.extension == "success")

        handler = self.wait(ended).handler(HELLO.name)
        assert handler is not None
        return handler

    def downloads(self) -> list[str]:
        """What was asked of the store, in order, without the folders."""
        asked = [one for one in self.requests if one.service is Service.STORE]
        return [one.path.rpartition("/")[2] for one in asked]

    def through_the_host(self) -> list[str]:
        """What HostGAPlugin was asked to fetch."""
        return [one.artifact.rpartition("/")[2] for one in self.requests if one.artifact]


@pytest.fixture(scope="session", params=AGENTS)
def root(request: pytest.FixtureRequest) -> Path:
    cache = request.config.cache
    assert cache is not None
    return agent_root(request.param, cache.mkdir("agent-roots"))


@pytest.fixture
def judge(root: Path) -> Iterator[Judge]:
    requests: list[RequestRecord] = []
    with (
        Lab() as lab,
        Fabric(
            MACHINE,
            listen=lab.listen,
            store=ExtensionStore(),
            now=lambda: dt.datetime.now(dt.UTC),
            on_request=requests.append,
        ) as fabric,
    ):
        yield Judge(root.name, root, lab, fabric, requests)


newer_agent_alone = pytest.mark.parametrize("root", ["trixie"], indirect=True)
"""For what one agent is enough to judge."""


def give(
    judge: Judge,
    *extensions: FabricExtension,
    source: GoalStateSource = GoalStateSource.EXTENSIONS_CONFIG,
) -> None:
    judge.fabric.set_goal_state(GoalState(extensions=extensions, source=source))


def test_the_agent_is_ready_and_downloads_nothing(judge: Judge) -> None:
    with judge.running():
        status = judge.wait(lambda status: status.ready)

    assert status.version == AGENTS[judge.suite]
    assert status.handlers == ()
    assert [(one.sender, one.state) for one in judge.fabric.health] == [(AGENT, "Ready")]
    assert judge.fabric.provisioning() is None
    assert judge.downloads() == []


def test_the_agent_opens_its_certificates(judge: Judge) -> None:
    with judge.running() as written:
        judge.wait(lambda status: status.ready)
        kept = {path.suffix for path in (written / "var/lib/waagent").iterdir()}

    assert {".crt", ".prv", ".p7m"} <= kept


@pytest.mark.parametrize("source", GoalStateSource)
def test_an_extension_is_installed_and_opens_its_protected_settings(
    judge: Judge, source: GoalStateSource
) -> None:
    with judge.running():
        status = judge.wait(lambda status: status.ready)
        if source is GoalStateSource.FAST_TRACK and "FastTrack" not in status.features:
            assert judge.suite == "bookworm"
            return
        give(judge, SEALED, source=source)
        handler = judge.settled()

    assert handler.succeeded, handler
    assert handler.version == "1.2.3.0"
    assert handler.extension_message == f"<hello> & welcome opened {OPENED}"
    assert handler.substatus[0].message == "version 1.2.3.0"
    assert judge.downloads() == [f"{HELLO.name}_manifest.xml", f"{HELLO.name}__1.2.3.0.zip"]


@newer_agent_alone
def test_an_agent_takes_a_goal_state_by_fast_track_when_it_starts(judge: Judge) -> None:
    give(judge, HELLO, source=GoalStateSource.FAST_TRACK)

    with judge.running():
        handler = judge.settled()

    assert handler.succeeded, handler
    assert judge.fabric.incarnation == 1


@newer_agent_alone
def test_a_version_of_three_numbers_drifts_to_the_newer_patch(judge: Judge) -> None:
    give(judge, dataclasses.replace(HELLO, version="1.2.3"))

    with judge.running():
        handler = judge.settled()

    assert (handler.version, handler.succeeded) == ("1.2.3.1", True)


@pytest.mark.parametrize(
    ("mode", "host_is_asked"),
    [
        (StoreMode.PUBLIC_ACCESS_DENIED, True),
        (StoreMode.NOT_FOUND, True),
        (StoreMode.TRUNCATED, True),
        (StoreMode.WRONG_BYTES, False),
    ],
)
def test_a_broken_store_breaks_the_extension_and_not_the_agent(
    judge: Judge, mode: StoreMode, *, host_is_asked: bool
) -> None:
    judge.fabric.set_store(mode)
    give(judge, HELLO)

    with judge.running():
        handler = judge.settled()
        status = judge.fabric.agent_status()

    assert handler.failed, handler
    assert status is not None
    assert status.ready
    assert judge.downloads()
    assert bool(judge.through_the_host()) == host_is_asked


@newer_agent_alone
def test_a_healthy_gateway_saves_the_extension(judge: Judge) -> None:
    judge.fabric.set_store(StoreMode.PUBLIC_ACCESS_DENIED)
    judge.fabric.set_gateway(GatewayMode.HEALTHY)
    give(judge, HELLO)

    with judge.running():
        handler = judge.settled()

    assert handler.succeeded, handler
    assert judge.through_the_host()[-1] == f"{HELLO.name}__1.2.3.0.zip"


@newer_agent_alone
def test_a_mended_store_helps_only_with_the_next_goal_state(judge: Judge) -> None:
    judge.fabric.set_store(StoreMode.PUBLIC_ACCESS_DENIED)
    give(judge, HELLO)

    with judge.running():
        assert judge.settled().failed
        judge.fabric.set_store(StoreMode.UP)
        asked = len(judge.downloads())
        reported = judge.fabric.agent_status()
        judge.wait(lambda status: status != reported)
        assert len(judge.downloads()) == asked
        give(judge, HELLO)
        judge.wait(lambda status: any(one.succeeded for one in status.handlers))


def test_an_agent_that_may_update_itself_asks_for_the_newer_one(judge: Judge) -> None:
    with judge.running(AutoUpdate_Enabled="y", AutoUpdate_UpdateToLatestVersion="y"):
        judge.fabric.wait(lambda: "WALinuxAgent__9.9.9.9.zip" in judge.downloads(), PATIENCE)

    assert judge.downloads()[:2] == ["WALinuxAgent_Prod_manifest.xml", "WALinuxAgent__9.9.9.9.zip"]


@newer_agent_alone
def test_a_handler_that_fails_is_told_from_an_agent_that_does(judge: Judge) -> None:
    give(judge, dataclasses.replace(HELLO, settings={"fail": "on purpose"}))

    with judge.running():
        handler = judge.settled()

    assert (handler.status, handler.extension) == ("Ready", "error")
    assert handler.extension_message == "on purpose"
