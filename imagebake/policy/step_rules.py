"""Rules about a spec's own customizers and validators: P121 to P129."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.steps import COMMAND, Network, download_in, scripts

_AIB = "Azure Image Builder template reference (image-builder-json), "

_CLEANS_TMP = re.compile(
    COMMAND + r"(?:rm\s+(?:-\S+\s+)+(?:\S+\s+)*/tmp(?:/\*?)?(?=\s|$|;|&)|find\s+/tmp\b.*-delete)"
)
_PIPED_TO_SHELL = re.compile(
    r"\b(?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:-\S+\s+)*(?:ba|da|z)?sh\b"
    r"|\b(?:ba|da|z)?sh\b\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)\b"
)
_UPGRADES = re.compile(
    COMMAND + r"(?:(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*(?:dist-|full-|safe-)?upgrade"
    r"|unattended-upgrades?|apt-mark\s+unhold)\b"
)
_STATE = re.compile(r"/var/lib/waagent\b")
_REBOOTS = re.compile(
    COMMAND + r"(?:systemctl\s+(?:reboot|poweroff|halt|kexec)|reboot|poweroff|halt"
    r"|shutdown|(?:tel)?init\s+[06])\b"
)
_DEPROVISIONS = re.compile(
    r"\bwaagent\b.*-deprovision|/tmp/DeprovisioningScript\.sh|\bcloud-init\s+clean\b.*--machine-id"
)
_STARTS_DOWNLOADS = re.compile(
    r"\bsystemctl\s+(?:-\S+\s+)*(?:enable|unmask|start)\b.*"
    r"\b(?:apt-daily(?:-upgrade)?|unattended-upgrades|motd-news)\b"
)


def _lines(facts: SpecFacts) -> Iterator[tuple[str, str]]:
    """Yield each line of shell in the customizers, without comments, after its name."""
    for step in () if facts.spec.gallery.is_windows else scripts(facts.spec.customizers):
        for number, line in enumerate(step.inline, start=1):
            if not line.lstrip().startswith("#"):
                yield f"{step.name}, line {number}", line


def _matches(facts: SpecFacts, pattern: re.Pattern[str], message: str) -> Iterator[Breach]:
    return (Breach(place, message) for place, line in _lines(facts) if pattern.search(line))


@rule(
    "P121",
    "A customizer that needs the network says why",
    why="what it fetches is in no lock: tomorrow's bake may differ, and an outage stops it",
    source="imagebake's design: a bake is hermetic",
    fix="pin what it fetches, or say in 'reason' why that cannot be",
    severity=Severity.WARNING,
)
def network_has_a_reason(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the steps that require the network."""
    for step in scripts(facts.spec.customizers):
        if step.network is Network.REQUIRED and not step.reason:
            yield Breach(step.name, "it needs the network, and nothing says why")


@rule(
    "P122",
    "No customizer downloads while unplugged",
    why="the step has no network, so that the bake would fail at this line",
    source="imagebake's design: steps run with the network unplugged",
    fix="pin what it fetches; or write 'network: required' with a 'reason'",
)
def unplugged_steps_do_not_download(facts: SpecFacts) -> Iterator[Breach]:
    """Look for the commands that fetch, unless an option keeps them local."""
    own = scripts(facts.spec.customizers)
    plugged = {step.name for step in own if step.network is Network.REQUIRED}
    for place, line in _lines(facts):
        if place.rpartition(",")[0] in plugged:
            continue
        if name := download_in(line):
            yield Breach(place, f"it downloads with {name}, and the network is unplugged")


@rule(
    "P123",
    "Nothing is piped from the network into a shell",
    why="anyone who controls that address, or the way to it, runs as root in every machine",
    source="security rules: artifacts are verified by digest before they are used",
    fix="pin the script as 'file' with its sha256, and run that",
)
def nothing_is_piped_into_a_shell(facts: SpecFacts) -> Iterator[Breach]:
    """Look for a download with a shell at the other end."""
    return _matches(facts, _PIPED_TO_SHELL, "it runs what it downloads, unverified")


@rule(
    "P124",
    "No customizer upgrades packages or lifts a hold",
    why="the image would hold versions that the lock does not",
    source="imagebake's design: the lock is what is installed",
    fix="lock again: ./inv lock IMAGE",
)
def nothing_is_upgraded(facts: SpecFacts) -> Iterator[Breach]:
    """Look for upgrades and for `apt-mark unhold`."""
    return _matches(facts, _UPGRADES, "it moves packages away from their locked versions")


@rule(
    "P125",
    "No customizer empties /tmp",
    why="the builder keeps its own scripts there, the one that generalises among them",
    source=_AIB + "Generalize: /tmp/DeprovisioningScript.sh",
    fix="remove the files you made, by name",
)
def tmp_is_left_alone(facts: SpecFacts) -> Iterator[Breach]:
    """Look for a removal of everything in `/tmp`."""
    return _matches(facts, _CLEANS_TMP, "it empties /tmp")


@rule(
    "P126",
    "No customizer touches /var/lib/waagent",
    why="generalisation empties that directory, so that nothing put there is in the image",
    source="WALinuxAgent DeprovisionHandler.del_dirs, measured",
    fix="keep it below /opt",
)
def agent_state_is_left_alone(facts: SpecFacts) -> Iterator[Breach]:
    """Look for the directory's name."""
    return _matches(facts, _STATE, "it uses /var/lib/waagent")


@rule(
    "P127",
    "No customizer restarts the machine",
    why="Azure Image Builder has no restart on Linux; the connection drops and the build fails",
    source=_AIB + "Customize: there is no Linux restart customizer",
    fix="leave it out: the image's first boot is a fresh start",
)
def nothing_reboots(facts: SpecFacts) -> Iterator[Breach]:
    """Look for what ends or restarts a machine."""
    return _matches(facts, _REBOOTS, "it restarts the build machine")


@rule(
    "P128",
    "No customizer generalises",
    why="the last step does, and restages the agent after it; what ran earlier would be undone",
    source=_AIB + "Generalize",
    fix="leave it out",
)
def nothing_deprovisions(facts: SpecFacts) -> Iterator[Breach]:
    """Look for deprovisioning and for the script that does it."""
    return _matches(facts, _DEPROVISIONS, "it generalises the image itself")


@rule(
    "P129",
    "No customizer turns on what downloads at first boot",
    why="machines would wait for the archive at the very moment that it may be gone",
    source="imagebake's design: provisioning downloads nothing",
    fix="leave it out: images are updated by baking",
)
def downloads_stay_off(facts: SpecFacts) -> Iterator[Breach]:
    """Look for the timers that this project masks."""
    return _matches(facts, _STARTS_DOWNLOADS, "it turns on updates at boot")
