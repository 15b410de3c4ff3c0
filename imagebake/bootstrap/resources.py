"""Resources that a subscription needs, and the ARM templates that create them.

Everything is derived from settings and specs, without requests: the same input always gives
the same names and ids.
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
    """Whether *text* names a GitHub repository: OWNER/NAME."""
    return _REPOSITORY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryLocation:
    """Name, resource group and region of a gallery."""

    name: str
    group: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRole:
    """A custom role for one grant of an identity."""

    id: str
    name: str
    title: str
    identity: ManagedIdentity
    grant: RoleGrant
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A role of an identity at a scope in the resource group *group*.

    *inside* is the scope below the group, as templates spell it; empty for the group itself.
    *group* is empty for the subscription.
    """

    name: str
    role: CustomRole
    scope: str
    group: str
    inside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapLayout:
    """Names, ids and roles of all bootstrap resources.

    *repository* is empty if it is unknown. *regions* are those with a network for heartbeat
    machines; empty if the settings name another subnet. *tags* go on every taggable resource.
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
        """The galleries: the first, and the second if there is one."""
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
        """Return the ARM id of a resource group."""
        return f"{self.subscription_id}/resourceGroups/{group}"

    def id(self, kind: str, *names: str, group: str = "") -> str:
        """Return the ARM id of a resource of *kind*, such as `Microsoft.Compute/galleries`."""
        namespace, *words = kind.split("/")
        pairs = "/".join(f"{word}/{name}" for word, name in zip(words, names, strict=True))
        return f"{self.group_id(group or self.first.group)}/providers/{namespace}/{pairs}"

    def identity_name(self, name: str) -> str:
        """Return the full name of the identity *name*."""
        return f"{PREFIX}-{name}"

    def identity_id(self, name: str) -> str:
        """Return the ARM id of the identity *name*."""
        kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
        return self.id(kind, self.identity_name(name))

    @property
    def account(self) -> str:
        """The mirror's storage account: from the settings, or a globally unique name."""
        if found := _MIRROR.fullmatch(self.mirror_url):
            return found[1]
        # Names of storage accounts are unique in all of Azure, so the subscription is part of it.
        seed = f"{self.subscription}/{self.first.group}".lower().encode()
        return f"{PREFIX}{hashlib.sha256(seed).hexdigest()[:12]}"

    @property
    def container(self) -> str:
        """The mirror's container."""
        found = _MIRROR.fullmatch(self.mirror_url)
        return found[2] if found else "mirror"

    @property
    def mirror(self) -> str:
        """The mirror's URL."""
        return f"https://{self.account}.blob.core.windows.net/{self.container}"

    @property
    def has_unsupported_mirror(self) -> bool:
        """Whether the settings name a mirror that bootstrap cannot create."""
        return bool(self.mirror_url) and not _MIRROR.fullmatch(self.mirror_url)

    def subnet_id(self, network: str, subnet: str) -> str:
        """Return the ARM id of a subnet."""
        return f"{self.id('Microsoft.Network/virtualNetworks', network)}/subnets/{subnet}"

    def machines_network(self, region: str) -> str:
        """Return the name of the network for heartbeat machines in *region*."""
        return f"{PREFIX}-{region}"

    @property
    def build_network(self) -> str:
        """The name of the network for builds."""
        return f"{PREFIX}-build"

    @property
    def roles(self) -> tuple[CustomRole, ...]:
        """A custom role per grant; names are unique in a tenant."""
        return tuple(
            self._role(identity, grant) for identity in IDENTITIES for grant in identity.grants
        )

    def _role(self, identity: ManagedIdentity, grant: RoleGrant) -> CustomRole:
        name = self.guid("role", identity.name, grant.scope.value)
        scopes = dict.fromkeys(self.group_id(group) for group, _, _ in self._scopes(grant.scope))
        # A custom role can be assigned only within its assignable scopes.
        everywhere = grant.scope is GrantScope.SUBSCRIPTION
        return CustomRole(
            id=f"{self.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{name}",
            name=name,
            title=f"{PREFIX} {identity.name}: {grant.scope.value} ({self.first.group}"
            f" {self.subscription[:8]})",
            identity=identity,
            grant=grant,
            scopes=(self.subscription_id,) if everywhere else tuple(scopes),
        )

    @property
    def assignments(self) -> tuple[RoleAssignment, ...]:
        """Every role at each of its scopes."""
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
        """Return group, scope inside it and full id for each place that *scope* stands for."""
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
        """Return a stable GUID for *words*, where Azure requires one as a name."""
        seed = "|".join((self.group_id(self.first.group), *words)).lower()
        return str(uuid.uuid5(_NAMESPACE, seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapDeployment:
    """A template and its target: the resource group *group*, or the subscription if it is empty."""

    name: str
    group: str
    location: str
    template: dict[str, Any]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the template's parameters."""
        return tuple(self.template.get("parameters") or ())


def render_bootstrap(
    layout: BootstrapLayout, templates: Templates
) -> tuple[BootstrapDeployment, ...]:
    """Render every template, in deployment order."""
    first, second = layout.first, layout.second
    # A deployment targets one resource group.
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
