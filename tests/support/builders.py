"""Values with sensible defaults, so that a test shows only what matters to it."""

from __future__ import annotations

from typing import Any

from imagebake.kernel.digest import sha256_bytes, sha256_json
from imagebake.lock.locking import resolve_windows
from imagebake.spec.lock import BASE, Lock, LockedFile, LockedPackage, LockedStep, Repository
from imagebake.spec.model.image_spec import ImageSpec


def a_spec_document(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """A small valid spec as its YAML says it."""
    document: dict[str, Any] = {
        "name": "demo",
        "description": "A demonstration",
        "owner": "platform-team",
        "source": {
            "publisher": "Debian",
            "offer": "debian-12",
            "sku": "12-gen2",
            "version": "0.20260914.2237",
        },
        "local": {"suite": "bookworm", "packages": ("sudo", "ca-certificates")},
        "gallery": {
            "definition": "demo",
            "identifier": {"publisher": "imagebake", "offer": "demo", "sku": "base"},
            "generation": "V2",
            "security": "TrustedLaunchSupported",
            "architecture": "x64",
        },
        "pins": (
            {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},
            {"package": "jq", "version": "1.6-2.1+deb12u1"},
        ),
        "regions": ({"name": "westeurope", "replicas": 1},),
    }
    return document | changes


def a_spec(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A small valid spec."""
    return ImageSpec.model_validate(a_spec_document(**changes))


def a_package(name: str, version: str = "1.0-1", **changes: Any) -> LockedPackage:  # noqa: ANN401
    """A locked package whose digest follows from its name and version."""
    fields: dict[str, Any] = {
        "name": name,
        "version": version,
        "architecture": "amd64",
        "repository": "debian/bookworm",
        "path": f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        "size": 1000,
        "sha256": sha256_bytes(f"{name} {version}".encode()),
    }
    return LockedPackage.model_validate(fields | changes)


def a_lock(spec: ImageSpec | None = None, **changes: Any) -> Lock:  # noqa: ANN401 - any field
    """A lock that is fresh for *spec*: every pin alone in its step, with one base package.

    Windows has no packages: its lock is what it would be, with files of ten bytes.
    """
    spec = spec or a_spec()
    if spec.gallery.is_windows:
        lock = resolve_windows(spec, {file.sha256: 10 for file in spec.wanted_files})
        return lock.model_copy(update=changes)
    steps = [LockedStep(name=BASE, pins=("base-files",), packages=(a_package("base-files"),))]
    steps += [
        LockedStep(name=pin.name, pins=("waagent",), packages=(a_package("waagent", pin.version),))
        for pin in spec.agents
    ]
    if spec.packages:
        steps.append(
            LockedStep(
                name="packages",
                pins=tuple(pin.name for pin in spec.packages),
                packages=tuple(a_package(pin.name, pin.version) for pin in spec.packages),
            )
        )
    fields: dict[str, Any] = {
        "image": spec.name,
        "inputs_sha256": sha256_json(spec.lock_inputs()),
        "source": spec.source,
        "suite": spec.local.suite if spec.local else "bookworm",
        "architecture": spec.gallery.architecture.debian,
        "repositories": (
            Repository(
                id="debian/bookworm",
                suite="bookworm",
                components=("main",),
                in_release_sha256=sha256_bytes(b"InRelease"),
                date="Sat, 14 Nov 2026 09:00:00 UTC",
            ),
        ),
        "steps": tuple(steps),
        "files": tuple(
            LockedFile(
                name=file.name,
                version=file.version,
                url=file.url,
                size=10,
                sha256=file.sha256,
                destination=file.destination,
                mode=file.mode,
            )
            for file in spec.wanted_files
        ),
        "extensions": spec.extensions,
    }
    return Lock.model_validate(fields | changes)
