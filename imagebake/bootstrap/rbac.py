"""Managed identities of imagebake, and the permissions that each one needs.

Actions are Azure's operation names. A test runs bakes, heartbeats, promotions and
retirement as these identities and checks that each action is used. *linked* actions belong
to no request of ours: Azure checks them on resources that a request refers to.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class GrantScope(enum.StrEnum):
    """Scope of a role assignment, as narrow as the work allows."""

    SUBSCRIPTION = "subscription"
    GROUP = "group"
    GALLERIES = "galleries"
    FIRST_GALLERY = "gallery"
    MACHINES = "machines"
    BUILD_NETWORK = "build-network"
    SERVICE = "service"
    BUILD = "build"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGrant:
    """Permissions at *scope*; *why* completes a sentence, and is the role's description."""

    scope: GrantScope
    why: str
    actions: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    @property
    def permitted(self) -> tuple[str, ...]:
        """All control-plane actions, sorted."""
        return tuple(sorted((*self.actions, *self.linked)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """An identity and its permissions; *environment* is set if workflows log in as it."""

    name: str
    work: str
    grants: tuple[RoleGrant, ...]
    environment: bool = True


_CONSUMERS = (
    "Microsoft.Authorization/locks/read",
    "Microsoft.Compute/virtualMachineScaleSets/read",
    "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades/read",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.VirtualMachineImages/imageTemplates/read",
)
"""Reads of everything that may use an image version, needed before one is retired."""
_READ_GALLERY = (
    "Microsoft.Compute/galleries/images/read",
    "Microsoft.Compute/galleries/images/versions/read",
    "Microsoft.Compute/galleries/read",
)
_EVENTS = "Microsoft.ResourceHealth/events/read"
_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_TEMPLATES = "Microsoft.VirtualMachineImages/imageTemplates"
_MACHINES = "Microsoft.Compute/virtualMachines"
_SETS = "Microsoft.Compute/virtualMachineScaleSets"
_TAGS = "Microsoft.Resources/tags"

SERVICE = ManagedIdentity(
    name="service",
    work="Image Builder runs as it and writes versions",
    environment=False,
    grants=(
        RoleGrant(
            scope=GrantScope.FIRST_GALLERY,
            why="distributes versions, and starts from them",
            linked=(*_READ_GALLERY, "Microsoft.Compute/galleries/images/versions/write"),
        ),
        RoleGrant(
            scope=GrantScope.BUILD_NETWORK,
            why="puts the build machine and its container into their subnets",
            linked=(
                "Microsoft.Network/virtualNetworks/read",
                "Microsoft.Network/virtualNetworks/subnets/join/action",
            ),
        ),
        RoleGrant(
            scope=GrantScope.BUILD,
            why="gives the build machine its identity",
            linked=(_ASSIGN, "Microsoft.ManagedIdentity/userAssignedIdentities/read"),
        ),
    ),
)
BUILD = ManagedIdentity(
    name="build",
    work="the build machine has it and reads the mirror",
    environment=False,
    grants=(
        RoleGrant(
            scope=GrantScope.MIRROR,
            why="installs from the mirror",
            data_actions=(f"{_BLOBS}/read",),
        ),
    ),
)
READ = ManagedIdentity(
    name="read",
    work="the workflows' due and gate jobs: reads only",
    grants=(
        RoleGrant(scope=GrantScope.SUBSCRIPTION, why="asks for incidents", actions=(_EVENTS,)),
        RoleGrant(
            scope=GrantScope.GALLERIES,
            why="lists versions",
            actions=("Microsoft.Compute/galleries/images/versions/read", f"{_TAGS}/read"),
        ),
    ),
)
BAKE = ManagedIdentity(
    name="bake",
    work="bakes: image templates, versions and their tags",
    grants=(
        RoleGrant(
            scope=GrantScope.GROUP,
            why="makes, runs and deletes image templates",
            actions=(
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                f"{_TEMPLATES}/cancel/action",
                f"{_TEMPLATES}/delete",
                f"{_TEMPLATES}/read",
                f"{_TEMPLATES}/run/action",
                f"{_TEMPLATES}/write",
            ),
        ),
        RoleGrant(
            scope=GrantScope.FIRST_GALLERY,
            why="waits for replicas, writes down what was proved, takes failed versions away",
            actions=(
                *_READ_GALLERY,
                "Microsoft.Compute/galleries/images/versions/delete",
                "Microsoft.Compute/galleries/images/versions/write",
            ),
        ),
        RoleGrant(scope=GrantScope.SERVICE, why="lets templates run as it", linked=(_ASSIGN,)),
        RoleGrant(
            scope=GrantScope.SUBSCRIPTION,
            why="sees whether what a build needs is registered",
            actions=("Microsoft.Resources/subscriptions/providers/read",),
        ),
        RoleGrant(
            scope=GrantScope.MIRROR,
            why="brings artifacts and records into the mirror",
            data_actions=(f"{_BLOBS}/add/action", f"{_BLOBS}/read", f"{_BLOBS}/write"),
        ),
    ),
)
HEARTBEAT = ManagedIdentity(
    name="heartbeat",
    work="heartbeats: creates throw-away machines and deletes them",
    grants=(
        RoleGrant(scope=GrantScope.SUBSCRIPTION, why="reads the whole fleet", actions=_CONSUMERS),
        RoleGrant(
            scope=GrantScope.GROUP,
            why="makes machines, asks how they are, deletes them with all they had",
            actions=(
                f"{_MACHINES}/delete",
                f"{_MACHINES}/extensions/write",
                f"{_MACHINES}/instanceView/read",
                f"{_MACHINES}/retrieveBootDiagnosticsData/action",
                f"{_MACHINES}/write",
            ),
            linked=(
                "Microsoft.Compute/disks/delete",
                "Microsoft.Compute/disks/read",
                "Microsoft.Compute/disks/write",
                f"{_MACHINES}/extensions/read",
                "Microsoft.Network/networkInterfaces/delete",
                "Microsoft.Network/networkInterfaces/join/action",
                "Microsoft.Network/networkInterfaces/read",
                "Microsoft.Network/networkInterfaces/write",
            ),
        ),
        RoleGrant(
            scope=GrantScope.GALLERIES,
            why="makes machines from versions, and writes incidents on definitions",
            actions=(*_READ_GALLERY, f"{_TAGS}/read", f"{_TAGS}/write"),
        ),
        RoleGrant(
            scope=GrantScope.MACHINES,
            why="puts machines into the subnets that deny the internet",
            linked=("Microsoft.Network/virtualNetworks/subnets/join/action",),
        ),
    ),
)
PRODUCTION = ManagedIdentity(
    name="production",
    work="rollouts: promotes, rolls back and retires versions",
    grants=(
        RoleGrant(
            scope=GrantScope.SUBSCRIPTION,
            why="reads the whole fleet, asks for incidents, and moves scale sets",
            actions=(
                *(action for action in _CONSUMERS if "/rollingUpgrades/" not in action),
                _EVENTS,
                f"{_SETS}/osRollingUpgrade/action",
                f"{_SETS}/rollingUpgrades/*",
                f"{_SETS}/write",
            ),
        ),
        RoleGrant(
            scope=GrantScope.GALLERIES,
            why="publishes, hides, dates and deletes versions",
            actions=(
                *_READ_GALLERY,
                "Microsoft.Compute/galleries/images/versions/delete",
                "Microsoft.Compute/galleries/images/versions/write",
                f"{_TAGS}/read",
                f"{_TAGS}/write",
            ),
        ),
    ),
)
IDENTITIES = (SERVICE, BUILD, READ, BAKE, HEARTBEAT, PRODUCTION)


def environments() -> tuple[str, ...]:
    """Return the workflow environments that log in to Azure."""
    return tuple(identity.name for identity in IDENTITIES if identity.environment)
