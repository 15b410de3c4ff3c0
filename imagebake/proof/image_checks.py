"""Checks of `validate` on baked versions: contents, first boots and disk boots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagebake.kernel.context import Context
from imagebake.kernel.errors import LockError
from imagebake.lab.proof_result import ProofScope
from imagebake.proof.disk_boot import boot_version
from imagebake.proof.first_boots import prove_version
from imagebake.proof.validate import (
    ValidationReport,
    merge_reports,
    report_disk,
    report_image,
    report_proof,
)
from imagebake.session.session import CloudSession, connect, find_version
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


@dataclass(frozen=True, slots=True)
class VersionChecks:
    """Checks of *version*, or of the newest.

    *wish* is None where there are to be no first boots; *boot* is about the disk.
    """

    context: Context
    version: str | None
    wish: ProofScope | None
    boot: bool

    def with_images(
        self, checked: Iterable[tuple[ImageSpec, Lock | None, ValidationReport]]
    ) -> list[ValidationReport]:
        """Join each spec's report with the findings over its version."""
        complete = []
        with connect(self.context) as session:
            for spec, lock, report in checked:
                if lock is None:
                    raise LockError(f"{spec.name} has no lock", hint=f"./inv lock {spec.name}")
                complete.append(merge_reports((report, *self._of_version(spec, lock, session))))
        return complete

    def _of_version(
        self, spec: ImageSpec, lock: Lock, session: CloudSession
    ) -> Iterator[ValidationReport]:
        found = find_version(self.context, spec, self.version, session)
        name = f"{spec.name}@{found.version}"
        with (
            self.context.progress.step(f"Read {name}"),
            session.images.open_tar(found.id) as stream,
        ):
            yield report_image(name, stream, spec, lock, catalogue=CATALOGUE)
        if self.wish:
            yield report_proof(prove_version(self.context, spec, found, session, self.wish))
        if self.boot:
            yield report_disk(boot_version(self.context, spec, found, session))
