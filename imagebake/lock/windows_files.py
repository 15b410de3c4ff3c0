"""The lock of a Windows image, which nobody has to be asked for: its digests are the spec's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import LockError
from imagebake.lock.resolve import locked_files
from imagebake.spec.lock import Lock, LockedInstaller
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import AgentPin, Installer, ModulePin, PackagePin


def resolve_windows(spec: ImageSpec, sizes: Mapping[str, int]) -> Lock:
    """The lock of *spec*; *sizes* has the size of every pinned file by its digest."""
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
