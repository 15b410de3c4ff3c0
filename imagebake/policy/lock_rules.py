"""Rules about a lock and the spec it was made for: P170 to P189."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.lock import PACKAGES

_OLD = dt.timedelta(days=60)
_RELOCK = "lock again: ./inv lock IMAGE"
_DESIGN = "imagebake's design: the lock"


@rule(
    "P170",
    "Every spec has a lock",
    why="without one nothing says which packages a bake installs",
    source=_DESIGN,
    fix=_RELOCK,
    severity=Severity.WARNING,
)
def lock_is_there(facts: SpecFacts) -> Iterator[Breach]:
    """A warning, as a bake creates a lock; a workflow refuses to."""
    if facts.lock is None:
        yield Breach(facts.spec.name, "it has no lock")


@rule(
    "P171",
    "The lock is of this spec",
    why="it holds what an earlier spec, or another image's, asked for",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_is_fresh(facts: SpecFacts) -> Iterator[Breach]:
    """Compare the digest of the spec that the lock was resolved from."""
    if facts.lock and not facts.fresh:
        yield Breach(facts.spec.name, "the spec has changed since it was locked")


@rule(
    "P172",
    "The lock has every pin at its version",
    why="the image would not hold what the spec says",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_has_every_pin(facts: SpecFacts) -> Iterator[Breach]:
    """An agent's version is that of its first package; its step has the agent's name."""
    lock = facts.lock
    if lock is None or not facts.fresh:
        return
    versions = {package.name: package.version for package in lock.packages}
    wanted = [(pin.package, pin.version, PACKAGES, pin.package) for pin in facts.spec.packages]
    for pin in facts.spec.agents:
        known = facts.catalogue.components.get(pin.agent)
        if known and known.packages:
            wanted.append((known.packages[0], pin.version, pin.agent, pin.agent))
    steps = {step.name: set(step.pins) for step in lock.steps}
    for package, version, step, subject in wanted:
        found = versions.get(package)
        if found != version:
            yield Breach(subject, f"the lock has {package} {found or 'not at all'}, not {version}")
        elif package not in steps.get(step, ()):
            yield Breach(subject, f"the lock's step {step!r} does not ask for {package}")


@rule(
    "P173",
    "The lock has every pinned file",
    why="the image would not hold what the spec says",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_has_every_file(facts: SpecFacts) -> Iterator[Breach]:
    """Digest, destination and mode must match the pin's."""
    lock = facts.lock
    if lock is None or not facts.fresh:
        return
    locked = {(file.name, file.sha256, file.destination, file.mode) for file in lock.files}
    for file in facts.spec.wanted_files:
        if (file.name, file.sha256, file.destination, file.mode) not in locked:
            yield Breach(file.name, "the lock has no such file, or another digest, place or mode")


@rule(
    "P174",
    "The lock has each package at one version",
    why="the later would replace the earlier, and its step's layer with it",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_has_packages_once(facts: SpecFacts) -> Iterator[Breach]:
    """The same version may occur twice: an earlier step may have installed a pinned package."""
    seen: dict[str, str] = {}
    for package in facts.lock.packages if facts.lock else ():
        if seen.setdefault(package.name, package.version) != package.version:
            yield Breach(package.name, f"the lock has {seen[package.name]} and {package.version}")


@rule(
    "P175",
    "Locked packages are of the image's architecture",
    why="they could not be installed, or could not run",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_fits_architecture(facts: SpecFacts) -> Iterator[Breach]:
    """Packages for `all` fit every architecture."""
    wanted = facts.spec.gallery.architecture.debian
    for package in facts.lock.packages if facts.lock else ():
        if package.architecture not in {wanted, "all"}:
            yield Breach(package.name, f"the lock has it for {package.architecture}, not {wanted}")


@rule(
    "P176",
    "Locked packages come from a repository of the lock",
    why="nothing says whose signature vouches for them",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_knows_repositories(facts: SpecFacts) -> Iterator[Breach]:
    """Each package names the repository that it was found in."""
    known = {repository.id for repository in facts.lock.repositories} if facts.lock else set()
    for package in facts.lock.packages if facts.lock else ():
        if package.repository not in known:
            yield Breach(package.name, f"its repository {package.repository!r} is not in the lock")


@rule(
    "P177",
    "The lock is not older than sixty days",
    why="the fixes that the archive has had since are not in the image",
    source="Debian publishes security updates most days",
    fix=_RELOCK,
    severity=Severity.WARNING,
)
def lock_is_recent(facts: SpecFacts) -> Iterator[Breach]:
    """A lock is as old as the newest of its repositories was when it was made."""
    found = facts.lock.repositories if facts.lock else ()
    days = [day for repository in found if (day := _day(repository.date))]
    if days and facts.today - max(days) > _OLD:
        age = (facts.today - max(days)).days
        yield Breach(facts.spec.name, f"its archives are as of {max(days)}, {age} days ago")


@rule(
    "P178",
    "The lock has what the extension cache runs on",
    why="the cache is a Python program that makes its keys with openssl, and trusts whom the"
    " system trusts; without them the agent asks the network",
    source="imagebake's design: delivery modes",
    fix="add the package to 'local.packages', and lock again: ./inv lock IMAGE",
)
def lock_has_the_caches_needs(facts: SpecFacts) -> Iterator[Breach]:
    """The names are those of Debian's packages."""
    if facts.lock is None or not facts.fresh or not facts.spec.cached:
        return
    locked = {package.name for package in facts.lock.packages}
    for name in ("ca-certificates", "openssl", "python3"):
        if name not in locked:
            yield Breach(name, "cached extensions need it, and the lock does not have it")


@rule(
    "P179",
    "The lock has every installer and module",
    why="the image would not hold what the spec says",
    source=_DESIGN,
    fix=_RELOCK,
)
def lock_has_every_installer(facts: SpecFacts) -> Iterator[Breach]:
    """Version and digest must match the pin's; a lock for Linux has no installers."""
    lock, spec = facts.lock, facts.spec
    if lock is None or not facts.fresh:
        return
    locked = {
        (installer.name, installer.version, installer.sha256) for installer in lock.installers or ()
    }
    pinned = [(pin.name, pin.version, pin.sha256) for pin in spec.modules]
    pinned += [
        (pin.name, pin.version, pin.installer.sha256) for pin in spec.agents if pin.installer
    ]
    for wanted in pinned if spec.gallery.is_windows else ():
        if wanted not in locked:
            yield Breach(wanted[0], "the lock has no such file, or another version or digest")


def _day(text: str) -> dt.date | None:
    """Return the day of a Release file's `Date`; None where it is malformed."""
    try:
        return email.utils.parsedate_to_datetime(text).date()
    except ValueError:
        return None
