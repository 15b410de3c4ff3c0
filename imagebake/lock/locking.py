"""Locking of images: resolve, compare, heal, read and write locks."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydantic

from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import ArtifactError, LockError
from imagebake.kernel.host.download import DownloadRequest
from imagebake.kernel.host.files import write_atomically
from imagebake.kernel.progress import Progress
from imagebake.lock.archive import Archives
from imagebake.lock.resolve import local_base, locked_files, resolve
from imagebake.mirror.local import Mirror
from imagebake.spec.lock import LOCK_VERSION, Artifact, Lock, LockedInstaller, Repository
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import AgentPin, Installer, ModulePin, PackagePin


def with_same_packages(previous: Lock, spec: ImageSpec, sizes: Mapping[str, int]) -> Lock:
    """Return the lock of *spec* with the packages of *previous*, which it still requests.

    *sizes* has the size of every file by its digest.
    """
    return previous.model_copy(
        update={
            "inputs_sha256": sha256_json(spec.lock_inputs()),
            "source": spec.source,
            "files": locked_files(spec, sizes),
            "extensions": spec.extensions,
        }
    )


def package_inputs(spec: ImageSpec) -> object:
    """Return the parts of *spec* that determine the packages of its lock."""
    agents = tuple((pin.agent, pin.version) for pin in spec.agents)
    packages = tuple((pin.package, pin.version) for pin in spec.packages)
    return agents, packages, spec.local, spec.gallery.architecture, spec.name


def with_old_dates(previous: Lock, lock: Lock) -> Lock:
    """Return *lock* with *previous*' entry for each repository without new packages."""
    old = {repository.id: repository for repository in previous.repositories}
    there = {(package.repository, package.sha256) for package in previous.packages}
    moved = {
        package.repository
        for package in lock.packages
        if (package.repository, package.sha256) not in there
    }
    repositories = tuple(
        repository
        if repository.id in moved or not _is_same(old.get(repository.id), repository)
        else old[repository.id]
        for repository in lock.repositories
    )
    return lock.model_copy(update={"repositories": repositories})


def _is_same(old: Repository | None, new: Repository) -> bool:
    """Return whether two entries describe one repository at two times."""
    return old is not None and (old.suite, old.components) == (new.suite, new.components)


def resolve_windows(spec: ImageSpec, sizes: Mapping[str, int]) -> Lock:
    """Return the lock of a Windows *spec*; *sizes* has each file's size by digest."""
    return Lock(
        image=spec.name,
        inputs_sha256=sha256_json(spec.lock_inputs()),
        source=spec.source,
        architecture=spec.gallery.architecture.debian,
        files=locked_files(spec, sizes),
        extensions=spec.extensions,
        installers=tuple(_installers(spec)),
    )


def _installers(spec: ImageSpec) -> Iterator[LockedInstaller]:
    for pin in spec.pins:
        match pin:
            case PackagePin():
                raise LockError(
                    f"{spec.name} pins the package {pin.name!r}, and Windows has none of Debian's",
                    hint="pin an 'agent' with its 'installer', a 'module' or a 'file'",
                )
            case AgentPin(installer=None):
                raise LockError(
                    f"{spec.name} pins the agent {pin.agent!r} without its installer",
                    hint="add 'installer:' with 'file:' and 'sha256:' to the pin",
                )
            case AgentPin(installer=Installer() as download):
                yield _locked(pin, download)
            case ModulePin():
                yield _locked(pin, pin)


def _locked(pin: AgentPin | ModulePin, download: Installer | ModulePin) -> LockedInstaller:
    return LockedInstaller(
        name=pin.name,
        version=pin.version,
        url=download.file,
        size=download.size,
        sha256=download.sha256,
        redirects=download.redirects,
    )


SUFFIX = ".lock.json"


@dataclass(frozen=True, slots=True, order=True)
class PackageMove:
    """A package whose locked version changed; None means absent."""

    name: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.name}: {self.new} is new"
        if self.new is None:
            return f"{self.name}: {self.old} is no longer needed"
        return f"{self.name}: {self.old} → {self.new}"


def lock_image(
    spec: ImageSpec,
    *,
    components: Mapping[str, tuple[str, ...]],
    previous: Lock | None,
    archives: Archives,
    mirror: Mirror,
    now: dt.datetime,
    progress: Progress,
    keep: bool = False,
) -> Lock:
    """Resolve *spec* against the archives as they are now, and fetch its files into *mirror*.

    Returns *previous* itself when only an archive's date has changed, so that a lock file
    changes only with its content. With *keep*, packages stay at their locked versions as far as
    the archive has them and the pins allow. An image of Windows has no packages, so only its
    files are fetched.
    """
    if spec.gallery.is_windows:
        return resolve_windows(spec, _file_sizes(spec, mirror, progress))
    local = local_base(spec)
    sizes = _file_sizes(spec, mirror, progress)
    with progress.step("Read the archives"):
        architecture = spec.gallery.architecture.debian
        suites = archives.open(local.suite, architecture, now=now, moment=local.snapshot)
    kept = (
        {package.name: package.version for package in previous.packages}
        if previous and keep
        else {}
    )
    with progress.step("Resolve packages"):
        lock = resolve(spec, components=components, suites=suites, sizes=sizes, keep=kept)
    if previous and keep:
        lock = with_old_dates(previous, lock)
    return previous if previous and _differs_in_dates_only(previous, lock) else lock


def relock(
    old: ImageSpec,
    spec: ImageSpec,
    *,
    components: Mapping[str, tuple[str, ...]],
    previous: Lock | None,
    archives: Callable[[], Archives],
    mirror: Callable[[], Mirror],
    now: dt.datetime,
    progress: Progress,
) -> Lock:
    """Return the lock of *spec*, edited from *old*, with the fewest changes.

    Where *previous* was fresh and the same packages are requested, only new files are fetched.
    """
    fresh = previous and previous.inputs_sha256 == sha256_json(old.lock_inputs())
    if previous is None or not fresh or package_inputs(old) != package_inputs(spec):
        return lock_image(
            spec,
            components=components,
            previous=previous,
            archives=archives(),
            mirror=mirror(),
            now=now,
            progress=progress,
            keep=True,
        )
    known = {file.sha256: file.size for file in previous.files}
    if any(file.sha256 not in known for file in spec.wanted_files):
        known |= _file_sizes(spec, mirror(), progress)
    if spec.gallery.is_windows:
        return resolve_windows(spec, known)
    return with_same_packages(previous, spec, known)


def heal(
    spec: ImageSpec,
    lock: Lock,
    gone: Sequence[Artifact],
    *,
    components: Mapping[str, tuple[str, ...]],
    archives: Archives,
    mirror: Mirror,
    now: dt.datetime,
    progress: Progress,
) -> tuple[Lock, tuple[PackageMove, ...]]:
    """Lock *spec* again because the archive no longer has *gone*; return the lock and its changes.

    Raises `ArtifactError` where that does not help: a pin is gone, or the archive lists files
    that it does not have.
    """
    healed = lock_image(
        spec,
        components=components,
        previous=lock,
        archives=archives,
        mirror=mirror,
        now=now,
        progress=progress,
    )
    wanted = {artifact.sha256 for artifact in healed.artifacts}
    if still := sorted(
        {f"{artifact.name} {artifact.version}" for artifact in gone if artifact.sha256 in wanted}
    ):
        raise ArtifactError(
            f"the archive names {', '.join(still)} and does not have it",
            hint="a mirror in the middle of an update does that; try again later",
        )
    return healed, package_moves(lock, healed)


def refuse_to_heal(lock: Lock, gone: Sequence[Artifact]) -> ArtifactError:
    """Return the error of `--locked` where healing would be needed."""
    names = ", ".join(sorted({f"{artifact.name} {artifact.version}" for artifact in gone}))
    return ArtifactError(
        f"the archive no longer has what the lock of {lock.image} names: {names}",
        hint=f"./inv lock {lock.image}, and have the new lock reviewed",
    )


def package_moves(old: Lock, new: Lock) -> tuple[PackageMove, ...]:
    """Return the packages whose version changed from *old* to *new*, by name."""
    before, after = _versions(old), _versions(new)
    return tuple(
        PackageMove(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def write_lock(path: Path, lock: Lock) -> bool:
    """Write *lock* to *path*; return false, without writing, if the file has it already."""
    if path.is_file() and path.read_bytes() == lock.canonical:
        return False
    write_atomically(path, lock.canonical)
    return True


def load_lock(path: Path) -> Lock:
    """Read the lock at *path*; raises `LockError` with the command that creates it."""
    image = path.name.removesuffix(SUFFIX)
    hint = f"./inv lock {image}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LockError(f"{image} has no lock", hint=hint) from None
    except OSError as error:
        raise LockError(f"{path.name} cannot be read: {error.strerror}", hint=hint) from error
    return read_lock(content, image)


def read_lock(content: bytes, image: str) -> Lock:
    """Parse the lock of *image*; raises `LockError` as `load_lock` does."""
    try:
        return Lock.model_validate_json(content)
    except pydantic.ValidationError as error:
        raise LockError(
            f"{image}{SUFFIX} {_complaint(content, error)}", hint=f"./inv lock {image}"
        ) from error


def check_lock(spec: ImageSpec, lock: Lock) -> None:
    """Raise `LockError`, with the command to run, unless *lock* is what *spec* demands.

    Only the two values are compared; no archive is read.
    """
    hint = f"./inv lock {spec.name}"
    if lock.image != spec.name:
        raise LockError(f"the lock of {spec.name} was made for {lock.image}", hint=hint)
    differences = list(_differences(spec, lock))
    if differences:
        raise LockError(f"the lock of {spec.name} is stale: {'; '.join(differences)}", hint=hint)
    if lock.inputs_sha256 != sha256_json(spec.lock_inputs()):
        raise LockError(f"the lock of {spec.name} is stale: its spec has changed", hint=hint)


def _differences(spec: ImageSpec, lock: Lock) -> Iterator[str]:
    """Yield the visible differences, in the order of the spec."""
    if lock.source != spec.source:
        yield f"the source is {spec.source.urn}, locked is {lock.source.urn}"
    if spec.local and lock.suite != spec.local.suite:
        yield f"the suite is {spec.local.suite}, locked is {lock.suite}"
    if lock.architecture != spec.gallery.architecture.debian:
        yield f"the architecture is {spec.gallery.architecture}, locked is {lock.architecture}"
    wanted, locked = _wanted_pins(spec), _locked_pins(lock)
    for name in [*wanted, *(name for name in locked if name not in wanted)]:
        if wanted.get(name) != locked.get(name):
            yield (
                f"{name} is pinned at {wanted.get(name, 'no version')},"
                f" locked at {locked.get(name, 'no version')}"
            )


def _wanted_pins(spec: ImageSpec) -> dict[str, str]:
    """Return the versions of the pins, files and extensions of *spec*, by name."""
    versions = {pin.name: pin.version for pin in spec.pins}
    versions |= {file.name: file.version for file in spec.wanted_files}
    return versions | {extension.handler: extension.version for extension in spec.extensions}


def _locked_pins(lock: Lock) -> dict[str, str]:
    versions: dict[str, str] = {}
    for step in lock.customizing:
        carried = {package.name: package.version for package in step.packages}
        if step.is_agent:
            versions[step.name] = carried.get(step.pins[0], "no version")
        else:
            versions |= {name: carried.get(name, "no version") for name in step.pins}
    versions |= {file.name: file.version for file in lock.files}
    versions |= {installer.name: installer.version for installer in lock.installers or ()}
    return versions | {extension.handler: extension.version for extension in lock.extensions}


def _complaint(content: bytes, error: pydantic.ValidationError) -> str:
    """Return why *content* is no readable lock."""
    try:
        version = json.loads(content)["lock_version"]
    except (ValueError, KeyError, TypeError):
        version = LOCK_VERSION
    if version != LOCK_VERSION:
        return f"has lock version {version!r}, and this imagebake writes {LOCK_VERSION}"
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"is not a lock: {place + ': ' if place else ''}{first['msg']}"


def _file_sizes(spec: ImageSpec, mirror: Mirror, progress: Progress) -> dict[str, int]:
    if not spec.wanted_files:
        return {}
    with progress.step("Mirror files", unit="B") as step:
        return {
            file.sha256: mirror.fetch_file(
                DownloadRequest(url=file.url, sha256=file.sha256, redirects=file.redirects or ()),
                step=step,
            )
            for file in spec.wanted_files
        }


def _versions(lock: Lock) -> dict[str, str]:
    return {artifact.name: artifact.version for artifact in lock.artifacts}


def _differs_in_dates_only(old: Lock, new: Lock) -> bool:
    if len(old.repositories) != len(new.repositories):
        return False
    dated = tuple(
        theirs.model_copy(update={"in_release_sha256": ours.in_release_sha256, "date": ours.date})
        for ours, theirs in zip(old.repositories, new.repositories, strict=True)
    )
    return old == new.model_copy(update={"repositories": dated})
