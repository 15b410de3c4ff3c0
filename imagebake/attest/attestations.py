"""Write and read the attestations of an image version: SBOM, provenance and signature."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from imagebake.attest.provenance import ENVELOPE, PROVENANCE, SBOM, BakedVersion, provenance
from imagebake.attest.sbom import sbom
from imagebake.attest.signatures import PrivateKey, load_private_key, sign
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.manifest import Records, read_manifest, record_name
from imagebake.inspection.contents import InstalledPackage
from imagebake.inspection.dpkg import installed
from imagebake.inspection.tree import read_contents
from imagebake.kernel.context import Context
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.errors import UsageError
from imagebake.lock import artifact_sources
from imagebake.session.session import CloudSession
from imagebake.spec.plan import PLAN, read_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestor:
    """Writes and reads the attestations of *version*; *packages* reads them from the image.

    Without a *signer* (no key is configured) the provenance is stored unsigned.
    """

    gallery: str
    version: GalleryVersion
    records: Records
    packages: Callable[[], tuple[InstalledPackage, ...]]
    signer: PrivateKey | None = None

    def baked(self) -> BakedVersion:
        """Read the records of the bake; raises `UsageError` if they are not here, or too old."""
        manifest = read_manifest(self.kept("manifest.json"))
        plan = read_plan(self.kept(PLAN))
        if manifest is None or plan is None:
            missing = "the manifest" if manifest is None else "the plan"
            raise UsageError(
                f"{missing} of {self.version.definition}@{self.version.version} is not in the"
                " records of this mirror",
                hint="records stay where a version was baked; ./inv bake IMAGE --force makes one",
            )
        if manifest.content_sha256 is None:
            raise UsageError(
                f"the contents of version {self.version.version} cannot be read: its disk is only"
                " in Azure",
                hint="only what was baked on this machine can be read, and so be vouched for",
            )
        return BakedVersion(manifest=manifest, plan=plan)

    def attest(self, *, anew: bool = False) -> None:
        """Store the SBOM and the provenance, signed if there is a key, unless they exist.

        *anew* replaces existing ones: they belong to a version with the same number in a gallery
        that was deleted.
        """
        baked = self.baked()
        self._keep(SBOM, lambda: sbom(baked, self.packages()), anew=anew)
        statement = self._keep(PROVENANCE, lambda: self._statement(baked), anew=anew)
        if signer := self.signer:
            make = functools.partial(sign, statement, signer)
            self._keep(ENVELOPE, lambda: canonical_json(make().to_json()), anew=anew)

    def document(self, record: str) -> bytes:
        """Return one of the records; write it first if it does not exist."""
        if self.kept(record) is None:
            self.attest()
        content = self.kept(record)
        if content is None:
            raise UsageError(
                "the provenance is not signed: no key is configured",
                hint="the setting signing_key names one: docs/concepts/sbom-and-provenance.md",
            )
        return content

    def kept(self, record: str) -> bytes | None:
        """Return a stored record of the version, or None."""
        return self.records.recorded(self._name(record))

    def _statement(self, baked: BakedVersion) -> bytes:
        made = {record: sha256_bytes(self.kept(record) or b"") for record in (PLAN, SBOM)}
        return canonical_json(provenance(baked, records=made))

    def _keep(self, record: str, make: Callable[[], bytes], *, anew: bool) -> bytes:
        content = None if anew else self.kept(record)
        if content is None:
            content = make()
            self.records.record(self._name(record), content)
        return content

    def _name(self, record: str) -> str:
        return record_name(self.gallery, self.version.definition, self.version.version, record)


def open_attestor(context: Context, version: GalleryVersion, session: CloudSession) -> Attestor:
    """Return the attestor of *version*, with the key that the settings name."""
    return Attestor(
        gallery=context.settings.gallery,
        version=version,
        records=artifact_sources.open_mirror(context),
        packages=lambda: installed_packages(version, session),
        signer=signing_key(context),
    )


def installed_packages(
    version: GalleryVersion, session: CloudSession
) -> tuple[InstalledPackage, ...]:
    """Read dpkg's list of the image: from its layers, which is fast, or from the whole image."""
    with session.images.layers(version.id) as layers:
        found = installed(layers)
    if found is not None:
        return found
    with session.images.open_tar(version.id) as stream:
        return read_contents(stream).packages


def signing_key(context: Context) -> PrivateKey | None:
    """Load the key that the settings name, if any; raises `UsageError` if it is none."""
    name = context.settings.signing_key
    return load_private_key(context.workspace.root / name, "signing_key") if name else None
