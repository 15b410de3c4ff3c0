"""The real thing: an agent that obeys an allow-list refuses what its image does not deliver.

No released Debian packages one, so the agent is that of a release to come, run as a goal-state
agent by Debian 12's daemon.
"""

from __future__ import annotations

import re
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
from imagebake.lab.fabric.fabric_settings import STORE_HOSTS, FabricExtension, GoalState, StoreMode
from imagebake.spec.catalogue.components import CATALOGUE
from tests.build.render.conftest import lock_of
from tests.build.render.test_delivery_first_boot import HANDLER, HELLO, Bake, agent_zip
from tests.lab.boot.conftest import NOW, a_machine
from tests.support.boot_root import boot_root
from tests.support.deliveries import a_cached_extension, a_delivering_spec, an_agent_with_its_own
from tests.support.small_roots import unpacked_agent

pytestmark = [pytest.mark.root, pytest.mark.archive, pytest.mark.slow]

OTHER = FabricExtension(publisher="Contoso.Demo", type="Other", version="1.2.3", hosts=STORE_HOSTS)
CONF, MANIFEST = "etc/waagent.conf", "Contoso.Demo.Other_manifest.xml"


@pytest.fixture(scope="module")
def baked(
    request: pytest.FixtureRequest, templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ...]:
    """The layers of an image whose guard lets one cached extension run."""
    cache = request.config.cache
    assert cache is not None
    folder = tmp_path_factory.mktemp("guarded")
    library = unpacked_agent("forky", cache.mkdir("agent-roots"))
    told = (library / "usr/lib/python3/dist-packages/azurelinuxagent/common/version.py").read_text()
    match = re.search(r"^AGENT_VERSION = '([\d.]+)'", told, re.MULTILINE)
    assert match
    agent = agent_zip(library, folder, match[1])
    mirror = folder / "mirror"
    for content in (agent, HANDLER):
        digest = sha256_bytes(content)
        (mirror / "sha256" / digest[:2]).mkdir(parents=True, exist_ok=True)
        (mirror / "sha256" / digest[:2] / digest).write_bytes(content)
    spec = a_delivering_spec(
        pins=(an_agent_with_its_own(agent, version=match[1]),),
        extensions=(a_cached_extension(HANDLER),),
        guard={"allow_list": True},
    )
    image = boot_root(cache.mkdir("boot-roots"))
    plan = plan_bake(spec, lock_of(spec), catalogue=CATALOGUE, templates=templates)
    layer = Bake(image, folder, mirror).delivered(plan, render_deprovisioning(CATALOGUE, templates))
    return layer, image


def boot(baked: tuple[Path, ...], prepare: Callable[[Path], None] = lambda _: None) -> FirstBoot:
    """A first boot that is asked for the cached extension, and for one that nobody listed."""
    return run_scenario(
        Scenario(
            name="test",
            means=StartMethod.AGENT,
            store=StoreMode.UP,
            goals=(GoalState(extensions=(HELLO, OTHER)),),
            patience=40.0,
        ),
        baked,
        machine=a_machine(),
        store=ExtensionStore({(one.name, one.version): HANDLER for one in (HELLO, OTHER)}),
        now=NOW,
        prepare=prepare,
    )


def asked(first: FirstBoot) -> set[str]:
    """The files that the store was asked for, directly or through the host."""
    paths = (entry.path for entry in first.ledger.entries if entry.path.startswith("/"))
    return {path.rpartition("/")[2] for path in paths}


def test_what_is_not_listed_is_refused_with_a_status_and_never_fetched(
    baked: tuple[Path, ...],
) -> None:
    first = boot(baked)

    assert first.agent is not None, first.console + first.log
    hello, other = first.agent.handler(HELLO.name), first.agent.handler(OTHER.name)
    assert hello is not None
    assert hello.succeeded, first.log
    assert other is not None
    assert other.failed
    assert "not specified as an allowed extension" in other.message
    assert "/etc/waagent_policy.json" in other.message
    assert asked(first) <= {MANIFEST}, "2.16 looks at it before its list, 2.15 does not"


def test_without_the_switch_the_same_extension_is_asked_for(baked: tuple[Path, ...]) -> None:
    def unguarded(root: Path) -> None:
        conf = root / CONF
        conf.write_text(
            conf.read_text().replace("EnableExtensionPolicy=y", "EnableExtensionPolicy=n")
        )

    first = boot(baked, unguarded)

    assert asked(first) == {MANIFEST, "Contoso.Demo.Other__1.2.3.1.zip"}
    assert first.agent is not None
    other = first.agent.handler(OTHER.name)
    assert other is not None
    assert other.succeeded


def test_an_unreadable_list_lets_nothing_run(baked: tuple[Path, ...]) -> None:
    def broken(root: Path) -> None:
        (root / "etc/waagent_policy.json").write_text("{")

    first = boot(baked, broken)

    assert first.agent is not None
    told = {one.name: one for one in first.agent.handlers}
    assert [one.failed for one in told.values()] == [True, True]
    assert told[HELLO.name].message.startswith("Extension will not be processed")
    assert asked(first) == set()
