"""Rules about pins: P101 to P111."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.text.versions import Scheme
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.adoption import DeniedVersions, adoption_terms
from imagebake.spec.model.pins import AgentPin, ExtensionPin, PackagePin, Pin, Stewardship

_SOON = dt.timedelta(days=30)
# "nobody" and the like are words that authors write in place of an owner.
_PLACEHOLDER = re.compile(r"(?i)(todo|tbd|fixme|unknown|nobody|none|n/a|me|changeme|example|owner)")
_MOVING = re.compile(r"(?i)/(latest|main|master|head|nightly|stable|current)(/|$)")
_WIPED = re.compile(r"/(var/lib/waagent|var/log/azure|tmp|run|dev|proc|sys|var/tmp)(/|$)")
_WORLD_WRITABLE = 0o002
_AGENT = "azure-linux-agent"


def _stewards(facts: SpecFacts) -> Iterator[tuple[str, Stewardship]]:
    for pin in facts.spec.pins:
        yield pin.name, pin
    for extension in facts.spec.extensions:
        yield extension.handler, extension


@rule(
    "P101",
    "Every pinned agent is in the catalogue",
    why="the catalogue says which packages and services an agent is; without it nothing is known",
    source="catalogue of components",
    fix="use the catalogue's name, or pin it as 'package'",
)
def agent_is_known(facts: SpecFacts) -> Iterator[Breach]:
    """The fix names the agent with the most similar name."""
    known = facts.catalogue.pinned(facts.spec.gallery.is_windows)
    for pin in facts.spec.agents:
        if pin.agent not in known:
            near = difflib.get_close_matches(pin.agent, list(known), n=1)
            fix = f"write 'agent: {near[0]}'" if near else ""
            yield Breach(pin.agent, "the catalogue has no such agent", fix)


@rule(
    "P102",
    "The address of a file does not move",
    why="behind a moving address another file appears one day, and the digest no longer matches",
    source="imagebake's design: pins are exact versions",
    fix="name the release in the address",
)
def file_address_is_fixed(facts: SpecFacts) -> Iterator[Breach]:
    """Look for the words that release pages use for their newest release."""
    for file in facts.spec.wanted_files:
        if match := _MOVING.search(file.url.partition("://")[2]):
            yield Breach(file.name, f"its address goes through {match[1]!r}")


@rule(
    "P103",
    "Every pin has an owner",
    why="a pin without an owner is never moved, not even for a vulnerability",
    source="imagebake's design: every pin has an owner, its own or the spec's",
    fix="name a person or a team",
)
def owner_is_named(facts: SpecFacts) -> Iterator[Breach]:
    """The schema requires an owner; this rule refuses placeholders."""
    owners = [(facts.spec.name, facts.spec.owner)]
    owners += [(name, pin.owner) for name, pin in _stewards(facts) if pin.owner]
    for subject, owner in owners:
        if _PLACEHOLDER.fullmatch(owner.strip()):
            yield Breach(subject, f"its owner is {owner!r}")


@rule(
    "P104",
    "No pin is past its review",
    why="the reason to stay at this version may be gone, and its fixes with it",
    source="imagebake's design: a pin names the day to look again",
    fix="look whether the reason still holds, then move 'version' or 'review_by'",
)
def review_is_not_overdue(facts: SpecFacts) -> Iterator[Breach]:
    """The day itself is still in time."""
    for name, pin in _stewards(facts):
        if pin.review_by and pin.review_by < facts.today:
            yield Breach(name, f"its review was due on {pin.review_by}")


@rule(
    "P105",
    "No review is due within thirty days",
    why="after that day the pin is an error, and the bake stops",
    source="imagebake's design: a pin names the day to look again",
    fix="look whether the reason still holds, then move 'version' or 'review_by'",
    severity=Severity.WARNING,
)
def review_is_not_near(facts: SpecFacts) -> Iterator[Breach]:
    """Warn while there is time."""
    for name, pin in _stewards(facts):
        if pin.review_by and facts.today <= pin.review_by <= facts.today + _SOON:
            yield Breach(name, f"its review is due on {pin.review_by}")


@rule(
    "P106",
    "What the catalogue takes care of is pinned as an agent",
    why="as a plain package its services are not checked and its own updates stay on",
    source="catalogue of components",
    fix="pin it as 'agent'",
    severity=Severity.WARNING,
)
def agents_are_pinned_as_agents(facts: SpecFacts) -> Iterator[Breach]:
    """Only components of which the catalogue knows more than the package's name count."""
    components = facts.catalogue.components.values()
    cared_for = (component for component in components if component.services or component.stops)
    names = {package: component.name for component in cared_for for package in component.packages}
    for pin in facts.spec.packages:
        if agent := names.get(pin.package):
            yield Breach(pin.package, "the catalogue has it", f"pin it as 'agent: {agent}'")


@rule(
    "P107",
    "No pinned version is denied",
    why="its publisher, or its users, found that machines with it break",
    source="the catalogue, such as Defender's builds of 2026 that left its service disabled",
    fix="./inv bump IMAGE moves it to a version that is not",
)
def version_is_not_bad(facts: SpecFacts) -> Iterator[Breach]:
    """Compare with the versions that the catalogue denies, and those that the spec denies."""
    for name, pin, scheme in _versioned(facts):
        terms = adoption_terms(
            facts.spec.adoption, pin.adoption, hold=pin.hold, known_bad=_known_bad(facts, pin)
        )
        if reason := terms.denied(pin.version, scheme):
            yield Breach(name, f"version {pin.version} {reason}")


def _versioned(facts: SpecFacts) -> Iterator[tuple[str, Pin | ExtensionPin, Scheme]]:
    for pin in facts.spec.pins:
        packaged = isinstance(pin, PackagePin) or (isinstance(pin, AgentPin) and not pin.installer)
        yield pin.name, pin, Scheme.DEBIAN if packaged else Scheme.FILE
    for extension in facts.spec.extensions:
        yield extension.handler, extension, Scheme.HANDLER


def _known_bad(facts: SpecFacts, pin: Pin | ExtensionPin) -> tuple[DeniedVersions, ...]:
    if isinstance(pin, AgentPin):
        known = facts.catalogue.pinned(facts.spec.gallery.is_windows).get(pin.agent)
        return known.denied if known else ()
    if not isinstance(pin, PackagePin):
        return ()
    return tuple(
        denied
        for component in facts.catalogue.components.values()
        if pin.package in component.packages
        for denied in component.denied
    )


@rule(
    "P108",
    "A file goes where it survives",
    why="the agent's directories are emptied at generalisation, the others are not on the disk",
    source="WALinuxAgent DeprovisionHandler.del_dirs, measured",
    fix="choose a destination below /opt, /usr/local or /etc",
)
def file_survives(facts: SpecFacts) -> Iterator[Breach]:
    """Look for directories that are emptied, or not part of an image."""
    for pin in facts.spec.files:
        if _WIPED.match(pin.destination):
            yield Breach(pin.name, f"{pin.destination} does not survive generalisation or a boot")


@rule(
    "P109",
    "No two files have one destination",
    why="the later would replace the earlier",
    source="imagebake's design: the image holds every pin",
    fix="give each file a destination of its own",
)
def file_destinations_differ(facts: SpecFacts) -> Iterator[Breach]:
    """The later of two is reported."""
    taken: dict[str, str] = {}
    for pin in facts.spec.files:
        if pin.destination in taken:
            yield Breach(pin.name, f"{taken[pin.destination]} goes to {pin.destination} as well")
        taken.setdefault(pin.destination, pin.name)


@rule(
    "P110",
    "Only its owner may write a pinned file",
    why="any account of the machine could change what runs as another",
    source="generalisation checklist",
    fix="use mode 0644, or 0755 for a program",
)
def file_is_not_world_writable(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the mode's last digit."""
    for pin in facts.spec.files:
        if int(pin.mode, 8) & _WORLD_WRITABLE:
            yield Breach(pin.name, f"its mode is {pin.mode}")


@rule(
    "P111",
    "The guest agent is pinned",
    why="without it no machine reports ready, and an unpinned one updates itself at first boot",
    source="WALinuxAgent measured: 246 s to the first status with self-update and a dead host",
    fix=f"add 'agent: {_AGENT}' with the version that the archive has",
    severity=Severity.WARNING,
)
def guest_agent_is_pinned(facts: SpecFacts) -> Iterator[Breach]:
    """P191 is the rule for Windows."""
    if not facts.spec.gallery.is_windows and _AGENT not in {pin.agent for pin in facts.spec.agents}:
        yield Breach(facts.spec.name, "no pin is the Azure Linux Agent")
