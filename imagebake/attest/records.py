"""Names and sources of an image version's attestations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagebake.azure.model.manifest import BakeManifest
from imagebake.inspection.contents import InstalledPackage
from imagebake.spec.lock import Lock, LockedFile, LockedPackage
from imagebake.spec.model.pins import ExtensionPin
from imagebake.spec.plan import BakePlan

SBOM, PROVENANCE, ENVELOPE = "sbom.cdx.json", "provenance.intoto.json", "provenance.dsse.json"
"""Names of the records, next to the manifest; the envelope only if the provenance is signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakedVersion:
    """An image version with the manifest and the plan of its bake."""

    manifest: BakeManifest
    plan: BakePlan

    @property
    def lock(self) -> Lock:
        """The lock that the version was baked from; the repository's may be newer."""
        return self.plan.lock

    @property
    def family(self) -> str:
        """The distribution as package URLs spell it, such as `debian`."""
        archive = self.lock.repositories[0].id if self.lock.repositories else "debian"
        return archive.partition("/")[0].partition("-")[0].lower()

    def locked(self) -> dict[tuple[str, str, str], tuple[LockedPackage, str]]:
        """Return the packages of the lock, each with its first step.

        The keys are name, version and architecture.
        """
        found: dict[tuple[str, str, str], tuple[LockedPackage, str]] = {}
        for step in self.lock.steps:
            for package in step.packages:
                key = (package.name, package.version, package.architecture)
                found.setdefault(key, (package, step.name))
        return found

    def agents(self) -> dict[str, str]:
        """Return the agent that each package was installed for, by package name."""
        return {
            name: step.name for step in self.lock.customizing if step.is_agent for name in step.pins
        }

    def brought(self) -> Iterator[tuple[LockedFile, ExtensionPin | str]]:
        """Yield the files of the lock, each with its extension, its agent's name, or ''."""
        owners: dict[str, ExtensionPin | str] = {
            file.destination: pin for pin in self.plan.spec.extensions if (file := pin.wanted_file)
        }
        owners |= {
            file.destination: pin.name for pin in self.plan.spec.agents if (file := pin.wanted_file)
        }
        return ((file, owners.get(file.destination, "")) for file in self.lock.files)


def packages_with_files(packages: tuple[InstalledPackage, ...]) -> tuple[InstalledPackage, ...]:
    """Return the *packages* that are more than leftover configuration."""
    return tuple(package for package in packages if not package.gone)
