"""What a subscription needs before anything is baked in it: names, places and who may what.

All is decided here from the settings and specs, so that the same ones always mean the same
resources; nothing is looked up.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.bootstrap.rbac import IDENTITIES, GrantScope, ManagedIdentity, RoleGrant
from imagebake.kernel.templating import Templates
from imagebake.spec.model.image_spec import GalleryDefinition

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
PREFIX = "imagebake"
_NAMESPACE = uuid.UUID("6f1d5f3e-6c0e-5f0b-9b57-3f8d1f0a7c55")
_MIRROR = re.compile(r"https://([a-z0-9]{3,24})\.blob\.core\.windows\.net/([a-z0-9-]{3,63})/?")
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")


def is_repository(text: str) -> bool:
    """Whether *text* names a repository of GitHub's: OWNER/NAME."""
    return _REPOSITORY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryLocation:
    """A gallery, by its name, group and region."""

    name: str
    group: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRole:
    """A custom role for one grant of one duty."""

    id: str
    name: str
    title: str
    identity: ManagedIdentity
    grant: RoleGrant
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A role given to a duty's identity at a scope, within the resource group *group*.

    *inside* is the scope below the group, as templates spell it; empty for the group itself,
    and *group* is empty for the subscription.
    """

    name: str
    role: CustomRole
    scope: str
    group: str
    inside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapLayout:
    """Everything, from the settings and specs; *repository* is empty where nobody knows it.

    *regions* are those that machines of heartbeats are made in; none where they have a network
    of their own. *tags* go on whatever can have any.
    """

    subscription: str
    first: GalleryLocation
    second: GalleryLocation | None
    definitions: tuple[GalleryDefinition, ...]
    regions: tuple[str, ...]
    repository: str
    mirror_url: str
    tags: Mapping[str, str]

    @property
    def galleries(self) -> tuple[GalleryLocation, ...]:
        """The galleries: the first, and the second where there is one."""
        return (self.first, self.second) if self.second else (self.first,)

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """The resource groups with their regions, each once."""
        return tuple(
            {
                gallery.group.lower(): (gallery.group, gallery.location)
                for gallery in self.galleries
            }.values()
        )

    @property
    def subscription_id(self) -> str:
        """The ARM id of the subscription."""
        return f"/subscriptions/{self.subscription}"

    def group_id(self, group: str) -> str:
        """The ARM id of a resource group."""
        return f"{self.subscription_id}/resourceGroups/{group}"

    def id(self, kind: str, *names: str, group: str = "") -> str:
        """The ARM id of a resource of *kind*, such as `Microsoft.Compute/galleries`."""
        namespace, *words = kind.split("/")
        pairs = "/".join(f"{word}/{name}" for word, name in zip(words, names, strict=True))
        return f"{self.group_id(group or self.first.group)}/providers/{namespace}/{pairs}"

    def identity_name(self, duty: str) -> str:
        """The name of a duty's identity."""
        return f"{PREFIX}-{duty}"

    def identity_id(self, duty: str) -> str:
        """The ARM id of a duty's identity."""
        kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
        return self.id(kind, self.identity_name(duty))

    @property
    def account(self) -> str:
        """The storage account of the mirror: as the settings say, or one that nobody else has."""
        if found := _MIRROR.fullmatch(self.mirror_url):
            return found[1]
        seed = f"{self.subscription}/{self.first.group}".lower().encode()
        return f"{PREFIX}{hashlib.sha256(seed).hexdigest()[:12]}"

    @property
    def container(self) -> str:
        """The container of the mirror."""
        found = _MIRROR.fullmatch(self.mirror_url)
        return found[2] if found else "mirror"

    @property
    def mirror(self) -> str:
        """The address of the mirror."""
        return f"https://{self.account}.blob.core.windows.net/{self.container}"

    @property
    def has_unsupported_mirror(self) -> bool:
        """Whether the settings name a mirror that cannot be made here."""
        return bool(self.mirror_url) and not _MIRROR.fullmatch(self.mirror_url)

    def subnet_id(self, network: str, subnet: str) -> str:
        """The ARM id of a subnet."""
        return f"{self.id('Microsoft.Network/virtualNetworks', network)}/subnets/{subnet}"

    def machines_network(self, region: str) -> str:
        """The name of the network for machines of heartbeats in *region*."""
        return f"{PREFIX}-{region}"

    @property
    def build_network(self) -> str:
        """The name of the network that builds are in."""
        return f"{PREFIX}-build"

    @property
    def roles(self) -> tuple[CustomRole, ...]:
        """A custom role for each grant; their names are unique in a tenant."""
        return tuple(self._role(duty, grant) for duty in IDENTITIES for grant in duty.grants)

    def _role(self, duty: ManagedIdentity, grant: RoleGrant) -> CustomRole:
        name = self.guid("role", duty.name, grant.scope.value)
        scopes = dict.fromkeys(self.group_id(group) for group, _, _ in self._scopes(grant.scope))
        everywhere = grant.scope is GrantScope.SUBSCRIPTION
        return CustomRole(
            id=f"{self.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{name}",
            name=name,
            title=f"{PREFIX} {duty.name}: {grant.scope.value} ({self.first.group}"
            f" {self.subscription[:8]})",
            identity=duty,
            grant=grant,
            scopes=(self.subscription_id,) if everywhere else tuple(scopes),
        )

    @property
    def assignments(self) -> tuple[RoleAssignment, ...]:
        """Every role with each place that it is given at."""
        return tuple(
            RoleAssignment(
                name=self.guid("assignment", role.name, scope),
                role=role,
                scope=scope,
                group=group,
                inside=inside,
            )
            for role in self.roles
            for group, inside, scope in self._scopes(role.grant.scope)
        )

    def _scopes(self, scope: GrantScope) -> tuple[tuple[str, str, str], ...]:
        """The group, what is inside of it, and the whole id, of each place that *scope* means."""
        if scope is GrantScope.SUBSCRIPTION:
            return (("", "", self.subscription_id),)
        group = self.first.group
        if scope is GrantScope.GROUP:
            return ((group, "", self.group_id(group)),)
        return tuple(
            (of, inside, f"{self.group_id(of)}/providers/{inside}")
            for of, inside in self._inside(scope)
        )

    def _inside(self, scope: GrantScope) -> Iterable[tuple[str, str]]:
        group = self.first.group
        identities = "Microsoft.ManagedIdentity/userAssignedIdentities"
        networks = "Microsoft.Network/virtualNetworks"
        blob = f"Microsoft.Storage/storageAccounts/{self.account}/blobServices/default/containers"
        places: Mapping[GrantScope, Iterable[tuple[str, str]]] = {
            GrantScope.GALLERIES: [
                (gallery.group, f"Microsoft.Compute/galleries/{gallery.name}")
                for gallery in self.galleries
            ],
            GrantScope.FIRST_GALLERY: [(group, f"Microsoft.Compute/galleries/{self.first.name}")],
            GrantScope.MACHINES: [
                (group, f"{networks}/{self.machines_network(region)}") for region in self.regions
            ],
            GrantScope.BUILD_NETWORK: [(group, f"{networks}/{self.build_network}")],
            GrantScope.SERVICE: [(group, f"{identities}/{self.identity_name('service')}")],
            GrantScope.BUILD: [(group, f"{identities}/{self.identity_name('build')}")],
            GrantScope.MIRROR: [(group, f"{blob}/{self.container}")],
        }
        return places[scope]

    def guid(self, *words: str) -> str:
        """A name that Azure wants to be a GUID: always the same for the same words here."""
        seed = "|".join((self.group_id(self.first.group), *words)).lower()
        return str(uuid.uuid5(_NAMESPACE, seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapDeployment:
    """A template, and where it is deployed: to *group*, or with none to the subscription."""

    name: str
    group: str
    location: str
    template: dict[str, Any]

    @property
    def parameters(self) -> tuple[str, ...]:
        """What the template wants to be told."""
        return tuple(self.template.get("parameters") or ())


def render_bootstrap(
    layout: BootstrapLayout, templates: Templates
) -> tuple[BootstrapDeployment, ...]:
    """Render every template, in the order in which they are deployed."""
    first, second = layout.first, layout.second
    apart = second is not None and second.group.lower() != first.group.lower()
    made = [
        _deployment(layout, templates, "subscription", group=""),
        _deployment(layout, templates, "group", group=first.group),
    ]
    if apart:
        made.append(_deployment(layout, templates, "second", group=layout.galleries[1].group))
    made.append(_deployment(layout, templates, "everywhere", group=""))
    return tuple(made)


def _deployment(
    layout: BootstrapLayout, templates: Templates, name: str, *, group: str
) -> BootstrapDeployment:
    mine = [
        assignment for assignment in layout.assignments if assignment.group.lower() == group.lower()
    ]
    template = templates.json(
        f"bootstrap/{name}.json.j2",
        layout=layout,
        identities=IDENTITIES,
        issuer=ISSUER,
        audience=AUDIENCE,
        assignments=mine,
    )
    places = {known.lower(): location for known, location in layout.groups}
    return BootstrapDeployment(
        name=name,
        group=group,
        location=places.get(group.lower(), layout.first.location),
        template=template,
    )
