"""Rules about Azure's build machine, its network and its staging group: P160 to P169."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.options import ErrorAction

_AIB = "Azure Image Builder template reference (image-builder-json), "
_NETWORKING = "Azure Image Builder networking documentation, "
_WINDOWS_MINUTES = 60


def _network_of(subnet: str) -> str:
    """Return the id of a subnet's virtual network, in lower case."""
    return subnet.rpartition("/subnets/")[0].lower()


@rule(
    "P160",
    "The containers' subnet is beside the build machine's, in one network",
    why="the build is run from containers that reach the machine over the network",
    source=_NETWORKING + "containerInstanceSubnetId: same network, another subnet, delegated",
    fix="name 'subnet' and 'container_subnet' of one virtual network; delegate the second to"
    " Microsoft.ContainerInstance, and let it out to 443 and 445, and to 22 or 5986 of the first",
)
def subnets_belong_together(facts: SpecFacts) -> Iterator[Breach]:
    """Delegation and open ports are not checked: only Azure knows them."""
    machines, containers = facts.spec.build.subnet, facts.spec.build.container_subnet
    if containers is None:
        return
    if machines is None:
        yield Breach(facts.spec.name, "'container_subnet' stands without 'subnet'")
    elif containers.lower() == machines.lower():
        yield Breach(facts.spec.name, "'container_subnet' is the build machine's own")
    elif _network_of(containers) != _network_of(machines):
        yield Breach(facts.spec.name, "'subnet' and 'container_subnet' are in two networks")


@rule(
    "P161",
    "A proxy stands where there is a subnet and no containers' subnet",
    why="Azure refuses the size of a machine that it would not make",
    source=_NETWORKING + "proxyVmSize is absent with containerInstanceSubnetId",
    fix="take 'proxy_vm_size' out",
)
def proxies_are_needed(facts: SpecFacts) -> Iterator[Breach]:
    """A proxy VM was the only way to reach a build in a network before container groups."""
    build = facts.spec.build
    if build.proxy_vm_size is None:
        return
    if build.subnet is None:
        yield Breach(facts.spec.name, "'proxy_vm_size' stands without 'subnet'")
    elif build.container_subnet:
        yield Breach(facts.spec.name, "'proxy_vm_size' stands beside 'container_subnet'")


@rule(
    "P162",
    "Azure builds in a group of the gallery's subscription, which is not the gallery's",
    why="the group must be empty, and what is in it may be deleted after the build",
    source=_AIB + "stagingResourceGroup: same subscription and region, empty, no other template",
    fix="make an empty group in the template's region, or leave 'staging_resource_group' out",
)
def staging_is_apart(facts: SpecFacts) -> Iterator[Breach]:
    """Whether the group is empty, and its region, are not checked: only Azure knows them."""
    group = (facts.spec.build.staging_resource_group or "").lower()
    own = facts.gallery.lower().partition("/providers/")[0]
    if not group or not own:
        return
    if group == own:
        yield Breach(facts.spec.name, "'staging_resource_group' is the gallery's own group")
    elif group.split("/")[2] != own.split("/")[2]:
        yield Breach(facts.spec.name, "'staging_resource_group' is of another subscription")


@rule(
    "P163",
    "No two images build in one group",
    why="Azure refuses the second template that names a staging group",
    source=_AIB + "stagingResourceGroup: one template for each",
    fix="give each image a group of its own, or leave 'staging_resource_group' out",
)
def staging_is_not_shared(facts: SpecFacts) -> Iterator[Breach]:
    """Compare with the other specs of the repository."""
    group = (facts.spec.build.staging_resource_group or "").lower()
    for other in facts.others if group else ():
        theirs = (other.build.staging_resource_group or "").lower()
        if other.name != facts.spec.name and theirs == group:
            yield Breach(facts.spec.name, f"{other.name} builds in that group, too")


@rule(
    "P164",
    "Windows has an hour to build",
    why="its first start, its updates and its generalising alone take most of that",
    source=_AIB + "buildTimeoutInMinutes: at least 60 for Windows",
    fix="set 'build.timeout_minutes' to 60 or more",
    severity=Severity.WARNING,
)
def windows_has_time(facts: SpecFacts) -> Iterator[Breach]:
    """Linux builds take less than an hour."""
    minutes = facts.spec.build.timeout_minutes
    if facts.spec.gallery.is_windows and minutes < _WINDOWS_MINUTES:
        yield Breach(facts.spec.name, f"it has {minutes} minutes")


@rule(
    "P165",
    "No build machine is left behind",
    why="with 'abort' the machine of a failed build stays, and is paid for until it is deleted",
    source=_AIB + "errorHandling: abort keeps the staging resources",
    fix="write 'cleanup' once you have seen what you wanted to",
    severity=Severity.WARNING,
)
def failures_clean_up(facts: SpecFacts) -> Iterator[Breach]:
    """A warning, as `abort` helps while a step is being written."""
    build = facts.spec.build
    for key in ("on_customizer_error", "on_validation_error"):
        if getattr(build, key) is ErrorAction.ABORT:
            yield Breach(facts.spec.name, f"'{key}' is 'abort'")


@rule(
    "P166",
    "An identity of the build machine is named once",
    why="the second says nothing, and a reviewer looks for what it might",
    source=_AIB + "vmProfile.userAssignedIdentities",
    fix="name each identity once",
    severity=Severity.WARNING,
)
def identities_are_named_once(facts: SpecFacts) -> Iterator[Breach]:
    """Azure compares ids without case."""
    named = [identity.lower() for identity in facts.spec.build.identities]
    for identity in sorted({identity for identity in named if named.count(identity) > 1}):
        yield Breach(facts.spec.name, f"{identity.rpartition('/')[2]} is named twice")
