"""What each identity may do, and where: nothing that its work does not ask Azure for.

The actions are Azure's names for the requests that are sent; a test bakes, beats, promotes and
retires as these identities, and counts. What is *linked* no request of ours is: Azure asks for
it about what a request names, or does it in the name of whoever asked.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class GrantScope(enum.StrEnum):
    """Where a role is given: as far down as the work allows."""

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
    """What somebody may do at *scope*, and *why* in words that end a sentence."""

    scope: GrantScope
    why: str
    actions: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    @property
    def permitted(self) -> tuple[str, ...]:
        """Every action, sorted."""
        return tuple(sorted((*self.actions, *self.linked)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """One identity and its work; *environment* is whether workflows log in as it."""

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
"""Whoever may use an image: nothing may be retired that somebody needs."""
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
    work="Image Builder runs as it, and writes versions",
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
    work="the build machine has it, and reads the mirror",
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
    work="due and gate in workflows: looks, and changes nothing",
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
    work="bakes: image templates, and the tags of what came of them",
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
    work="makes throw-away machines, and takes them away",
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
    work="promotes, rolls back and retires",
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
    """The environments of workflows that speak to Azure."""
    return tuple(duty.name for duty in IDENTITIES if duty.environment)
