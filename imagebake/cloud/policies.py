"""Azure Policies that would deny what Image Builder makes for a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.clients import Clients
from imagebake.azure.deployments import resource
from imagebake.azure.model.preflight_finding import Complaint, Needs
from imagebake.azure.requests import pages
from imagebake.kernel.errors import CloudError
from imagebake.model.policy_rule import Subject, denies, filled

_API = "2023-04-01"
_STORAGE = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"


def staging(needs: Needs) -> tuple[Subject, ...]:
    """What Image Builder makes in the staging group of a build, and what it is made for."""
    made = {
        _STORAGE: "the storage account for logs and scripts",
        _VAULT: "the vault for the keys of the build",
        "Microsoft.Resources/subscriptions/resourceGroups": "the staging group",
        "Microsoft.Compute/virtualMachines": "the build machine",
        "Microsoft.Compute/disks": "the disk of the build machine",
        "Microsoft.Network/networkInterfaces": "the network interface of the build machine",
        "Microsoft.ContainerInstance/containerGroups": "the container that the build is run from",
    }
    if not needs.own_network:
        made |= {
            "Microsoft.Network/virtualNetworks": "the network of the build",
            "Microsoft.Network/networkSecurityGroups": "the rules of that network",
        }
    tags = {"createdBy": "AzureVMImageBuilder", "imageTemplateName": "imagebake"}
    return tuple(
        Subject(
            type=kind,
            location=needs.location,
            what=what,
            tags=tags | dict(needs.managed_tags),
            aliases={f"{kind}/{name}": value for name, value in _OPEN.get(kind, {}).items()},
        )
        for kind, what in made.items()
    )


_OPEN: Mapping[str, Mapping[str, Any]] = {
    _STORAGE: {
        "allowSharedKeyAccess": True,
        "publicNetworkAccess": "Enabled",
        "networkAcls.defaultAction": "Allow",
        "allowBlobPublicAccess": False,
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
    },
    _VAULT: {"publicNetworkAccess": "Enabled", "networkAcls.defaultAction": "Allow"},
}
"""What is known of them from those whose policies refused it."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One policy of an assignment, with the values of its parameters."""

    assignment: str
    name: str
    rule: Mapping[str, Any]
    values: Mapping[str, Any]


def policies(clients: Clients, needs: Needs) -> Iterator[Complaint]:
    """Every assignment that denies, or may deny, something that a build makes."""
    here = f"/subscriptions/{clients.endpoint.subscription}"
    query = f"api-version={_API}&$filter=atScope()"
    path = f"{here}/providers/Microsoft.Authorization/policyAssignments?{query}"
    for assignment in pages(clients, "list the policies of the subscription", path):
        if str((assignment["properties"]).get("enforcementMode") or "Default") != "Default":
            continue
        try:
            for rule in _rules(clients, assignment):
                yield from _judge(rule, needs)
        except CloudError as error:
            yield Complaint(
                check="policy",
                what=f"the policy of assignment {_title(assignment)!r} cannot be read",
                why=error.said,
                command=f"az policy assignment show --name {assignment['name']}",
                sure=False,
            )


def _rules(clients: Clients, assignment: Mapping[str, Any]) -> Iterator[_Rule]:
    told = assignment["properties"]
    given = {key: one.get("value") for key, one in (told.get("parameters") or {}).items()}
    named = str(told["policyDefinitionId"])
    found = resource(clients, named, _API)
    if found is None:
        return
    values = _defaults(found) | given
    if "/policysetdefinitions/" not in named.lower():
        yield _Rule(_title(assignment), _title(found), found["properties"]["policyRule"], values)
        return
    for part in found["properties"].get("policyDefinitions") or ():
        inner = resource(clients, str(part["policyDefinitionId"]), _API)
        if inner is not None:
            passed = {
                key: filled(one.get("value"), values)
                for key, one in (part.get("parameters") or {}).items()
            }
            rule = inner["properties"]["policyRule"]
            yield _Rule(_title(assignment), _title(inner), rule, _defaults(inner) | passed)


def _judge(rule: _Rule, needs: Needs) -> Iterator[Complaint]:
    """One complaint for a policy, about the first thing that it denies for certain."""
    told = [(denies(rule.rule, one, rule.values), one) for one in staging(needs)]
    for sure, verdict in ((True, True), (False, None)):
        struck = [one for said, one in told if said is verdict]
        if struck:
            what = "denies" if sure else "may deny"
            yield Complaint(
                check="policy",
                what=f"the policy {rule.name!r} (assignment {rule.assignment!r}) {what}"
                f" {struck[0].what}",
                why="Image Builder makes it for every build, as Azure decides and not the template",
                command=_way_out(rule),
                sure=sure,
            )
            return


def _way_out(rule: _Rule) -> str:
    if "tags" in str(rule.rule.get("if")).lower():
        return "set the tag for all builds: build.managed_tags in the specs"
    return (
        "az policy exemption create for the staging group, which build.staging_resource_group"
        " names; or ask whoever owns the assignment"
    )


def _defaults(definition: Mapping[str, Any]) -> dict[str, Any]:
    declared = definition["properties"].get("parameters") or {}
    return {key: one["defaultValue"] for key, one in declared.items() if "defaultValue" in one}


def _title(resource_: Mapping[str, Any]) -> str:
    return str((resource_.get("properties") or {}).get("displayName") or resource_.get("name"))
