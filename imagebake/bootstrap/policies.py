"""Preflight check of Azure Policy: assignments that deny what Image Builder creates."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import pages
from imagebake.azure.model.preflight_finding import PreflightFinding, SubscriptionRequirements
from imagebake.azure.resources.deployments import resource
from imagebake.kernel.errors import CloudError

_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_TAG = re.compile(r"tags(?:\[\s*'?([^'\]]+)'?\s*\]|\.(.+))", re.IGNORECASE)
_TAG_OF = re.compile(
    r"\[concat\('tags\[',\s*parameters\('([^']+)'\),\s*'\]'\)\]"
    r"|\[concat\('tags\[''',\s*parameters\('([^']+)'\),\s*'''\]'\)\]",
    re.IGNORECASE,
)
_ABSENT = object()


class UnknownValueError(Exception):
    """The value that a policy rule tests cannot be known before the build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySubject:
    """A resource that a build will create; *aliases* are values by policy alias."""

    type: str
    location: str
    what: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> Any:  # noqa: ANN401 - any property
        """Return the value of the field *name*; raises `UnknownValueError` if it is unknown."""
        low = name.lower()
        if low in ("type", "location"):
            return self.type if low == "type" else self.location
        if low == "tags":
            return dict(self.tags)
        if match := _TAG.fullmatch(name):
            wanted = (match[1] or match[2]).lower()
            return next((v for k, v in self.tags.items() if k.lower() == wanted), _ABSENT)
        known = {alias.lower(): value for alias, value in self.aliases.items()}
        if low in known:
            return known[low]
        if "/" in low and not low.startswith(f"{self.type.lower()}/"):
            return _ABSENT  # a property of another type
        raise UnknownValueError(name)


def policy_denies(
    rule: Mapping[str, Any], subject: PolicySubject, values: Mapping[str, Any]
) -> bool | None:
    """Whether *rule* denies *subject* with these parameter *values*; None if unknown."""
    effect = str(resolve_parameter((rule.get("then") or {}).get("effect") or "", values)).lower()
    if effect != "deny":
        return False
    return _holds(rule.get("if") or {}, subject, values)


def resolve_parameter(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return *value*, or the value of the parameter that it references."""
    if isinstance(value, str) and (match := _PARAMETER.fullmatch(value)):
        return values.get(match[1])
    return value


def _holds(condition: Any, subject: PolicySubject, values: Mapping[str, Any]) -> bool | None:  # noqa: ANN401
    """Evaluate *condition* in three-valued logic; None means unknown."""
    if not isinstance(condition, Mapping):
        return None
    if "allOf" in condition:
        return _all([_holds(part, subject, values) for part in condition["allOf"]])
    # By De Morgan, so that one function handles unknown values.
    if "anyOf" in condition:
        inner = _all([_not(_holds(part, subject, values)) for part in condition["anyOf"]])
        return _not(inner)
    if "not" in condition:
        return _not(_holds(condition["not"], subject, values))
    return _compare(condition, subject, values)


def _compare(
    condition: Mapping[str, Any], subject: PolicySubject, values: Mapping[str, Any]
) -> bool | None:
    name = condition.get("field")
    test = next((key for key in condition if key in _TESTS), None)
    if not isinstance(name, str) or test is None:
        return None
    if match := _TAG_OF.fullmatch(name):
        # Azure's built-in tag policies build the field name with concat().
        name = f"tags[{values.get(match[1] or match[2])}]"
    name = str(resolve_parameter(name, values))
    if name.startswith("["):
        return None
    wanted = resolve_parameter(condition[test], values)
    # Other template functions are not evaluated, so the result is unknown.
    if wanted is None or (isinstance(wanted, str) and wanted.startswith("[")):
        return None
    try:
        return _TESTS[test](subject.value(name), wanted)
    except UnknownValueError:
        return None


def _all(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _not(part: bool | None) -> bool | None:  # noqa: FBT001 - a third value is what it is about
    return None if part is None else not part


def _same(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not _ABSENT and _text(value) == _text(wanted)


def _among(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return any(_same(value, item) for item in wanted) if isinstance(wanted, list) else False


def _like(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not _ABSENT and fnmatch.fnmatchcase(_text(value), _text(wanted))


def _contains(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not _ABSENT and _text(wanted) in _text(value)


def _exists(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return (value is not _ABSENT and value is not None) == (_text(wanted) == "true")


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return str(value).lower().replace(" ", "")


def _inverse(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: not test(value, wanted)


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _same,
    "notEquals": _inverse(_same),
    "in": _among,
    "notIn": _inverse(_among),
    "like": _like,
    "notLike": _inverse(_like),
    "contains": _contains,
    "notContains": _inverse(_contains),
    "exists": _exists,
}


_API = "2023-04-01"
_STORAGE = "Microsoft.Storage/storageAccounts"
_VAULT = "Microsoft.KeyVault/vaults"


def staging_resources(needs: SubscriptionRequirements) -> tuple[PolicySubject, ...]:
    """Return the resources that Image Builder creates in a build's staging group."""
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
    # Image Builder sets these tags itself.
    tags = {"createdBy": "AzureVMImageBuilder", "imageTemplateName": "imagebake"}
    return tuple(
        PolicySubject(
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
"""Known properties of these resources, as seen in policy violations of real builds."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A policy of an assignment, with the values of its parameters."""

    assignment: str
    name: str
    rule: Mapping[str, Any]
    values: Mapping[str, Any]


def check_policies(clients: Clients, needs: SubscriptionRequirements) -> Iterator[PreflightFinding]:
    """Find assignments that deny, or may deny, a resource that a build creates."""
    here = f"/subscriptions/{clients.endpoint.subscription}"
    query = f"api-version={_API}&$filter=atScope()"
    path = f"{here}/providers/Microsoft.Authorization/policyAssignments?{query}"
    for assignment in pages(clients, "list the policies of the subscription", path):
        # DoNotEnforce assignments only audit.
        if str((assignment["properties"]).get("enforcementMode") or "Default") != "Default":
            continue
        try:
            for rule in _rules(clients, assignment):
                yield from _judge(rule, needs)
        except CloudError as error:
            yield PreflightFinding(
                check="policy",
                what=f"the policy of assignment {_title(assignment)!r} cannot be read",
                why=error.azure_message,
                command=f"az policy assignment show --name {assignment['name']}",
                sure=False,
            )


def _rules(clients: Clients, assignment: Mapping[str, Any]) -> Iterator[_Rule]:
    properties = assignment["properties"]
    given = {
        key: parameter.get("value")
        for key, parameter in (properties.get("parameters") or {}).items()
    }
    named = str(properties["policyDefinitionId"])
    found = resource(clients, named, _API)
    if found is None:
        return
    values = _defaults(found) | given
    # An initiative: each policy in it has parameters of its own.
    if "/policysetdefinitions/" not in named.lower():
        yield _Rule(_title(assignment), _title(found), found["properties"]["policyRule"], values)
        return
    for part in found["properties"].get("policyDefinitions") or ():
        inner = resource(clients, str(part["policyDefinitionId"]), _API)
        if inner is not None:
            passed = {
                key: resolve_parameter(parameter.get("value"), values)
                for key, parameter in (part.get("parameters") or {}).items()
            }
            rule = inner["properties"]["policyRule"]
            yield _Rule(_title(assignment), _title(inner), rule, _defaults(inner) | passed)


def _judge(rule: _Rule, needs: SubscriptionRequirements) -> Iterator[PreflightFinding]:
    """Report a policy at most once, for the first subject that it certainly denies."""
    subjects = staging_resources(needs)
    verdicts = [(subject, policy_denies(rule.rule, subject, rule.values)) for subject in subjects]
    for sure, wanted in ((True, True), (False, None)):
        denied = [subject for subject, verdict in verdicts if verdict is wanted]
        if denied:
            what = "denies" if sure else "may deny"
            yield PreflightFinding(
                check="policy",
                what=f"the policy {rule.name!r} (assignment {rule.assignment!r}) {what}"
                f" {denied[0].what}",
                why="Image Builder creates it for every build, and no template can change it",
                command=_way_out(rule),
                sure=sure,
            )
            return


def _way_out(rule: _Rule) -> str:
    if "tags" in str(rule.rule.get("if")).lower():
        return "set the tag for all builds: build.managed_tags in the specs"
    return (
        "az policy exemption create for the staging group, which build.staging_resource_group"
        " names; or ask the owner of the assignment"
    )


def _defaults(definition: Mapping[str, Any]) -> dict[str, Any]:
    declared = definition["properties"].get("parameters") or {}
    return {
        key: parameter["defaultValue"]
        for key, parameter in declared.items()
        if "defaultValue" in parameter
    }


def _title(resource_: Mapping[str, Any]) -> str:
    return str((resource_.get("properties") or {}).get("displayName") or resource_.get("name"))
