"""What each identity may do, and where: nothing that its work does not ask Azure for.

The actions are Azure's names for the requests that are sent; a test bakes, beats, promotes and
retires as these identities, and counts. What is *linked* no request of ours is: Azure asks for
it about what a request names, or does it in the name of whoever asked.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass


class Scope(enum.StrEnum):
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
class Grant:
    """What somebody may do at *scope*, and *why* in words that end a sentence."""

    scope: Scope
    why: str
    actions: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()

    @property
    def permitted(self) -> tuple[str, ...]:
        """Every action, sorted."""
        return tuple(sorted((*self.actions, *self.linked)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One identity and its work; *environment* is whether workflows log in as it."""

    name: str
    work: str
    grants: tuple[Grant, ...]
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

SERVICE = Duty(
    name="service",
    work="Image Builder runs as it, and writes versions",
    environment=False,
    grants=(
        Grant(
            scope=Scope.FIRST_GALLERY,
            why="distributes versions, and starts from them",
            linked=(*_READ_GALLERY, "Microsoft.Compute/galleries/images/versions/write"),
        ),
        Grant(
            scope=Scope.BUILD_NETWORK,
            why="puts the build machine and its container into their subnets",
            linked=(
                "Microsoft.Network/virtualNetworks/read",
                "Microsoft.Network/virtualNetworks/subnets/join/action",
            ),
        ),
        Grant(
            scope=Scope.BUILD,
            why="gives the build machine its identity",
            linked=(_ASSIGN, "Microsoft.ManagedIdentity/userAssignedIdentities/read"),
        ),
    ),
)
BUILD = Duty(
    name="build",
    work="the build machine has it, and reads the mirror",
    environment=False,
    grants=(
        Grant(
            scope=Scope.MIRROR,
            why="installs from the mirror",
            data_actions=(f"{_BLOBS}/read",),
        ),
    ),
)
READ = Duty(
    name="read",
    work="due and gate in workflows: looks, and changes nothing",
    grants=(
        Grant(scope=Scope.SUBSCRIPTION, why="asks for incidents", actions=(_EVENTS,)),
        Grant(
            scope=Scope.GALLERIES,
            why="lists versions",
            actions=("Microsoft.Compute/galleries/images/versions/read", f"{_TAGS}/read"),
        ),
    ),
)
BAKE = Duty(
    name="bake",
    work="bakes: image templates, and the tags of what came of them",
    grants=(
        Grant(
            scope=Scope.GROUP,
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
        Grant(
            scope=Scope.FIRST_GALLERY,
            why="waits for replicas, writes down what was proved, takes failed versions away",
            actions=(
                *_READ_GALLERY,
                "Microsoft.Compute/galleries/images/versions/delete",
                "Microsoft.Compute/galleries/images/versions/write",
            ),
        ),
        Grant(scope=Scope.SERVICE, why="lets templates run as it", linked=(_ASSIGN,)),
        Grant(
            scope=Scope.SUBSCRIPTION,
            why="sees whether what a build needs is registered",
            actions=("Microsoft.Resources/subscriptions/providers/read",),
        ),
        Grant(
            scope=Scope.MIRROR,
            why="brings artifacts and records into the mirror",
            data_actions=(f"{_BLOBS}/add/action", f"{_BLOBS}/read", f"{_BLOBS}/write"),
        ),
    ),
)
HEARTBEAT = Duty(
    name="heartbeat",
    work="makes throw-away machines, and takes them away",
    grants=(
        Grant(scope=Scope.SUBSCRIPTION, why="reads the whole fleet", actions=_CONSUMERS),
        Grant(
            scope=Scope.GROUP,
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
        Grant(
            scope=Scope.GALLERIES,
            why="makes machines from versions, and writes incidents on definitions",
            actions=(*_READ_GALLERY, f"{_TAGS}/read", f"{_TAGS}/write"),
        ),
        Grant(
            scope=Scope.MACHINES,
            why="puts machines into the subnets that deny the internet",
            linked=("Microsoft.Network/virtualNetworks/subnets/join/action",),
        ),
    ),
)
PRODUCTION = Duty(
    name="production",
    work="promotes, rolls back and retires",
    grants=(
        Grant(
            scope=Scope.SUBSCRIPTION,
            why="reads the whole fleet, asks for incidents, and moves scale sets",
            actions=(
                *(action for action in _CONSUMERS if "/rollingUpgrades/" not in action),
                _EVENTS,
                f"{_SETS}/osRollingUpgrade/action",
                f"{_SETS}/rollingUpgrades/*",
                f"{_SETS}/write",
            ),
        ),
        Grant(
            scope=Scope.GALLERIES,
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
DUTIES = (SERVICE, BUILD, READ, BAKE, HEARTBEAT, PRODUCTION)


def environments() -> tuple[str, ...]:
    """The environments of workflows that speak to Azure."""
    return tuple(duty.name for duty in DUTIES if duty.environment)


def grants() -> Iterator[tuple[Duty, Grant]]:
    """Every grant with whose it is."""
    return ((duty, grant) for duty in DUTIES for grant in duty.grants)
