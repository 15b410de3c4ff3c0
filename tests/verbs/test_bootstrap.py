"""A subscription is made ready once, told what differs, and left alone where nothing does."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from imagebake.bootstrap import What, apply_bootstrap, plan_bootstrap, wanted_of
from imagebake.cloud.galleries import Gallery
from imagebake.cloud.guard import deletable
from imagebake.emulator.server import Emulator
from imagebake.errors import CloudError, RolloutRefused
from imagebake.model.duties import environments
from imagebake.model.foundation import Foundation, GalleryPlace
from imagebake.model.gallery import TAG_PROTECTED
from imagebake.model.spec import Generation
from tests.conftest import ROOT
from tests.support.builders import a_spec
from tests.support.cloud import Tape
from tests.support.foundations import Site, a_foundation
from tests.support.machines import Machine

SECOND = GalleryPlace(name="imagebake_second", group="imagebake-second", location="northeurope")
NSG = "Microsoft.Network/networkSecurityGroups"


@pytest.fixture
def site(machine: Machine) -> Site:
    it = a_foundation(definitions=(a_spec().gallery,), second=SECOND)
    return Site(it, machine.cloud)


def changed(site: Site) -> dict[str, list[str]]:
    """What would be changed, and in which places."""
    return {
        one.wanted.id.rpartition("/")[2]: [each.where for each in one.differences]
        for one in site.plan().changes
        if one.what is not What.KEEP
    }


def test_a_second_apply_has_nothing_to_do(site: Site, emulator: Emulator) -> None:
    first = site.plan()

    after = site.apply()
    write = emulator.fail("PUT", "*", times=99)
    again = site.apply()

    assert {one.what for one in first.changes} == {What.CREATE}
    assert {one.what for one in after.changes} == {one.what for one in again.changes} == {What.KEEP}
    assert write.hits == 0


def test_every_location_of_a_gallery_may_be_one_group(machine: Machine) -> None:
    both = Site(a_foundation(second=replace(SECOND, group="imagebake")), machine.cloud)

    assert {one.what for one in both.apply().changes} == {What.KEEP}
    assert [one.name for one in both.deployments] == ["subscription", "group", "everywhere"]


def test_a_bake_finds_the_definitions_that_it_would_have_made(site: Site) -> None:
    site.apply()

    Gallery(site.cloud, "imagebake").ensure_definition(a_spec().gallery)


def test_what_somebody_changed_is_named_and_mended_and_what_others_added_stays(site: Site) -> None:
    site.apply()
    account = site.it.id("Microsoft.Storage/storageAccounts", site.it.account)
    told = site.read(account)
    told["properties"] |= {"publicNetworkAccess": "Enabled", "allowSharedKeyAccess": True}
    site.write(account, told | {"tags": {"cost-center": "[1]"}})

    assert changed(site) == {
        site.it.account: [
            f"tags.{TAG_PROTECTED}",
            "properties.publicNetworkAccess",
            "properties.allowSharedKeyAccess",
        ]
    }
    site.apply()
    assert changed(site) == {}
    assert site.read(account)["tags"] == {TAG_PROTECTED: "yes", "cost-center": "[1]"}


def test_a_subnet_of_others_stays_when_the_network_is_mended(site: Site) -> None:
    site.apply()
    network = site.it.id("Microsoft.Network/virtualNetworks", "imagebake-westeurope")
    told = site.read(network)
    del told["properties"]["subnets"][0]["properties"]["networkSecurityGroup"]
    other = {"name": "theirs", "properties": {"addressPrefix": "10.9.0.128/25"}}
    told["properties"]["subnets"].append(other)
    site.write(network, told)

    assert list(changed(site)) == ["imagebake-westeurope"]
    site.apply()
    subnets = site.read(network)["properties"]["subnets"]
    assert [one["name"] for one in subnets] == ["machines", "theirs"]
    assert "networkSecurityGroup" in subnets[0]["properties"]


def test_a_network_that_somebody_opened_is_for_people_to_close(site: Site) -> None:
    site.apply()
    group = site.it.id(NSG, "imagebake-build")
    told = site.read(group)
    told["properties"]["securityRules"].append({"name": "allow-all", "properties": {"priority": 1}})
    site.write(group, told)

    with pytest.raises(RolloutRefused, match=r"imagebake-build: .*allow-all is there, and is not"):
        site.apply()
    assert len(site.read(group)["properties"]["securityRules"]) == 4


def test_what_never_changes_is_refused_before_anything_is_written(
    site: Site, emulator: Emulator
) -> None:
    site.apply()
    other = a_spec().gallery.model_copy(update={"generation": Generation.V1})
    strange = Site(replace(site.it, definitions=(other,), regions=("eastus",)), site.cloud)
    write = emulator.fail("PUT", "*", times=99)

    with pytest.raises(RolloutRefused, match=r"hyperVGeneration: V2 → V1, which never changes"):
        strange.apply()
    assert write.hits == 0


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


def test_what_does_not_stay_as_it_was_made_is_told(site: Site) -> None:
    plan = site.plan()

    with pytest.raises(CloudError, match="not everything is as it was made"):
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


def test_nothing_that_bakes_stand_on_can_be_deleted_by_us(site: Site, emulator: Emulator) -> None:
    site.apply()
    deletion = emulator.fail("DELETE", "*", times=999)
    ids = [named for each in site.deployments for named, _ in wanted_of(each, site.it.subscription)]

    for named in ids:
        with pytest.raises(RolloutRefused, match="imagebake does not delete"):
            site.cloud.send("delete it", "DELETE", f"{named}?api-version=2024-01-01")
    assert deletion.hits == 0
    tagged = [each for each in site.plan().changes if "tags" in each.wanted.body]
    assert all(TAG_PROTECTED in one.wanted.body["tags"] for one in tagged)
    assert len(tagged) > 20
    assert deletable(f"{site.it.group_id('IT_imagebake_demo_1')}")


def test_workflows_log_in_by_environment_and_by_no_other_name(site: Site) -> None:
    site.apply()
    workflows = (path.read_text() for path in (ROOT / "templates" / "workflows").glob("*.j2"))
    named = {
        found
        for text in workflows
        if "id-token: write" in text
        for found in re.findall(r"environment:(?: (\w+)| *\n +name: (\w+))", text)
    }

    assert {one or other for one, other in named} == set(environments())
    for name in environments():
        told = site.read(
            f"{site.it.identity_id(name)}/federatedIdentityCredentials/github", "2023-01-31"
        )["properties"]
        assert told["subject"] == f"repo:example/images:environment:{name}"
        assert told["issuer"] == "https://token.actions.githubusercontent.com"
        assert told["audiences"] == ["api://AzureADTokenExchange"]


def test_names_are_always_the_same_and_differ_between_places() -> None:
    one, same = a_foundation(), a_foundation()
    other = a_foundation(first=GalleryPlace(name="x", group="others", location="westeurope"))

    def names(it: Foundation) -> set[str]:
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
