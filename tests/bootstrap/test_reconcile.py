"""A subscription is made ready once, told what differs, and left alone where nothing does."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from imagebake.azure.client.pipeline import deletable
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.gallery import TAG_PROTECTED
from imagebake.bootstrap.rbac import environments
from imagebake.bootstrap.reconcile import (
    ChangeKind,
    apply_bootstrap,
    plan_bootstrap,
    template_resources,
)
from imagebake.bootstrap.resources import BootstrapLayout, GalleryLocation
from imagebake.emulator.server import Emulator
from imagebake.emulator.store import snapshot
from imagebake.kernel.errors import CloudError, RolloutRefused
from imagebake.spec.model.image_spec import Generation
from tests.conftest import ROOT
from tests.support.bake_services import Tape
from tests.support.bootstrapped_subscription import Site, a_foundation
from tests.support.builders import a_spec
from tests.support.machines import Machine, ObedientBuilder, a_cloud, a_machine

SECOND = GalleryLocation(name="imagebake_second", group="imagebake-second", location="northeurope")
NSG = "Microsoft.Network/networkSecurityGroups"


THE = a_foundation(definitions=(a_spec().gallery,), second=SECOND)


@dataclass(frozen=True, slots=True)
class Ready(Site):
    """A site with the emulator that it is in."""

    emulator: Emulator


@pytest.fixture
def site(machine: Machine) -> Site:
    return Site(THE, machine.cloud)


def made_in(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the emulator remembers once everything is made."""
    folder = tmp_path_factory.mktemp("bootstrapped")
    builder = ObedientBuilder()
    with a_cloud(folder, builder) as emulator, a_machine(emulator, builder, folder) as machine:
        Site(THE, machine.cloud).apply()
    return folder


@pytest.fixture
def ready(bootstrapped: Path, tmp_path: Path, builder: ObedientBuilder) -> Iterator[Ready]:
    """A subscription in which everything is as it should be."""
    snapshot(bootstrapped / "arm.sqlite3", made_in(tmp_path / "ready") / "arm.sqlite3")
    with (
        a_cloud(tmp_path / "ready", builder) as emulator,
        a_machine(emulator, builder, tmp_path / "machine") as machine,
    ):
        yield Ready(THE, machine.cloud, emulator)


def changed(site: Site) -> dict[str, list[str]]:
    """What would be changed, and in which places."""
    return {
        one.wanted.id.rpartition("/")[2]: [each.where for each in one.differences]
        for one in site.plan().changes
        if one.what is not ChangeKind.KEEP
    }


def test_a_second_apply_has_nothing_to_do(site: Site, emulator: Emulator) -> None:
    first = site.plan()

    after = site.apply()
    write = emulator.fail("PUT", "*", times=99)
    again = site.apply()

    assert {one.what for one in first.changes} == {ChangeKind.CREATE}
    assert (
        {one.what for one in after.changes}
        == {one.what for one in again.changes}
        == {ChangeKind.KEEP}
    )
    assert write.hits == 0


@pytest.mark.slow
def test_a_fresh_subscription_gets_its_providers_first(site: Site) -> None:
    provider = f"{site.it.subscription_id}/providers/Microsoft.Network"
    site.cloud.send("take it away", "POST", f"{provider}/unregister?api-version=2021-04-01")

    plan = site.plan()
    site.apply()

    assert plan.due[0].wanted.title == "Microsoft.Network"
    assert changed(site) == {}


@pytest.mark.slow
def test_every_location_of_a_gallery_may_be_one_group(machine: Machine) -> None:
    both = Site(a_foundation(second=replace(SECOND, group="imagebake")), machine.cloud)

    assert {one.what for one in both.apply().changes} == {ChangeKind.KEEP}
    assert [one.name for one in both.deployments] == ["subscription", "group", "everywhere"]


@pytest.mark.slow
def test_a_bake_finds_the_definitions_that_it_would_have_made(ready: Ready) -> None:

    Gallery(ready.cloud, "imagebake").ensure_definition(a_spec().gallery)


def test_what_somebody_changed_is_named_and_mended_and_what_others_added_stays(
    ready: Ready,
) -> None:
    account = ready.it.id("Microsoft.Storage/storageAccounts", ready.it.account)
    told = ready.read(account)
    told["properties"] |= {"publicNetworkAccess": "Enabled", "allowSharedKeyAccess": True}
    ready.write(account, told | {"tags": {"cost-center": "[1]"}})

    assert changed(ready) == {
        ready.it.account: [
            f"tags.{TAG_PROTECTED}",
            "properties.publicNetworkAccess",
            "properties.allowSharedKeyAccess",
        ]
    }
    ready.apply()
    assert changed(ready) == {}
    assert ready.read(account)["tags"] == {TAG_PROTECTED: "yes", "cost-center": "[1]"}


@pytest.mark.slow
def test_a_subnet_of_others_stays_when_the_network_is_mended(ready: Ready) -> None:
    network = ready.it.id("Microsoft.Network/virtualNetworks", "imagebake-westeurope")
    told = ready.read(network)
    del told["properties"]["subnets"][0]["properties"]["networkSecurityGroup"]
    other = {"name": "theirs", "properties": {"addressPrefix": "10.9.0.128/25"}}
    told["properties"]["subnets"].append(other)
    ready.write(network, told)

    assert list(changed(ready)) == ["imagebake-westeurope"]
    ready.apply()
    subnets = ready.read(network)["properties"]["subnets"]
    assert [one["name"] for one in subnets] == ["machines", "theirs"]
    assert "networkSecurityGroup" in subnets[0]["properties"]


@pytest.mark.slow
def test_a_network_that_somebody_opened_is_for_people_to_close(ready: Ready) -> None:
    group = ready.it.id(NSG, "imagebake-build")
    told = ready.read(group)
    told["properties"]["securityRules"].append({"name": "allow-all", "properties": {"priority": 1}})
    ready.write(group, told)

    with pytest.raises(RolloutRefused, match=r"imagebake-build: .*allow-all exists, and is not"):
        ready.apply()
    assert len(ready.read(group)["properties"]["securityRules"]) == 4


@pytest.mark.slow
def test_a_role_that_somebody_else_has_is_for_people_to_take_away(ready: Ready) -> None:
    with contextlib.closing(sqlite3.connect(ready.emulator.folder / "arm.sqlite3")) as memory:
        memory.execute(
            "DELETE FROM resources WHERE key = ?", (ready.it.identity_id("read").lower(),)
        )
        memory.commit()

    assert [one.what for one in ready.plan().refused] == [ChangeKind.REFUSE] * 3
    with pytest.raises(RolloutRefused, match=r"it belongs to another identity: check again"):
        ready.apply()


def test_what_never_changes_is_refused_before_anything_is_written(ready: Ready) -> None:
    other = a_spec().gallery.model_copy(update={"generation": Generation.V1})
    strange = Site(replace(ready.it, definitions=(other,), regions=("eastus",)), ready.cloud)
    write = ready.emulator.fail("PUT", "*", times=99)

    with pytest.raises(RolloutRefused, match=r"hyperVGeneration: V2 → V1, which cannot be changed"):
        strange.apply()
    assert write.hits == 0


@pytest.mark.slow
def test_a_deployment_that_fails_says_why_and_goes_on_from_there(site: Site) -> None:
    taken = site.it.id("Microsoft.Storage/storageAccounts", site.it.account)
    elsewhere = taken.replace("/resourceGroups/imagebake/", "/resourceGroups/elsewhere/")
    site.write(elsewhere, {"location": "westeurope", "sku": {"name": "Standard_LRS"}})

    with pytest.raises(CloudError, match=r"StorageAccountAlreadyTaken: .* is already taken"):
        site.apply()
    before = len(site.plan().due)
    free = Site(
        replace(site.it, mirror_url="https://ours.blob.core.windows.net/mirror"), site.cloud
    )
    free.apply()

    assert before < len(site.deployments[1].template["resources"])
    assert changed(free) == {}


@pytest.mark.slow
def test_what_does_not_stay_as_it_was_made_is_told(site: Site) -> None:
    plan = site.plan()

    with pytest.raises(CloudError, match="these resources differ again from what was deployed"):
        apply_bootstrap(plan, lambda: plan, clients=site.cloud, progress=Tape())


def test_a_template_that_azure_would_refuse_changes_nothing(site: Site) -> None:
    deployment = site.deployments[0]
    broken = {
        **deployment.template,
        "resources": [{"type": "A.B/c", "apiVersion": "1", "name": "x"}],
    }
    plan = plan_bootstrap((replace(deployment, template=broken),), {"tags": {}}, clients=site.cloud)

    with pytest.raises(CloudError, match="InvalidTemplate"):
        apply_bootstrap(plan, lambda: plan, clients=site.cloud, progress=Tape())


def test_nothing_that_bakes_stand_on_can_be_deleted_by_us(ready: Ready) -> None:
    deletion = ready.emulator.fail("DELETE", "*", times=999)
    ids = [
        named
        for each in ready.deployments
        for named, _ in template_resources(each, ready.it.subscription)
    ]

    for named in ids:
        with pytest.raises(RolloutRefused, match="imagebake does not delete"):
            ready.cloud.send("delete it", "DELETE", f"{named}?api-version=2024-01-01")
    assert deletion.hits == 0
    tagged = [each for each in ready.plan().changes if "tags" in each.wanted.body]
    assert all(TAG_PROTECTED in one.wanted.body["tags"] for one in tagged)
    assert len(tagged) > 20
    assert deletable(f"{ready.it.group_id('IT_imagebake_demo_1')}")


def test_workflows_log_in_by_environment_and_by_no_other_name(ready: Ready) -> None:
    jobs = (
        job
        for path in (ROOT / "templates" / "workflows").glob("*.yml.j2")
        for job in re.split(r"\n  (?=[\w-]+:\n    name:)", path.read_text())
    )
    named = {
        found
        for job in jobs
        if "id-token: write" in job
        for found in re.findall(r"\n    environment:(?: (\w+)| *\n +name: (\w+))", job)
    }

    assert {one or other for one, other in named} == set(environments())
    for name in environments():
        told = ready.read(
            f"{ready.it.identity_id(name)}/federatedIdentityCredentials/github", "2023-01-31"
        )["properties"]
        assert told["subject"] == f"repo:example/images:environment:{name}"
        assert told["issuer"] == "https://token.actions.githubusercontent.com"
        assert told["audiences"] == ["api://AzureADTokenExchange"]


def test_names_are_always_the_same_and_differ_between_places() -> None:
    one, same = a_foundation(), a_foundation()
    other = a_foundation(first=GalleryLocation(name="x", group="others", location="westeurope"))

    def names(it: BootstrapLayout) -> set[str]:
        return {role.name for role in it.roles} | {each.name for each in it.assignments}

    assert names(one) == names(same)
    assert not names(one) & names(other)
    assert one.account != other.account
    assert len({role.title for role in (*one.roles, *other.roles)}) == 2 * len(one.roles)


def test_templates_have_no_value_that_is_not_spelled_out() -> None:
    it = a_foundation(definitions=(a_spec().gallery,))
    deployments = Site(it, None).deployments  # type: ignore[arg-type] # nothing is asked
    texts = [str(value) for each in deployments for value in _texts(each.template["resources"])]
    expressions = {text.partition("(")[0] for text in texts if text.startswith("[")}

    assert expressions == {"[parameters", "[reference"}


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [str(value)]
