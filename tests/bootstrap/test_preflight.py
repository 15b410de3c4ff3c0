"""What would break a build is found before the build: each finding appears when it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.blob.exposure import exposure
from imagebake.azure.model.preflight_finding import PreflightFinding, SubscriptionRequirements
from imagebake.bootstrap import capacity, permissions
from imagebake.bootstrap.policies import check_policies
from imagebake.bootstrap.preflight import CHECKS, Check, examine
from imagebake.bootstrap.rbac import BAKE
from imagebake.emulator.management.quota_profile import QuotaProfile
from imagebake.emulator.server import Emulator
from tests.support.bake_services import SUBSCRIPTION
from tests.support.bootstrapped_subscription import Site, a_foundation
from tests.support.builders import a_spec
from tests.support.machines import ObedientBuilder, a_cloud, a_machine

HERE = f"/subscriptions/{SUBSCRIPTION}"
NOT_OURS = "NotAvailableForSubscription"
AUTHORIZATION = f"{HERE}/providers/Microsoft.Authorization"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Emulator]]:
    folder, builder = tmp_path_factory.mktemp("examined"), ObedientBuilder()
    with a_cloud(folder, builder) as emulator, a_machine(emulator, builder, folder) as machine:
        site = Site(a_foundation(definitions=(a_spec().gallery,)), machine.cloud)
        site.apply()
        yield site, emulator


@pytest.fixture
def site(world: tuple[Site, Emulator]) -> Site:
    return world[0]


@pytest.fixture
def emulator(world: tuple[Site, Emulator]) -> Iterator[Emulator]:
    emulator = world[1]
    yield emulator
    emulator.quota_profile = QuotaProfile()


def needs(site: Site, **changes: Any) -> SubscriptionRequirements:  # noqa: ANN401 - any field
    it, scopes = site.it, dict[str, tuple[str, ...]]()
    for one in it.assignments:
        scope = one.role.grant.scope.value
        scopes[scope] = tuple(dict.fromkeys((*scopes.get(scope, ()), one.scope)))
    known = SubscriptionRequirements(
        location="westeurope",
        sizes={"westeurope": {"Standard_D2ds_v5": 2}},
        regions=("westeurope",),
        galleries=(("imagebake", "imagebake", "westeurope"),),
        identity=it.identity_id("service"),
        build_identity=it.identity_id("build"),
        account=it.id("Microsoft.Storage/storageAccounts", it.account),
        managed_tags={},
        own_network=True,
        scopes=scopes,
    )
    return replace(known, **changes)


def found(site: Site, *checks: Check, **changes: Any) -> list[PreflightFinding]:  # noqa: ANN401
    """What these *checks* complain of."""
    return [one for check in checks for one in check(site.cloud, needs(site, **changes))]


def sentences(complaints: list[PreflightFinding]) -> list[str]:
    return [f"{one.check}: {one.what}" for one in complaints]


def test_what_bootstrap_made_is_well(site: Site) -> None:
    told = examine(needs(site), clients=site.cloud)

    assert [one.name for one in told] == list(CHECKS)
    assert [one.complaints for one in told] == [()] * len(CHECKS)


def test_a_provider_that_is_not_registered_is_named_with_its_use(site: Site) -> None:
    provider = f"{HERE}/providers/Microsoft.ContainerInstance"
    site.cloud.send("take it away", "POST", f"{provider}/unregister?api-version=2021-04-01")

    told = examine(needs(site), clients=site.cloud)
    site.cloud.send("bring it back", "POST", f"{provider}/register?api-version=2021-04-01")

    assert [one.word for one in told[:4]] == ["1 wrong", "well", "not asked", "well"]
    assert str(told[0].complaints[0]) == (
        "error[provider]: the provider Microsoft.ContainerInstance is NotRegistered\n"
        "  = why: Image Builder runs every build from a container of its own\n"
        "  = next: az provider register --namespace Microsoft.ContainerInstance --wait"
    )


def test_cores_and_sizes_that_cannot_be_had_are_told(site: Site, emulator: Emulator) -> None:
    emulator.quota_profile = QuotaProfile(
        cores={"westeurope": {"standardDDSv5Family": (7, 10), "cores": (98, 100)}},
        containers={"westeurope": (98, 100)},
        restricted={"northeurope": ("Standard_D2ds_v5",)},
    )

    told = found(
        site,
        capacity.check_sizes,
        capacity.check_container_cores,
        sizes={
            "northeurope": {"Standard_D2ds_v5": 1},
            "westeurope": {"Standard_D2ds_v5": 2, "Standard_Z9": 1},
        },
    )

    assert sentences(told) == [
        f"size: the size Standard_D2ds_v5 is restricted ({NOT_OURS}) in northeurope",
        "size: the size Standard_Z9 is not offered in westeurope",
        "quota: westeurope has 3 of 10 vCPUs of standardDDSv5Family left, and 4 are needed",
        "quota: westeurope has 2 of 100 vCPUs of cores left, and 4 are needed",
        "quota: westeurope has 2 of 100 container cores left, and a build takes 4",
    ]


@pytest.mark.slow
def test_a_gallery_that_is_missing_or_nearly_full_is_told(site: Site, emulator: Emulator) -> None:
    below = f"{site.it.id('Microsoft.Compute/galleries', 'full', group='imagebake')}"
    emulator.load([{"id": below}, {"id": f"{below}/images/many"}])
    emulator.load({"id": f"{below}/images/many/versions/1.0.{n}"} for n in range(9_000))

    told = found(
        site,
        capacity.check_galleries,
        galleries=(("imagebake", "full", "westeurope"), ("x", "y", "westeurope")),
    )

    assert sentences(told) == [
        "quota: westeurope has 9,000 versions, of 10,000 that Azure allows",
        "gallery: there is no gallery y in x",
    ]
    assert [one.sure for one in told] == [False, True]


def test_whoever_may_not_bake_is_told_what_is_lacking(site: Site) -> None:
    with site.clients_of("production") as cloud:
        told = list(permissions.check_caller(cloud, needs(site)))
    with site.clients_of("bake") as cloud:
        mine = list(permissions.check_caller(cloud, needs(site)))

    lacking = [one.what for one in told if one.what.startswith("you may not")]
    assert lacking[0].startswith("you may not Microsoft.Resources/subscriptions/resourceGroups/")
    assert len(lacking) == len(BAKE.grants) - 1  # versions it may write
    assert mine == []


def test_an_identity_without_its_roles_or_that_is_gone_is_told(site: Site) -> None:
    other = found(site, permissions.check_build_identities, identity=site.it.identity_id("read"))
    lost = site.it.identity_id("read")
    reading = found(site, permissions.check_build_identities, build_identity=lost)
    gone = found(
        site, permissions.check_build_identities, identity=f"{site.it.identity_id('read')}-not"
    )
    none = found(site, permissions.check_build_identities, identity="")

    assert sentences(other)[0] == (
        "role: imagebake-read may not Microsoft.Compute/galleries/images/read and 2 more on"
        " Microsoft.Compute/galleries/imagebake"
    )
    assert sentences(reading)[-1].startswith("role: imagebake-read may not Microsoft.Storage/")
    assert sentences(gone) == ["identity: the identity imagebake-read-not does not exist"]
    assert sentences(none) == ["identity: no identity is configured"]


def test_a_mirror_that_somebody_opened_is_told(site: Site) -> None:
    account = site.it.id("Microsoft.Storage/storageAccounts", site.it.account)
    endpoint = site.it.id("Microsoft.Network/privateEndpoints", "imagebake-mirror")
    was, leading = site.read(account), site.read(endpoint)
    opened = {"publicNetworkAccess": "Enabled", "allowSharedKeyAccess": True}
    site.write(account, was | {"properties": was["properties"] | opened})
    links = {"subnet": leading["properties"]["subnet"]}
    site.write(endpoint, leading | {"properties": links})

    told = found(site, exposure)
    site.write(endpoint, leading)
    site.write(account, was)

    name, the = site.it.account, f"mirror: the mirror {site.it.account}"
    assert sentences(told) == [
        f"{the} can be reached from the internet: publicNetworkAccess is Enabled",
        f"{the} can be written with an account key: allowSharedKeyAccess is true",
        f"mirror: the private endpoint of the mirror {name} is missing",
    ]
    assert told[0].command.endswith("--public-network-access Disabled")
    assert found(site, exposure) == []


def test_what_cannot_be_read_is_told_and_hinders_nothing_else(
    site: Site, emulator: Emulator
) -> None:
    emulator.fail("GET", "*/policyAssignments", status=403, code="AuthorizationFailed")

    examined = examine(needs(site), clients=site.cloud)
    told = [complaint for one in examined for complaint in one.complaints]

    assert [(one.check, one.sure) for one in told] == [("unread", False)]
    assert told[0].what.startswith("cannot check policies that deny: cannot list the pol")


TYPE = {"field": "type", "equals": "Microsoft.Storage/storageAccounts"}
SHARED_KEY = {
    "allOf": [
        TYPE,
        {"field": "Microsoft.Storage/storageAccounts/allowSharedKeyAccess", "notEquals": "false"},
    ]
}
REQUIRED_TAG = {"field": "[concat('tags[', parameters('tagName'), ']')]", "exists": "false"}
REGIONS = {"not": {"field": "location", "in": "[parameters('allowed')]"}}
TYPES = {"field": "type", "in": ["Microsoft.ContainerInstance/containerGroups"]}
UNKNOWN = {
    "allOf": [TYPE, {"field": "Microsoft.Storage/storageAccounts/isHnsEnabled", "equals": True}]
}


def assign(
    site: Site,
    rule: dict[str, Any],
    *,
    effect: str = "deny",
    mode: str = "Default",
    **values: object,
) -> None:
    """Have one policy, and one assignment of it."""
    definition = f"{AUTHORIZATION}/policyDefinitions/one"
    properties = {
        "displayName": "One policy",
        "policyRule": {"if": rule, "then": {"effect": "[parameters('effect')]"}},
        "parameters": {"effect": {"defaultValue": effect}} | {name: {} for name in values},
    }
    site.write(definition, {"properties": properties}, "2023-04-01")
    given = {name: {"value": value} for name, value in values.items()}
    assignment = {"policyDefinitionId": definition, "parameters": given, "enforcementMode": mode}
    site.write(f"{AUTHORIZATION}/policyAssignments/a", {"properties": assignment}, "2023-04-01")


@pytest.mark.parametrize(
    ("rule", "values", "said_of"),
    [
        pytest.param(SHARED_KEY, {}, "denies the storage account for logs", id="shared key"),
        pytest.param(
            REQUIRED_TAG, {"tagName": "cost-center"}, "denies the storage account", id="tag"
        ),
        pytest.param(REQUIRED_TAG, {"tagName": "createdBy"}, "", id="tag that there is"),
        pytest.param(REGIONS, {"allowed": ["northeurope"]}, "denies", id="region"),
        pytest.param(REGIONS, {"allowed": ["West Europe"]}, "", id="allowed region"),
        pytest.param(TYPES, {}, "denies the container that the build is run from", id="type"),
        pytest.param(UNKNOWN, {}, "may deny the storage account", id="unknown"),
        pytest.param(SHARED_KEY, {"effect": "audit"}, "", id="audit"),
        pytest.param(SHARED_KEY, {"mode": "DoNotEnforce"}, "", id="not enforced"),
        pytest.param({"anyOf": [TYPES, UNKNOWN]}, {}, "denies the container", id="any of"),
        pytest.param(
            {"allOf": [UNKNOWN, {"not": TYPE}]}, {}, "", id="certain although a part is unknown"
        ),
    ],
)
def test_a_policy_that_denies_what_a_build_makes_is_told(
    site: Site, rule: dict[str, Any], values: dict[str, Any], said_of: str
) -> None:
    assign(site, rule, **values)

    told = found(site, check_policies)
    assign(site, rule, effect="disabled", **{k: v for k, v in values.items() if k == "tagName"})

    assert [f"the policy 'One policy' (assignment 'a') {said_of}" in one.what for one in told] == (
        [True] if said_of else []
    )
    assert all(one.sure is said_of.startswith("denies") for one in told)


def test_a_set_of_policies_is_looked_into(site: Site) -> None:
    assign(site, REQUIRED_TAG, tagName="x", effect="disabled")
    named = f"{AUTHORIZATION}/policySetDefinitions/set"
    parts = [
        {
            "policyDefinitionId": f"{AUTHORIZATION}/policyDefinitions/one",
            "parameters": {
                "tagName": {"value": "[parameters('tag')]"},
                "effect": {"value": "Deny"},
            },
        }
    ]
    body = {"policyDefinitions": parts, "parameters": {"tag": {"defaultValue": "team"}}}
    site.write(named, {"properties": body}, "2023-04-01")
    site.write(
        f"{AUTHORIZATION}/policyAssignments/b",
        {"properties": {"policyDefinitionId": named, "displayName": "All of ours"}},
        "2023-04-01",
    )

    told = found(site, check_policies)
    tagged = found(site, check_policies, managed_tags={"team": "platform"})

    only = "the policy 'One policy' (assignment 'All of ours') denies the storage account for logs"
    assert [one.what for one in told] == [f"{only} and scripts"]
    assert "build.managed_tags" in told[0].command
    assert tagged == []


def test_a_standing_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "standing.json").write_text('{"containers": {"westeurope": [1, 4]}}')

    assert list(QuotaProfile.read(tmp_path).containers["westeurope"]) == [1, 4]
