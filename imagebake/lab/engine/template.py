"""Read an image template: its customizers and validators as build steps, and unsupported parts."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import sha256_bytes, sha256_json
from imagebake.kernel.host import system_packages
from imagebake.lab.engine.base import USER
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.recipe import BaseRecipe

Fetch = Callable[[str, str | None], bytes | Path]
"""Fetches an address; the second argument is the SHA-256 it must have, if any."""

MIRROR = "/run/imagebake/mirror"
"""The mount point of the mirror in every step, read-only."""

_NETWORK = re.compile(rb"^\s*#\s*imagebake:\s*network=required\s*$", re.MULTILINE)
WINDOWS = ("PowerShell", "WindowsRestart", "WindowsUpdate")
"""Step types that run on Windows only."""
_UPLOAD = 20 << 20
"""Largest file that a File customizer takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStep:
    """One action in the image: run *content*, or write it to *destination*."""

    name: str
    provisioner: str
    content: bytes
    destination: str = ""
    user: str = USER
    network: bool = False

    def key(self, previous: str) -> str:
        """Return the key of the layer that this step makes on the layer *previous*."""
        return sha256_json(
            [
                previous,
                self.provisioner,
                sha256_bytes(self.content),
                self.destination,
                self.user,
                self.network,
            ]
        )


def build_step(
    described: Mapping[str, Any], number: int, *, fetch: Fetch, mirror: Path | None, network: bool
) -> BuildStep:
    """Turn a customizer or validator of a template into a step; fetch the file it names."""
    kind = str(described.get("type", ""))
    name = str(described.get("name") or f"{kind} {number}")
    if kind in WINDOWS:
        raise EngineFailed(
            f"{name}: {kind} customizes Windows, and this builder makes Linux images",
            code="UnsupportedCustomizerType",
            step=name,
        )
    if kind == "Shell":
        content = _script(described, name, fetch=fetch, mirror=mirror)
        plugged = network or bool(_NETWORK.search(content))
        return BuildStep(name=name, provisioner="shell", content=content, network=plugged)
    if kind == "File":
        return _file(described, name, fetch=fetch, mirror=mirror)
    raise EngineFailed(
        f"{name}: there is no customizer type {kind!r}", code="BadCustomizerType", step=name
    )


def verify_download(
    described: Mapping[str, Any], number: int, *, fetch: Fetch, mirror: Path | None
) -> bool:
    """Fetch the file that a step names, if any, and compare its checksum.

    For steps that cannot run here. Returns whether there is such a file; raises `EngineFailed` if
    its checksum differs.
    """
    uri = described.get("scriptUri") or described.get("sourceUri")
    if not uri:
        return False
    name = str(described.get("name") or f"{described.get('type')} {number}")
    _bring(str(uri), described.get("sha256Checksum"), name, fetch=fetch, mirror=mirror)
    return True


def _script(described: Mapping[str, Any], name: str, *, fetch: Fetch, mirror: Path | None) -> bytes:
    inline, uri = described.get("inline"), described.get("scriptUri")
    if bool(inline) == bool(uri):
        raise EngineFailed(
            f"{name}: a Shell customizer has either inline or scriptUri",
            code="NoCustomizerScript",
            step=name,
        )
    if inline:
        return ("#!/bin/sh -e\n" + "\n".join(map(str, inline)) + "\n").encode()
    return _bring(str(uri), described.get("sha256Checksum"), name, fetch=fetch, mirror=mirror)


def _file(
    described: Mapping[str, Any], name: str, *, fetch: Fetch, mirror: Path | None
) -> BuildStep:
    destination = str(described.get("destination") or "")
    if not destination.startswith("/tmp/"):  # noqa: S108 - Azure allows no other place
        raise EngineFailed(
            f"{name}: Azure Image Builder puts files below /tmp only, not at {destination!r}",
            code="BadCustomizerType",
            step=name,
            hint="put it below /tmp and move it with a Shell customizer",
        )
    uri = str(described.get("sourceUri") or "")
    content = _bring(uri, described.get("sha256Checksum"), name, fetch=fetch, mirror=mirror)
    if len(content) > _UPLOAD:
        raise EngineFailed(
            f"{name}: {uri} has {len(content)} bytes, and a File customizer takes 20 MB",
            code="BadCustomizerType",
            step=name,
        )
    return BuildStep(name=name, provisioner="file", content=content, destination=destination)


def _bring(uri: str, wanted: object, name: str, *, fetch: Fetch, mirror: Path | None) -> bytes:
    digest = str(wanted) if wanted else None
    found = _in_mirror(uri, mirror) or fetch(uri, digest)
    content = found if isinstance(found, bytes) else found.read_bytes()
    has = hashlib.sha256(content).hexdigest()
    if digest and has != digest:
        shown = uri.partition("?")[0]
        raise EngineFailed(
            f"{name}: {shown} has sha256 {has}, and the template wants {digest}",
            code="ChecksumMismatch",
            step=name,
        )
    return content


def _in_mirror(uri: str, mirror: Path | None) -> Path | None:
    """Return the file of the mirror that *uri* names, if it is a path below `MIRROR`."""
    prefix = f"file://{MIRROR}/"
    if mirror is None or not uri.startswith(prefix):
        return None
    path = (mirror / urllib.parse.unquote(uri.removeprefix(prefix))).resolve()
    if not path.is_relative_to(mirror.resolve()) or not path.is_file():
        raise EngineFailed(f"the mirror has no {uri.removeprefix(prefix)}")
    return path


_NAMED = 3
"""Number of steps of a type that are named; the others are counted."""


def unsupported_reason(properties: Mapping[str, Any], recipe: BaseRecipe | None) -> str:
    """Return why a template cannot run here, in one sentence; empty if it can."""
    reasons = []
    if recipe is None:
        named = named_source(properties.get("source") or {})
        reasons.append(f"no base on this machine stands in for the source {named}")
    elif recipe.architecture != system_packages.architecture():
        own = system_packages.architecture()
        reasons.append(f"this machine runs {own}, and the image is for {recipe.architecture}")
    checks = properties.get("validate") or {}
    steps = (*(properties.get("customize") or ()), *(checks.get("inVMValidations") or ()))
    if windows := ", ".join(_windows(steps)):
        reasons.append(f"this builder makes Linux images, and cannot run {windows}")
    return "; ".join(reasons)


def ignored_parts(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of a template that have no effect here: they describe Azure's machines."""
    parts = {
        "optimize": "optimize",
        "additionalDataDisks": "further disks",
        "managedResourceTags": "tags of what Azure makes for the build",
    }
    network = (properties.get("vmProfile") or {}).get("vnetConfig")
    return (
        *(words for key, words in parts.items() if properties.get(key)),
        *(("a virtual network",) if network else ()),
    )


def named_source(source: Mapping[str, Any]) -> str:
    """Return the name of a template's source as people know it."""
    parts = [str(source[key]) for key in _URN if key in source]
    named = ":".join(parts) or source.get("imageId") or source.get("imageVersionId")
    return str(named or source.get("type", "nothing"))


_URN = ("publisher", "offer", "sku", "version")


def _windows(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the steps that need Windows, by type: `2 PowerShell steps (a, b)`."""
    found: dict[str, list[str]] = {}
    for number, step in enumerate(steps, start=1):
        kind = str(step.get("type", ""))
        if kind in WINDOWS:
            found.setdefault(kind, []).append(str(step.get("name") or f"step {number}"))
    for kind, names in found.items():
        shown = ", ".join(names[:_NAMED])
        if len(names) > _NAMED:
            shown += f" and {len(names) - _NAMED} more"
        yield f"{len(names)} {kind} step{'s' if len(names) > 1 else ''} ({shown})"
