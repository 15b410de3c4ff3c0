"""The real thing: Debian 12's daemon runs a newer agent, which installs a cached extension.

The goal-state agent is Debian 13's package in the layout of an official zip, which no machine of
the tests can reach.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.build.plan import plan_bake
from imagebake.build.render.scripts import render_deprovisioning
from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.lab.boot.runner import run_scenario
from imagebake.lab.boot.scenario import FirstBoot, Scenario, StartMethod
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric_settings import (
    STORE_HOSTS,
    FabricExtension,
    GatewayMode,
    GoalState,
    StoreMode,
)
from imagebake.lab.fabric.sample_extension import sample_package
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.plan import BakePlan
from tests.build.render.conftest import as_root, lock_of
from tests.lab.boot.conftest import NOW, a_machine
from tests.support.boot_root import boot_root
from tests.support.deliveries import a_cached_extension, a_delivering_spec, an_agent_with_its_own
from tests.support.small_roots import AGENTS, agent_root

pytestmark = [pytest.mark.root, pytest.mark.archive]

NEWER = AGENTS["trixie"]
HANDLER = sample_package()
HOSTS = ("imagebake1.blob.core.windows.net", "imagebake2.z01.blob.storage.azure.net")
HELLO = FabricExtension(publisher="Contoso.Demo", type="Hello", version="1.2.3", hosts=HOSTS)
GOALS = (GoalState(), GoalState(extensions=(HELLO,)))
_ENTER = """\
set -eu
cd "$1"
mount -t overlay overlay -o lowerdir="$2",upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs run run
mkdir -p run/imagebake/mirror
mount --bind "$3" run/imagebake/mirror
exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -eu -s
"""


def agent_zip(root: Path, folder: Path, version: str = NEWER) -> bytes:
    """The agent of *root* as an official zip would have it: a manifest, and an egg that runs."""
    egg = f"bin/WALinuxAgent-{version}-py3.egg"
    command = f"python -u {egg} -run-exthandlers"
    manifest = [{"name": "WALinuxAgent", "version": 1.0, "handlerManifest": {
        "enableCommand": command, "installCommand": "", "uninstallCommand": "",
        "updateCommand": "", "disableCommand": "", "rebootAfterInstall": False,
        "reportHeartbeat": False}}]  # fmt: skip
    library = root / "usr/lib/python3/dist-packages"
    with zipfile.ZipFile(folder / "egg", "w") as inner:
        inner.writestr("__main__.py", "from azurelinuxagent.agent import main\nmain()\n")
        for path in sorted((library / "azurelinuxagent").rglob("*.py")):
            inner.write(path, path.relative_to(library))
    with zipfile.ZipFile(folder / "agent.zip", "w") as outer:
        outer.writestr("HandlerManifest.json", json.dumps(manifest))
        outer.writestr("manifest.xml", "<ExtensionImage/>")
        outer.write(folder / "egg", egg)
    return (folder / "agent.zip").read_bytes()


@dataclasses.dataclass(frozen=True, slots=True)
class Bake:
    """Bakes the delivery of a plan over an image, as the engine would."""

    image: Path
    folder: Path
    mirror: Path

    def run(self, script: str) -> None:
        subprocess.run(
            ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", _ENTER,
             "enter", str(self.folder), str(self.image), str(self.mirror)],
            input=script, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip

    def delivered(self, plan: BakePlan, deprovision: str) -> Path:
        """The layer that comes of it."""
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        steps = {step.name: as_root(step) for step in plan.customizers}
        settings = steps["install-azure-linux-agent"]
        start = settings.index("set_line() {")
        lines = [line for line in settings.splitlines() if line.startswith("  set_line /")]
        self.run("\n".join((settings[start : settings.index("\n}\n", start) + 3], *lines)))
        for name in ("put-files", "keep-agent", "serve-extensions", "write-restage", "guard"):
            if name in steps:
                self.run(steps[name])
        self.run(deprovision)
        return self.folder / "upper"


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest) -> Path:
    cache = request.config.cache
    assert cache is not None
    return boot_root(cache.mkdir("boot-roots"))


@pytest.fixture(scope="module")
def baked(
    request: pytest.FixtureRequest,
    image: Path,
    templates: Templates,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, ...]:
    """The layers of an image with both deliveries, generalised by its own agent."""
    cache = request.config.cache
    assert cache is not None
    folder = tmp_path_factory.mktemp("baked")
    agent = agent_zip(agent_root("trixie", cache.mkdir("agent-roots")), folder)
    mirror = folder / "mirror"
    for content in (agent, HANDLER):
        digest = sha256_bytes(content)
        (mirror / "sha256" / digest[:2]).mkdir(parents=True, exist_ok=True)
        (mirror / "sha256" / digest[:2] / digest).write_bytes(content)
    spec = a_delivering_spec(
        pins=(an_agent_with_its_own(agent, version=NEWER),),
        extensions=(a_cached_extension(HANDLER),),
    )
    plan = plan_bake(spec, lock_of(spec), catalogue=CATALOGUE, templates=templates)
    layer = Bake(image, folder, mirror).delivered(plan, render_deprovisioning(CATALOGUE, templates))
    return layer, image


Lead = Callable[..., FirstBoot]


@pytest.fixture
def lead(baked: tuple[Path, ...]) -> Lead:
    def led(prepare: Callable[[Path], None] = lambda _: None, **scenario: object) -> FirstBoot:
        return run_scenario(
            Scenario(name="test", **scenario),  # type: ignore[arg-type]
            baked,
            machine=a_machine(),
            store=ExtensionStore({(HELLO.name, HELLO.version): HANDLER}),
            now=NOW,
            prepare=prepare,
        )

    return led


def seen(first: FirstBoot) -> tuple[str, str, bool]:
    """The agent's version, the extension's, and whether it is Ready."""
    assert first.agent is not None, first.console + first.log
    handler = first.agent.handler(HELLO.name)
    return (
        first.agent.version,
        handler.version if handler else "",
        bool(handler and handler.succeeded),
    )


def test_a_boot_with_every_host_dead_runs_both_as_pinned_and_asks_nobody(lead: Lead) -> None:
    first = lead(
        store=StoreMode.BLACK_HOLE, goals=GOALS, restart=True, reboot=True,
        services=("imagebake-cache.service", "walinuxagent.service"),
    )  # fmt: skip

    assert first.ready, (first.stages, first.journal, first.log, first.console)
    assert seen(first) == (NEWER, "1.2.3", True)
    assert first.ledger.clean, first.ledger.entries
    assert first.failed == ()
    assert all(service.enabled and service.active for service in first.services)


@pytest.mark.parametrize("store", [StoreMode.PUBLIC_ACCESS_DENIED, StoreMode.UP])
def test_the_pinned_versions_win_whatever_the_store_says(lead: Lead, store: StoreMode) -> None:
    first = lead(means=StartMethod.AGENT, store=store, goals=GOALS)

    assert seen(first) == (NEWER, "1.2.3", True)
    assert first.ledger.clean, first.ledger.entries


def test_a_zip_alone_does_not_survive(lead: Lead) -> None:
    def alone(root: Path) -> None:
        (root / "opt/imagebake/cache.py").unlink()
        conf = root / "etc/waagent.conf"
        lines = conf.read_text().splitlines(keepends=True)
        conf.write_text("".join(line for line in lines if not line.startswith("HttpProxy.")))
        assert (root / "var/lib/waagent/Contoso.Demo.Hello__1.2.3.zip").is_file()

    refused = dataclasses.replace(HELLO, hosts=STORE_HOSTS)
    first = lead(
        alone,
        means=StartMethod.AGENT,
        store=StoreMode.PUBLIC_ACCESS_DENIED,
        goals=(GoalState(), GoalState(extensions=(refused,))),
        patience=20.0,
    )

    assert seen(first)[::2] == (NEWER, False)
    asked = {entry.path for entry in first.ledger.entries if entry.path.startswith("/")}
    assert {path.rpartition("/")[2] for path in asked} == {"Contoso.Demo.Hello_manifest.xml"}


@pytest.mark.slow
def test_when_the_cache_is_dead_the_agent_goes_on_without_it(lead: Lead) -> None:
    def dead(root: Path) -> None:
        unit = root / "etc/systemd/system/imagebake-cache.service"
        unit.unlink()
        unit.symlink_to("/dev/null")

    first = lead(dead, store=StoreMode.UP, gateway=GatewayMode.HEALTHY, goals=GOALS, patience=60.0)

    assert seen(first) == (NEWER, "1.2.3.1", True), "by download, through the host"
    assert [stage.ready for stage in first.stages] == [True, True]
