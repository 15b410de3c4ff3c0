"""What is said of a version to others: the names of the records, and who is meant by what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagebake.azure.model.manifest import BakeManifest
from imagebake.inspection.contents import InstalledPackage
from imagebake.spec.lock import Lock, LockedFile, LockedPackage
from imagebake.spec.model.pins import ExtensionPin
from imagebake.spec.plan import BakePlan

SBOM, PROVENANCE, ENVELOPE = "sbom.cdx.json", "provenance.intoto.json", "provenance.dsse.json"
"""The records, next to the manifest; the envelope only where a key signed the provenance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakedVersion:
    """A version as its bake wrote it down: the manifest, and the plan that it carried out."""

    manifest: BakeManifest
    plan: BakePlan

    @property
    def lock(self) -> Lock:
        """The lock that it was baked from, which need not be the one in the repository."""
        return self.plan.lock

    @property
    def family(self) -> str:
        """The distribution as package URLs have it, such as `debian`."""
        archive = self.lock.repositories[0].id if self.lock.repositories else "debian"
        return archive.partition("/")[0].partition("-")[0].lower()

    def locked(self) -> dict[tuple[str, str, str], tuple[LockedPackage, str]]:
        """Every package of the lock, by name, version and architecture, with its first step."""
        found: dict[tuple[str, str, str], tuple[LockedPackage, str]] = {}
        for step in self.lock.steps:
            for package in step.packages:
                key = (package.name, package.version, package.architecture)
                found.setdefault(key, (package, step.name))
        return found

    def agents(self) -> dict[str, str]:
        """The agent that each of its packages is installed for, by the package's name."""
        return {
            name: step.name for step in self.lock.customizing if step.is_agent for name in step.pins
        }

    def brought(self) -> Iterator[tuple[LockedFile, ExtensionPin | str]]:
        """The files of the lock, each with the extension, or the agent, that it is; or nothing."""
        owners: dict[str, ExtensionPin | str] = {
            file.destination: pin for pin in self.plan.spec.extensions if (file := pin.wanted_file)
        }
        owners |= {
            file.destination: pin.name for pin in self.plan.spec.agents if (file := pin.wanted_file)
        }
        return ((file, owners.get(file.destination, "")) for file in self.lock.files)


def packages_with_files(packages: tuple[InstalledPackage, ...]) -> tuple[InstalledPackage, ...]:
    """Those of *packages* of which more is left than configuration."""
    return tuple(package for package in packages if not package.gone)
