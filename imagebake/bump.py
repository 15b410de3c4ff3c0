"""Move pins on purpose: which version each could move to, and what the archive has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imagebake.errors import ArtifactError, UsageError
from imagebake.model.pins import AgentPin, FilePin
from imagebake.model.spec import ImageSpec
from imagebake.model.versions import DebianVersion
from imagebake.pins.archive import Suite


@dataclass(frozen=True, slots=True)
class PinMove:
    """A pin, the version it has and the one it gets."""

    name: str
    old: str
    new: str


def choose(
    spec: ImageSpec,
    suites: Sequence[Suite],
    *,
    components: Mapping[str, tuple[str, ...]],
    only: str,
    to: str,
) -> tuple[PinMove, ...]:
    """What moves: every pin to the newest version in *suites*, or *only* one, to *to* if given.

    A pinned file moves by hand, because its digest moves with it. Raises `UsageError` for a
    pin that the spec does not have, and `ArtifactError` for a version the archive does not.
    """
    pins = [pin for pin in spec.pins if only in ("", pin.name)]
    if not pins:
        named = ", ".join(pin.name for pin in spec.pins)
        raise UsageError(f"{spec.name} pins nothing called {only!r}", hint=f"pins: {named}")
    if to and not only:
        raise UsageError("--to is the version of one pin", hint="--only PIN says which")
    moves = []
    for pin in pins:
        if isinstance(pin, FilePin):
            if only:
                raise UsageError(
                    f"{pin.name} is a file: its address, version and sha256 move together",
                    hint=f"edit them in image_specs/, then ./inv lock {spec.name}",
                )
            continue
        package = components[pin.agent][0] if isinstance(pin, AgentPin) else pin.package
        moves.append(PinMove(pin.name, pin.version, _newest(package, suites, to)))
    return tuple(move for move in moves if move.old != move.new)


def _newest(package: str, suites: Sequence[Suite], to: str) -> str:
    there = {version for suite in suites for version in suite.index.versions(package)}
    if not there:
        raise ArtifactError(f"the archive has no package {package}")
    if to and to not in there:
        raise ArtifactError(
            f"the archive has no {package} {to}", hint=f"it has {', '.join(sorted(there))}"
        )
    return to or max(there, key=DebianVersion)
