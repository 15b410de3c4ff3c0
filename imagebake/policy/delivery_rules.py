"""Rules about agents and extensions, and how they reach a machine: P112 to P120."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.text.versions import DebianVersion
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.delivery import AGENT_STATE, GUEST_AGENT, KEPT, SINCE
from imagebake.spec.model.pins import DeliveryMode

_KNOWS_BOTH_SWITCHES = "2.10.0.8"
_ZIP_OF_EXTENSION = re.compile(r"[A-Za-z0-9.]+__[0-9]+(\.[0-9]+){2,3}\.zip")

NATIVE = {
    "Microsoft.Azure.ActiveDirectory.AADSSHLoginForLinux": "aadsshlogin",
    "Microsoft.Azure.AzureDefenderForServers.MDE.Linux": "mdatp",
    "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent": "azuremonitoragent",
    "Microsoft.CPlat.ProxyAgent.ProxyAgentLinux": "azure-proxy-agent",
}
"""The package with the function of an extension, where there is one."""


def _pinned_packages(facts: SpecFacts) -> set[str]:
    packages = {pin.name for pin in facts.spec.packages}
    for pin in facts.spec.agents:
        if known := facts.catalogue.components.get(pin.agent):
            packages |= set(known.packages)
    return packages


@rule(
    "P112",
    "The guest agent is pinned where extensions are cached",
    why="the bake points only the pinned agent to the image's own cache",
    source="imagebake's design: delivery modes",
    fix=f"add 'agent: {GUEST_AGENT}' with the version that the archive has",
)
def cached_extensions_have_an_agent(facts: SpecFacts) -> Iterator[Breach]:
    """The agent's unit is known only from its pin."""
    if GUEST_AGENT not in {pin.agent for pin in facts.spec.agents}:
        for extension in facts.spec.cached:
            yield Breach(extension.handler, "it is cached, and no pin is the Azure Linux Agent")


@rule(
    "P113",
    "Only the guest agent's package runs a goal-state agent",
    why="no other program looks for a newer one of itself in the guest agent's directory",
    source="WALinuxAgent: UpdateHandler.run_latest",
    fix=f"write 'goal_state_agent' below 'agent: {GUEST_AGENT}'",
)
def goal_state_agent_has_its_daemon(facts: SpecFacts) -> Iterator[Breach]:
    """Only the package's daemon starts a goal-state agent."""
    for pin in facts.spec.agents:
        if pin.goal_state_agent and pin.agent != GUEST_AGENT:
            yield Breach(pin.agent, "it has a goal-state agent, and is not the Azure Linux Agent")


@rule(
    "P114",
    "A goal-state agent is newer than its package, and knows both switches",
    why=(
        "the daemon runs the newest agent on the disk, so that an older one is never run; and one"
        f" before {_KNOWS_BOTH_SWITCHES} cannot look on the disk without downloading, too"
    ),
    source="WALinuxAgent, measured: AutoUpdate.UpdateToLatestVersion",
    fix="pin a newer goal-state agent, or take 'goal_state_agent' out",
)
def goal_state_agent_is_run(facts: SpecFacts) -> Iterator[Breach]:
    """Compare with the version of the package."""
    for pin in facts.spec.agents:
        agent = pin.goal_state_agent
        if agent is None:
            continue
        if pin.newest != agent.version:
            yield Breach(
                pin.agent, f"{agent.version} is not newer than the package's {pin.version}"
            )
        elif DebianVersion(agent.version) < DebianVersion(_KNOWS_BOTH_SWITCHES):
            yield Breach(pin.agent, f"{agent.version} does not know both switches of AutoUpdate")


@rule(
    "P115",
    "A pin delivers every native extension",
    why="'native' promises that the image has the function, and nothing installs it",
    source="imagebake's design: the payload is a package or a service",
    fix="pin the package, or use mode 'absent'",
)
def native_extension_is_delivered(facts: SpecFacts) -> Iterator[Breach]:
    """Where the package is unknown, the pin's reason must name what delivers the function."""
    pinned = _pinned_packages(facts)
    for extension in facts.spec.extensions:
        if extension.mode is not DeliveryMode.NATIVE:
            continue
        package = NATIVE.get(extension.handler)
        if package and package not in pinned:
            yield Breach(extension.handler, f"no pin is {package!r}, which delivers it")
        elif not package and not extension.reason:
            yield Breach(
                extension.handler,
                "no package is known to deliver it",
                "say in 'reason' which pin or customizer does, or use mode 'absent'",
            )


@rule(
    "P116",
    "A cached extension has a reason",
    why=(
        "it stays on the path of creation: the agent asks for the manifest before it looks at the"
        " disk, so that a zip alone does not survive an outage, and the image must serve both"
    ),
    source="measured: zip on disk and every host dead gives NotReady in 0.7 s",
    fix="use mode 'native' where a package exists, or say in 'reason' why it must be a resource",
    severity=Severity.WARNING,
)
def cached_extension_has_a_reason(facts: SpecFacts) -> Iterator[Breach]:
    """The fix names the native package where there is one."""
    for extension in facts.spec.cached:
        if not extension.reason:
            package = NATIVE.get(extension.handler)
            fix = f"pin the package {package!r} and use mode 'native'" if package else ""
            yield Breach(extension.handler, "it is cached, and nothing says why", fix)


@rule(
    "P117",
    "No extension is delivered by its zip alone",
    why=(
        "the agent asks the network for the manifest before it looks at the disk, so that with"
        " the hosts dead a zip in its place gives NotReady, as if it were not there"
    ),
    source="WALinuxAgent: ExtHandlerInstance.decide_version; measured: NotReady after 0.7 s",
    fix="list it in 'extensions' with 'mode: cached', which serves the manifest as well",
)
def no_zip_is_alone(facts: SpecFacts) -> Iterator[Breach]:
    """A file counts by its name, which the agent looks for, or by its folder."""
    for pin in facts.spec.files:
        name = pin.destination.rpartition("/")[2]
        in_place = pin.destination.startswith(f"{AGENT_STATE}/") and name.endswith(".zip")
        if in_place or _ZIP_OF_EXTENSION.fullmatch(name):
            yield Breach(pin.name, "it is an extension's zip, and nothing serves its manifest")


@rule(
    "P118",
    f"Nothing of a spec's own goes below {KEPT}",
    why="what is there is put back after generalisation, or served to the agent as root",
    source="imagebake's design: delivery modes",
    fix="choose another directory below /opt",
)
def kept_is_ours(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the destinations of files."""
    for pin in facts.spec.files:
        if pin.destination == KEPT or pin.destination.startswith(f"{KEPT}/"):
            yield Breach(pin.name, f"its destination is {pin.destination}")


@rule(
    "P119",
    "The agent that shall refuse extensions can do so",
    why=(
        f"the allow-list is obeyed from {SINCE} on: it is left out of the image, and machines"
        " run whatever extension they are given"
    ),
    source="WALinuxAgent: ExtHandlersHandler.handle_ext_handlers and its releases",
    fix="pin a newer 'goal_state_agent', or take 'guard' out",
    severity=Severity.WARNING,
)
def guard_is_obeyed(facts: SpecFacts) -> Iterator[Breach]:
    """The newest agent on the image's disk decides."""
    if not facts.spec.guard.allow_list or facts.spec.allowed is not None:
        return
    pin = next((pin for pin in facts.spec.agents if pin.agent == GUEST_AGENT), None)
    message = (
        f"{pin.newest} obeys no allow-list"
        if pin
        else "it is not pinned, so its version is unknown"
    )
    yield Breach(GUEST_AGENT, message)


@rule(
    "P120",
    "An allow-list names nothing that the image already has",
    why="what is delivered natively or not at all would be downloaded as soon as it is asked for",
    source="imagebake's design: delivery modes",
    fix="take it out of 'also', or out of 'extensions'",
    severity=Severity.WARNING,
)
def guard_lets_nothing_native_in(facts: SpecFacts) -> Iterator[Breach]:
    """A cached extension is in the list anyway; an absent one may come later."""
    modes = {pin.handler.lower(): pin.mode for pin in facts.spec.extensions}
    for name in facts.spec.guard.also:
        mode = modes.get(name.lower())
        if mode is DeliveryMode.NATIVE:
            yield Breach(name, "a package delivers it, and the list lets its extension run as well")
        elif mode is DeliveryMode.CACHED:
            yield Breach(name, "it is cached, and in the list for that")
