"""Rules about images of Windows, and about pins of the wrong system: P190 to P199."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.catalogue.component import GUEST_AGENT
from imagebake.spec.model.pins import AgentPin, DeliveryMode, FilePin, ModulePin, PackagePin
from imagebake.spec.model.steps import InlineCustomizer, InlineValidator, Network, scripts

_AIB = "Azure Image Builder template reference (image-builder-json), "
_DESIGN = "imagebake's design: "

_MODULE = re.compile(
    r"(?i)\b(?:Install|Save|Update)-(?:Module|Script|Package|PSResource|PackageProvider)\b"
)
_EXACT = re.compile(r"(?i)\s-(?:RequiredVersion|Version)[\s:]+['\"]?\[?\d+(?:\.\d+){1,3}\]?")
_FETCHES = re.compile(
    r"(?i)\b(?:Invoke-WebRequest|iwr|Invoke-RestMethod|irm|Start-BitsTransfer|wget|curl(?:\.exe)?)"
    r"\b.*https?://(?!169\.254\.169\.254|127\.0\.0\.1|localhost)"
    r"|\bNet\.WebClient\b|\bDownload(?:File|String|Data)\b"
    r"|\b(?:choco|cinst)\s+(?:install|upgrade)\b|\bwinget\s+(?:install|upgrade)\b"
    r"|\b(?:certutil|bitsadmin)\b.*https?://|\bmsiexec\b.*https?://"
)
_PERSISTS_POLICY = re.compile(r"(?i)\bSet-ExecutionPolicy\b(?!.*-Scope[\s:]+['\"]?Process\b)")
_PASSWORD = re.compile(
    r"(?i)\bConvertTo-SecureString\b.*-AsPlainText|\bnet(?:\.exe)?\s+user\s+\S+\s+[^/\s$]"
    r"|\bDefaultPassword\b|-Password[\s:]+['\"][^'\"$]|\bcmdkey\b.*/pass:"
)
_ENDS = re.compile(
    r"(?i)\b(?:Restart|Stop)-Computer\b|\bshutdown(?:\.exe)?\s+[/-][rsgp]\b|\bsysprep(?:\.exe)?\b"
)
_TURNS_ON = re.compile(
    r"(?i)\bNoAutoUpdate\b|\b(?:Set|Start)-Service\b.*\bedgeupdatem?\b"
    r"|\bPOWERSHELL_UPDATECHECK\b|\bauto-upgrade\.enable=(?:yes|true|1)\b"
)


def _lines(facts: SpecFacts) -> Iterator[tuple[str, str]]:
    """Yield each line of the customizers of a Windows image, without comments, and its name."""
    for step in scripts(facts.spec.customizers) if facts.spec.gallery.is_windows else ():
        for number, line in enumerate(step.inline, start=1):
            if not line.lstrip().startswith("#"):
                yield f"{step.name}, line {number}", line


def _matches(facts: SpecFacts, pattern: re.Pattern[str], message: str) -> Iterator[Breach]:
    return (Breach(place, message) for place, line in _lines(facts) if pattern.search(line))


@rule(
    "P190",
    "Pins are of the image's own system",
    why="Windows has no packages of Debian, and Linux no installers, modules and drives",
    source=_DESIGN + "pins",
    fix="on Windows pin an 'agent' with its 'installer', a 'module', or a 'file' on a drive",
)
def pins_fit_the_system(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the kind of each pin, and at how its place is spelled."""
    windows, system = facts.spec.gallery.is_windows, facts.spec.gallery.os.value
    for pin in facts.spec.pins:
        match pin:
            case PackagePin() if windows:
                yield Breach(pin.name, "it is a package of Debian, and the image is Windows")
            case ModulePin() if not windows:
                yield Breach(pin.name, "it is a module, and the image is Linux")
            case AgentPin(installer=None) if windows:
                yield Breach(pin.name, "nothing says what installs it: it has no 'installer'")
            case AgentPin() if pin.installer and not windows:
                yield Breach(pin.name, "it has an 'installer', and Linux installs packages")
            case FilePin() if pin.destination.startswith("/") is windows:
                yield Breach(pin.name, f"{pin.destination} is no path of {system}")


@rule(
    "P191",
    "The guest agent of Windows is pinned",
    why="an image that has an old one fetches a newer one at its first boot",
    source="Azure's documentation of the agent: custom images are updated when they are made",
    fix=f"add 'agent: {GUEST_AGENT}' with its installer",
    severity=Severity.WARNING,
)
def guest_agent_is_pinned(facts: SpecFacts) -> Iterator[Breach]:
    """Marketplace images have one, of the day they were made."""
    if facts.spec.gallery.is_windows and GUEST_AGENT not in {p.agent for p in facts.spec.agents}:
        yield Breach(facts.spec.name, "no pin is the Windows guest agent")


@rule(
    "P192",
    "No customizer of Windows downloads unasked",
    why="what it fetches is in no lock: tomorrow's bake may differ, and an outage stops it",
    source=_DESIGN + "a bake is hermetic",
    fix="pin what it fetches; or write 'network: required' with a 'reason'",
)
def windows_does_not_download(facts: SpecFacts) -> Iterator[Breach]:
    """Look for what fetches: cmdlets, the gallery, and package managers."""
    own = scripts(facts.spec.customizers)
    plugged = {step.name for step in own if step.network is Network.REQUIRED}
    for place, line in _lines(facts):
        if place.rpartition(",")[0] not in plugged and (
            _FETCHES.search(line) or _MODULE.search(line)
        ):
            yield Breach(place, "it downloads, and nothing says that it may")


@rule(
    "P193",
    "The execution policy stays as it is",
    why="a looser one outlives the bake, on every machine of the image; a bake needs none",
    source=_AIB + "scripts run with a policy of their own",
    fix="take it out, or add '-Scope Process'",
)
def execution_policy_stays(facts: SpecFacts) -> Iterator[Breach]:
    """For the process alone it may be anything."""
    return _matches(facts, _PERSISTS_POLICY, "it changes the execution policy for good")


@rule(
    "P194",
    "No password stands in a customizer of Windows",
    why="every reader of the template can read it, and the image keeps what it sets",
    source=_AIB + "inline commands are stored in the template in clear text",
    fix="take it out; a machine gets its secrets once it runs, with a managed identity",
)
def no_password_in_plain_text(facts: SpecFacts) -> Iterator[Breach]:
    """The line is named, never quoted."""
    return _matches(facts, _PASSWORD, "it has a password in plain text")


@rule(
    "P195",
    "No customizer restarts or generalises Windows itself",
    why="the connection drops and the build fails; the last step generalises",
    source=_AIB + "Customize: WindowsRestart, and Generalize",
    fix="write a step with 'restart: {}'; leave sysprep out",
)
def windows_is_not_ended(facts: SpecFacts) -> Iterator[Breach]:
    """Look for what ends a session, and for sysprep."""
    return _matches(facts, _ENDS, "it ends the build machine's session")


@rule(
    "P196",
    "Scripts of Windows are ASCII",
    why="Windows PowerShell reads them in the machine's own code page: a letter beyond ASCII may"
    " become another, and curly quotes are quotes to it",
    source="about_Character_Encoding and about_Quoting_Rules, PowerShell's documentation",
    fix="write [char]0x00e9 for the character",
    severity=Severity.WARNING,
)
def windows_scripts_are_ascii(facts: SpecFacts) -> Iterator[Breach]:
    """Of customizers and validators alike."""
    if not facts.spec.gallery.is_windows:
        return
    for step in (*facts.spec.customizers, *facts.spec.validators):
        if isinstance(step, InlineCustomizer | InlineValidator):
            for number, line in enumerate(step.inline, start=1):
                if not line.isascii():
                    yield Breach(f"{step.name}, line {number}", "it has characters beyond ASCII")


@rule(
    "P197",
    "No customizer turns on what downloads when Windows starts",
    why="machines would wait for its hosts at the very moment that they may be gone",
    source=_DESIGN + "provisioning downloads nothing",
    fix="leave it out: images are updated by baking",
)
def windows_updates_stay_off(facts: SpecFacts) -> Iterator[Breach]:
    """Look for the policies, services and variables that every image sets."""
    return _matches(facts, _TURNS_ON, "it sets what keeps Windows from downloading")


@rule(
    "P198",
    "Windows is not asked for what only Linux has",
    why="the extension cache and goal-state agents are programs for Linux, and no machine here"
    " can make a base of Windows",
    source=_DESIGN + "delivery modes",
    fix="take it out; an extension of Windows is 'native' or 'absent'",
)
def linux_alone_caches(facts: SpecFacts) -> Iterator[Breach]:
    """Look at extensions, agents, and the local base."""
    if not facts.spec.gallery.is_windows:
        return
    for extension in facts.spec.extensions:
        if extension.mode is DeliveryMode.CACHED:
            yield Breach(extension.handler, "it is cached, and the image is Windows")
    for pin in facts.spec.agents:
        if pin.goal_state_agent:
            yield Breach(pin.name, "it has a goal-state agent, and the image is Windows")
    if facts.spec.local:
        yield Breach(facts.spec.name, "it has a local base, and the image is Windows")


@rule(
    "P199",
    "A module that is fetched has an exact version",
    why="the gallery gives the newest one, which is another tomorrow",
    source=_DESIGN + "pins are exact versions",
    fix="pin it as 'module'; or add '-RequiredVersion' with a version",
)
def fetched_modules_are_exact(facts: SpecFacts) -> Iterator[Breach]:
    """Also where the step may use the network."""
    for place, line in _lines(facts):
        if _MODULE.search(line) and not _EXACT.search(line):
            yield Breach(place, "it installs whatever version is the newest")
