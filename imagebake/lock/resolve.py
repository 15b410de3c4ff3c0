"""Resolution of a spec's pins to exact packages."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import ArtifactError, LockError
from imagebake.lock.archive import Suite
from imagebake.lock.archive_index import Index, field
from imagebake.lock.solver import Choice, Solver
from imagebake.spec.lock import BASE, PACKAGES, Lock, LockedFile, LockedPackage, LockedStep
from imagebake.spec.model.image_spec import ImageSpec, LocalBase

_DEPENDS = re.compile(rb"^(?:Pre-)?Depends: (.*(?:\n[ \t].*)*)", re.MULTILINE)
_PROVIDES = re.compile(rb"^Provides: (.*(?:\n[ \t].*)*)", re.MULTILINE)
_NAME = re.compile(rb"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")


def reachable_stanzas(names: Iterable[str], indexes: Sequence[Index]) -> tuple[Index, ...]:
    """Reduce *indexes* to what *names* can lead to, by any alternative or provider."""
    providers = _providers(indexes)
    reached: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= providers.get(name, set()) - reached
        for index in indexes:
            for stanza in index.stanzas.get(name, ()):
                waiting |= set(_names_in(_DEPENDS, stanza)) - reached
    return tuple(
        Index({name: found for name, found in index.stanzas.items() if name in reached})
        for index in indexes
    )


def _providers(indexes: Sequence[Index]) -> dict[str, set[str]]:
    """Map virtual packages to the packages that provide them."""
    providers: dict[str, set[str]] = {}
    for index in indexes:
        for name, found in index.stanzas.items():
            for stanza in found:
                if b"\nProvides: " in stanza:
                    for provided in _names_in(_PROVIDES, stanza):
                        providers.setdefault(provided, set()).add(name)
    return providers


def _names_in(field: re.Pattern[bytes], stanza: bytes) -> Iterator[str]:
    for value in field.findall(stanza):
        for name in _NAME.findall(value):
            yield name.decode()


@dataclass(frozen=True, slots=True)
class _StepRequest:
    """The packages that one step requests, and the versions of the pinned ones."""

    step: str
    names: tuple[str, ...]
    versions: Mapping[str, str]

    @property
    def requests(self) -> tuple[str, ...]:
        """The requests in apt's syntax."""
        return tuple(
            f"{name}={self.versions[name]}" if name in self.versions else name
            for name in self.names
        )


def resolve(
    spec: ImageSpec,
    *,
    components: Mapping[str, tuple[str, ...]],
    suites: Sequence[Suite],
    sizes: Mapping[str, int],
    keep: Mapping[str, str] | None = None,
) -> Lock:
    """Resolve *spec* against *suites*.

    *components* maps a catalogue agent to its packages, the first of which carries the pinned
    version; *sizes* maps the digests of pinned files to their sizes. The same suites give the
    same lock, in whatever order they list their packages. Packages in *keep* stay at their
    version as far as the archive has it and the pins allow. Raises `ArtifactError` that names
    every pin the archive does not have.
    """
    local = local_base(spec)
    demands = _demands(spec, components)
    base = _base_names(local, suites)
    suites = _reachable(suites, demands, base)
    versions = _versions(demands, suites)
    demands = (_StepRequest(BASE, base, versions), *demands)
    _refuse_gone(spec, demands, suites)
    architecture = spec.gallery.architecture.debian
    steps = _steps_keeping(demands, suites, architecture, _kept(keep or {}, versions, suites))
    return Lock(
        image=spec.name,
        inputs_sha256=sha256_json(spec.lock_inputs()),
        source=spec.source,
        suite=local.suite,
        architecture=spec.gallery.architecture.debian,
        repositories=tuple(suite.repository for suite in suites),
        steps=steps,
        files=locked_files(spec, sizes),
        extensions=spec.extensions,
    )


def locked_files(spec: ImageSpec, sizes: Mapping[str, int]) -> tuple[LockedFile, ...]:
    """Return the locked files of *spec*; *sizes* has a size for each digest."""
    return tuple(
        LockedFile(
            name=file.name,
            version=file.version,
            url=file.url,
            size=sizes[file.sha256],
            sha256=file.sha256,
            destination=file.destination,
            mode=file.mode,
            redirects=file.redirects,
        )
        for file in spec.wanted_files
    )


def local_base(spec: ImageSpec) -> LocalBase:
    """Return the local base of *spec*; raises `LockError` when it has none."""
    if spec.local is None:
        raise LockError(
            f"{spec.name} does not say of which suite its image is, so it cannot be locked",
            hint="add 'local:' with 'suite:' to the spec",
        )
    return spec.local


def _demands(
    spec: ImageSpec, components: Mapping[str, tuple[str, ...]]
) -> tuple[_StepRequest, ...]:
    demands = []
    for agent in spec.agents:
        names = components.get(agent.agent)
        if not names:
            raise LockError(
                f"{spec.name} pins the agent {agent.agent!r}, which the catalogue does not have",
                hint=f"it has: {', '.join(sorted(components))}",
            )
        demands.append(_StepRequest(agent.name, names, {names[0]: agent.version}))
    if spec.packages:
        versions = {pin.package: pin.version for pin in spec.packages}
        demands.append(_StepRequest(PACKAGES, tuple(versions), versions))
    return tuple(demands)


def _versions(demands: Sequence[_StepRequest], suites: Sequence[Suite]) -> dict[str, str]:
    """Return the versions that hold for every step: the pins', and those of their siblings.

    Packages of one source often depend on each other at exactly their own version, and apt
    considers one candidate of each only.
    """
    pinned = {name: version for demand in demands for name, version in demand.versions.items()}
    siblings = {
        sibling: version
        for name, version in sorted(pinned.items())
        for suite in suites
        for sibling in suite.index.siblings(name, version)
    }
    return siblings | pinned


def _base_names(local: LocalBase, suites: Sequence[Suite]) -> tuple[str, ...]:
    minimal = {name for suite in suites for name in suite.index.minimal()}
    return tuple(sorted({*minimal, "apt", *local.packages}))


def _reachable(
    suites: Sequence[Suite], demands: Sequence[_StepRequest], base: Sequence[str]
) -> tuple[Suite, ...]:
    names = {*base, *(name for demand in demands for name in demand.names)}
    indexes = reachable_stanzas(names, [suite.index for suite in suites])
    return tuple(replace(suite, index=index) for suite, index in zip(suites, indexes, strict=True))


def _refuse_gone(spec: ImageSpec, demands: Sequence[_StepRequest], suites: Sequence[Suite]) -> None:
    """Raise `ArtifactError` that names every missing pin, not just the first."""
    complaints: list[str] = []
    pins: list[str] = []
    for demand in demands:
        for name in demand.names:
            there = [version for suite in suites for version in suite.index.versions(name)]
            wanted = demand.versions.get(name)
            if not there:
                complaints.append(f"  {name}: there is no such package")
            elif demand.step != BASE and wanted and wanted not in there:
                complaints.append(f"  {name} {wanted}: there is {', '.join(dict.fromkeys(there))}")
                pins.append(name if demand.step == PACKAGES else demand.step)
    if complaints:
        # With one pin of several, the others would be missing still.
        only = f" --only {pins[0]}" if len(pins) == 1 else ""
        raise ArtifactError(
            f"the archive does not have what {spec.name} asks for\n" + "\n".join(complaints),
            hint=f"./inv bump {spec.name}{only}" if pins else "is the name right?",
        )


def _kept(
    keep: Mapping[str, str], versions: Mapping[str, str], suites: Sequence[Suite]
) -> list[dict[str, str]]:
    """Yield ever smaller sets to keep: all; all that the moving pins do not reach; nothing."""
    there = {
        name: version
        for name, version in keep.items()
        if any(version in suite.index.versions(name) for suite in suites)
    }
    if not there:
        return [{}]
    moving = {name for name, version in versions.items() if keep.get(name) != version}
    reached = reachable_stanzas(moving, [suite.index for suite in suites])
    touched = {name for index in reached for name in index.stanzas}
    apart = {name: version for name, version in there.items() if name not in touched}
    return [there, apart, {}]


def _steps_keeping(
    demands: Sequence[_StepRequest],
    suites: Sequence[Suite],
    architecture: str,
    kept: Sequence[Mapping[str, str]],
) -> tuple[LockedStep, ...]:
    """Return the steps with as many kept versions as apt can satisfy."""
    for keep in kept[:-1]:
        with contextlib.suppress(LockError):
            return _steps(demands, suites, architecture, keep)
    return _steps(demands, suites, architecture, {})


def _steps(
    demands: Sequence[_StepRequest],
    suites: Sequence[Suite],
    architecture: str,
    keep: Mapping[str, str],
) -> tuple[LockedStep, ...]:
    indexes = [suite.index.text for suite in suites]
    steps: list[LockedStep] = []
    with tempfile.TemporaryDirectory(prefix="imagebake-apt-") as name:
        solver = Solver(Path(name), architecture)
        solver.prepare(indexes, {**keep, **demands[0].versions})
        for demand in demands:
            chosen = solver.install(demand.requests)
            packages = [_locate(choice, suites, architecture) for choice in chosen]
            solver.installed([stanza for _, stanza in packages])
            added = [package for package, _ in packages]
            steps.append(_step(demand, added, steps))
    return tuple(steps)


def _step(
    demand: _StepRequest, added: Sequence[LockedPackage], before: Sequence[LockedStep]
) -> LockedStep:
    """Return the step with its requests, even those that an earlier step has installed.

    A marketplace image is not exactly our base: what is pinned must be in the bundle.
    """
    names = {package.name for package in added}
    earlier = {package.name: package for step in before for package in step.packages}
    again = [earlier[name] for name in demand.names if name not in names and name in earlier]
    return LockedStep(name=demand.step, pins=demand.names, packages=(*added, *again))


def _locate(
    choice: Choice, suites: Sequence[Suite], architecture: str
) -> tuple[LockedPackage, bytes]:
    for suite in suites:
        found = suite.index.find(choice.name, choice.version, architecture)
        if found:
            package = LockedPackage(
                name=choice.name,
                version=choice.version,
                architecture=found["Architecture"],
                repository=suite.repository.id,
                path=field(found, "Filename").removeprefix("./"),
                size=int(field(found, "Size")),
                sha256=field(found, "SHA256"),
            )
            return package, _stanza(found)
    raise ArtifactError(f"apt chose {choice.name} {choice.version}, which no index has")


def _stanza(package: Mapping[str, str]) -> bytes:
    return "\n".join(f"{name}: {value}" for name, value in package.items()).encode()
