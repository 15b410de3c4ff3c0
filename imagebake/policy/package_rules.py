"""Rules about installed packages and files, compared with the lock: P201 to P219."""

from __future__ import annotations

import json
from collections.abc import Iterator

from imagebake.inspection.contents import FileKind, InstalledPackage
from imagebake.policy.facts import ImageFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.lock import BASE

MANIFEST = "/etc/imagebake/manifest.json"
"""Manifest that each image carries."""

_BAKE = "bake it again: ./inv bake IMAGE --force"
_SOURCE = "imagebake's design: the lock is what is installed"


def _installed(facts: ImageFacts) -> dict[str, InstalledPackage]:
    return {package.name: package for package in facts.contents.packages if not package.gone}


@rule(
    "P201",
    "Every locked package is installed at its version",
    why="the image is not what was reviewed",
    source=_SOURCE,
    fix="look which customizer removes or replaces it",
)
def locked_packages_are_installed(facts: ImageFacts) -> Iterator[Breach]:
    """Versions are compared as text, as dpkg spells them."""
    installed = _installed(facts)
    for wanted in facts.lock.packages:
        found = installed.get(wanted.name)
        if found is None:
            yield Breach(wanted.name, f"{wanted.version} is locked, and it is not installed")
        elif found.version != wanted.version:
            yield Breach(wanted.name, f"{wanted.version} is locked, {found.version} is installed")
        elif found.architecture not in {wanted.architecture, facts.lock.architecture}:
            yield Breach(wanted.name, f"it is installed for {found.architecture}")


@rule(
    "P202",
    "Nothing is installed that is not locked",
    why="it was not reviewed, and the next bake may not have it",
    source=_SOURCE,
    fix="pin it, or take the customizer out that installs it",
)
def nothing_else_is_installed(facts: ImageFacts) -> Iterator[Breach]:
    """The packages of the base system are locked, too."""
    locked = {package.name for package in facts.lock.packages}
    for name, package in _installed(facts).items():
        if name not in locked:
            yield Breach(name, f"{package.version} is installed, and no step of the lock has it")


@rule(
    "P203",
    "Every package is wholly installed",
    why="its services may not run, and apt refuses to install anything else",
    source="dpkg(1), package states",
    fix="look in the bake's log for what its maintainer script said",
)
def packages_are_configured(facts: ImageFacts) -> Iterator[Breach]:
    """Any state between removed and installed is a failure that was ignored."""
    for package in _installed(facts).values():
        if package.state != "installed":
            yield Breach(package.name, f"its state is {package.state!r}")


@rule(
    "P204",
    "Every pinned package is held",
    why="the first upgrade on a machine would move it away from its pin",
    source="apt-mark(8)",
    fix="look which customizer runs 'apt-mark unhold'",
)
def pins_are_held(facts: ImageFacts) -> Iterator[Breach]:
    """Dependencies may be upgraded; pins may not."""
    installed = _installed(facts)
    for step in facts.lock.steps:
        for name in step.pins if step.name != BASE else ():
            if name in installed and not installed[name].held:
                yield Breach(name, "it is pinned, and not held")


@rule(
    "P205",
    "The image has a manifest",
    why="a machine could not say what it was made from",
    source="imagebake's design: the manifest",
    fix=_BAKE,
)
def manifest_is_there(facts: ImageFacts) -> Iterator[Breach]:
    """The manifest must be a JSON object."""
    text = facts.contents.text(MANIFEST)
    if text is None:
        yield Breach(MANIFEST, "there is none")
    elif _manifest(text) is None:
        yield Breach(MANIFEST, "it is not a JSON object")


@rule(
    "P206",
    "The manifest is of this image and this lock",
    why="it names versions that the image does not have",
    source="imagebake's design: the manifest",
    fix=_BAKE,
)
def manifest_is_of_the_lock(facts: ImageFacts) -> Iterator[Breach]:
    """Packages of the base belong to the source image, and are not in the manifest."""
    manifest = _manifest(facts.contents.text(MANIFEST) or "")
    if manifest is None:
        return
    words = {
        "image": facts.spec.name,
        "source": facts.lock.source.urn,
        "lock_sha256": facts.lock.sha256,
    }
    for field, wanted in words.items():
        if manifest.get(field) != wanted:
            yield Breach(MANIFEST, f"its {field!r} is {manifest.get(field)!r}, not {wanted!r}")
    steps = (step for step in facts.lock.steps if step.name != BASE)
    packages = {
        (package.name, package.version, package.sha256)
        for step in steps
        for package in step.packages
    }
    if _rows(manifest, "packages", ("name", "version", "sha256")) != packages:
        yield Breach(MANIFEST, "its packages are not those of the lock")
    files = {(file.destination, file.mode, file.sha256) for file in facts.lock.files}
    if _rows(manifest, "files", ("path", "mode", "sha256")) != files:
        yield Breach(MANIFEST, "its files are not those of the lock")


@rule(
    "P207",
    "Every locked file is in its place",
    why="the image is not what was reviewed",
    source=_SOURCE,
    fix="look which customizer removes or changes it",
)
def locked_files_are_there(facts: ImageFacts) -> Iterator[Breach]:
    """Content, mode and owner are compared; the owner is root."""
    for file in facts.lock.files:
        entry = facts.contents.resolve(file.destination)
        if entry is None or entry.kind is not FileKind.FILE:
            yield Breach(file.destination, f"{file.name} is not there")
            continue
        if entry.sha256 != file.sha256:
            yield Breach(file.destination, f"it is not the {file.name} that is locked")
        if entry.mode != int(file.mode, 8):
            yield Breach(file.destination, f"its mode is {entry.mode:04o}, not {file.mode}")
        if (entry.uid, entry.gid) != (0, 0):
            yield Breach(file.destination, f"it belongs to {entry.uid}:{entry.gid}, not to root")


@rule(
    "P208",
    "The image is of the locked suite",
    why="packages of another release were never tried together with these",
    source="os-release(5)",
    fix=_BAKE,
)
def suite_is_the_locked_one(facts: ImageFacts) -> Iterator[Breach]:
    """A base without a code name, as Debian's testing may be, passes."""
    for line in (facts.contents.text("/etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        if key == "VERSION_CODENAME" and value.strip("\"'") != facts.lock.suite:
            yield Breach("/etc/os-release", f"the image is {value}, the lock {facts.lock.suite}")


def _rows(
    manifest: dict[str, object], field: str, keys: tuple[str, str, str]
) -> set[tuple[str, str, str]]:
    """Return the entries of a list in the manifest; malformed ones are left out."""
    rows = manifest.get(field)
    entries = rows if isinstance(rows, list) else []
    first, second, third = keys
    return {
        (str(row.get(first)), str(row.get(second)), str(row.get(third)))
        for row in entries
        if isinstance(row, dict)
    }


def _manifest(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
