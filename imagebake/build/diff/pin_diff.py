"""Differences in agents, extensions, base, packages and files between two plans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imagebake.build.diff.changes import (
    OTHER_BYTES,
    PlanChange,
    PlanPair,
    PlanSide,
    PlanSides,
    RiskArea,
    downgrade_note,
)
from imagebake.kernel.text.versions import DebianVersion, HandlerVersion
from imagebake.spec.lock import LockedPackage
from imagebake.spec.model.pins import (
    AgentPin,
    ExtensionPin,
    FilePin,
    GoalStateAgent,
    ModulePin,
    PackagePin,
)

_RELEASE = re.compile(r"(https://github\.com/[^/]+/[^/]+/releases)/download/([^/]+)/[^/]+")


def agent_changes(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of agents, and of the goal-state agents staged for them."""
    old, new = _carriers(sides.old), _carriers(sides.new)
    for pair in sides.paired(lambda side: _of(side, AgentPin), lambda pin: pin.name):
        was, will = old.get(pair.name), new.get(pair.name)
        answers = pair.side.answers(pair.either)
        yield from pair.change(
            RiskArea.AGENTS,
            "agent",
            lambda pin: str(pin.version),
            other=_other_bytes(was, will) or _other_installer(pair.old, pair.new),
            note=_back(pair, DebianVersion),
            **answers,
        )
        yield from _goal_state_agent(pair, answers)


def _other_installer(old: AgentPin | None, new: AgentPin | None) -> str:
    installers = [pin.installer if pin else None for pin in (old, new)]
    both = [installer.sha256 for installer in installers if installer]
    return OTHER_BYTES if len(set(both)) > 1 else ""


def module_changes(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of PowerShell modules."""
    for pair in sides.paired(lambda side: _of(side, ModulePin), lambda pin: pin.name):
        pin: ModulePin = pair.either
        yield from pair.change(
            RiskArea.PACKAGES,
            "module",
            lambda pin: str(pin.version),
            other=OTHER_BYTES if pair.old and pair.new and pair.old.sha256 != pin.sha256 else "",
            note=_back(pair, HandlerVersion),
            link=release_page(pin.file),
            **pair.side.answers(pin),
        )


def _goal_state_agent(pair: PlanPair, answers: Mapping[str, str]) -> Iterator[PlanChange]:
    old, new = (pin.goal_state_agent if pin else None for pin in (pair.old, pair.new))
    own = PlanPair(f"{pair.name} from the disk", old, new, pair.side)
    agent: GoalStateAgent | None = own.either
    if agent is not None:
        yield from own.change(
            RiskArea.AGENTS,
            "agent",
            lambda agent: str(agent.version),
            other=OTHER_BYTES if old and new and old.sha256 != new.sha256 else "",
            note=_back(own, DebianVersion),
            link=release_page(agent.file),
            **answers,
        )


def extension_changes(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of extension handlers and their delivery modes."""
    for pair in sides.paired(lambda side: side.extensions, lambda pin: pin.handler):
        pin: ExtensionPin = pair.either
        packages = [pin.package if pin else None for pin in (pair.old, pair.new)]
        yield from pair.change(
            RiskArea.AGENTS,
            "extension",
            lambda pin: f"{pin.version} {pin.mode.value}",
            other="another package" if packages[0] != packages[1] else "",
            note=_back(pair, HandlerVersion),
            link=release_page(pin.package.file) if pin.package else "",
            **pair.side.answers(pin),
        )


def base_changes(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of the source image, the gallery definition and the local base's packages."""
    for pair in sides.pairs(_source(sides.old), _source(sides.new)):
        yield from pair.change(RiskArea.BASE, "base", str)
    if sides.both:
        for pair in sides.pairs(_gallery(sides.old), _gallery(sides.new)):
            yield from pair.change(RiskArea.BASE, "definition", str)
    for pair in sides.pairs(sides.old.packages(base=True), sides.new.packages(base=True)):
        yield from _package(pair, RiskArea.BASE, "of the base", direct=False)


def _source(side: PlanSide) -> dict[str, str]:
    if side.plan is None:
        return {}
    texts = {"source image": side.plan.spec.source.urn, "local suite": side.plan.lock.suite}
    return {name: text for name, text in texts.items() if text}


def _gallery(side: PlanSide) -> dict[str, str]:
    return dict(flatten("gallery", side.document().get("gallery", {})))


def package_changes(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of pinned packages, then of their dependencies; agents' own are left out."""
    old, new = sides.old.packages(base=False), sides.new.packages(base=False)
    agents = {
        package.name for side in (sides.old, sides.new) for package in _carriers(side).values()
    }
    pinned = set()
    for pair in sides.paired(lambda side: _of(side, PackagePin), lambda pin: pin.name):
        pinned.add(pair.name)
        there = PlanPair(pair.name, old.get(pair.name), new.get(pair.name), pair.side)
        if pair.old is None and there.old is not None:
            yield from _adopted(there, "was a dependency, now pinned", pair)
        elif pair.new is None and there.new is not None:
            yield from _adopted(there, "no longer pinned, still a dependency", pair)
        else:
            answers = pair.side.answers(pair.either)
            yield from _package(there, RiskArea.PACKAGES, "package", **answers)
    steps = _steps(sides.old) | _steps(sides.new)
    for pair in sorted(sides.pairs(old, new), key=lambda pair: pair.name):
        if pair.name not in pinned | agents:
            kind = f"for {steps[pair.name]}"
            yield from _package(pair, RiskArea.PACKAGES, kind, direct=False)


def _adopted(there: PlanPair, note: str, pin: PlanPair) -> Iterator[PlanChange]:
    """Yield a package that stays, and that becomes or ceases to be a pin."""
    answers = pin.side.answers(pin.either)
    yield PlanChange(
        risk=RiskArea.PACKAGES,
        kind="package",
        name=there.name,
        old=there.old.version if there.old else None,
        new=there.new.version if there.new else None,
        owner=answers["owner"],
        reason=answers["reason"],
        note=note,
    )


def file_changes(sides: PlanSides) -> Iterator[PlanChange]:
    """Yield changes of pinned files, by destination."""
    for pair in sides.paired(lambda side: _of(side, FilePin), lambda pin: pin.destination):
        pin: FilePin = pair.either
        yield from pair.change(
            RiskArea.FILES,
            "file",
            lambda pin: f"{pin.version}, {pin.mode}",
            other=OTHER_BYTES if pair.old and pair.new and pair.old.sha256 != pin.sha256 else "",
            link=release_page(pin.file),
            **pair.side.answers(pin),
        )


def flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Yield the leaves of *value* with their dotted paths below *name*."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from flatten(f"{name}.{key}", part)
    else:
        yield name, str(value)


def release_page(address: str) -> str:
    """Return the GitHub release page of the download *address*; empty for other hosts."""
    match = _RELEASE.fullmatch(address)
    return f"{match[1]}/tag/{match[2]}" if match else ""


def _package(pair: PlanPair, risk: RiskArea, kind: str, **more: Any) -> Iterable[PlanChange]:  # noqa: ANN401
    if pair.old == pair.new:  # nearly all of them
        return ()
    return pair.change(
        risk,
        kind,
        lambda package: str(package.version),
        other=_other_bytes(pair.old, pair.new),
        note=_back(pair, DebianVersion),
        **more,
    )


def _other_bytes(old: LockedPackage | None, new: LockedPackage | None) -> str:
    return OTHER_BYTES if old and new and old.sha256 != new.sha256 else ""


def _back(pair: PlanPair, order: type[DebianVersion | HandlerVersion]) -> str:
    if pair.old is None or pair.new is None:
        return ""
    return downgrade_note(pair.old.version, pair.new.version, order)


def _carriers(side: PlanSide) -> dict[str, LockedPackage]:
    """Return the package that carries each agent's version, by the agent's name."""
    packages = side.packages(base=False)
    return {
        step.name: packages[step.pins[0]]
        for step in side.installing
        if step.is_agent and step.pins and step.pins[0] in packages
    }


def _steps(side: PlanSide) -> dict[str, str]:
    """Return the step that first installs each package."""
    found: dict[str, str] = {}
    for step in side.installing:
        for package in step.packages:
            found.setdefault(package.name, step.name)
    return found


def _of(side: PlanSide, kind: type[Any]) -> Iterator[Any]:
    return (pin for pin in side.pins if isinstance(pin, kind))
