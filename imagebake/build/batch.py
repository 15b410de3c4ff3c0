"""Bake several images in sequence, attest the new versions, and prove them offline."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagebake.attest.attestations import open_attestor, signing_key
from imagebake.azure.model.manifest import BakeResult
from imagebake.build.preconditions import reason_not_bakeable
from imagebake.build.run_notes import (
    require_plan,
    require_providers,
    require_runs_under_way,
    runs_under_way,
)
from imagebake.build.workspace_bake import bake_image, resume_image
from imagebake.kernel.context import Context, format_error
from imagebake.kernel.errors import BakeFailed, ImagebakeError, ValidationFailed
from imagebake.lab.proof_result import ProofScope
from imagebake.pins import review_due
from imagebake.proof import first_boots
from imagebake.proof.records import FAILED, PASSED
from imagebake.proof.validate import report_proof
from imagebake.session.session import CloudSession, connect
from imagebake.spec.model.image_spec import ImageSpec

UNPROVEN = "not proven"


@dataclass(slots=True, kw_only=True)
class BakeBatch:
    """The images of one `bake`, with the result of each.

    With *keep_going* an image that fails is kept in *failures*, and the next one follows. The
    *emergency* is why late reviews do not stop the bake; it becomes a tag of the versions.
    """

    context: Context
    locked: bool
    force: bool
    prove: bool
    emergency: str
    keep_going: bool
    results: list[BakeResult] = field(default_factory=list)
    proofs: dict[str, tuple[str, str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failures: dict[str, ImagebakeError] = field(default_factory=dict)

    def run(self, specs: Sequence[ImageSpec], *, resume: bool) -> None:
        """Bake *specs*; with *resume* start nothing, and follow the runs that are under way."""
        signing_key(self.context)  # raises for a file that is no key, before anything is built
        with connect(self.context) as connected:
            destination = dataclasses.replace(
                connected.destination, emergency=self.emergency or None
            )
            session = dataclasses.replace(connected, destination=destination)
            require_providers(self.context, session)
            for spec in specs:
                if reason := self._reason_to_skip(spec, resume=resume):
                    self.skipped[spec.name] = reason
                    continue
                with self._failure_kept(spec.name):
                    if resume:
                        self._resume(spec, session)
                        continue
                    self._require_reviewed(spec)
                    # Called here, and not in a method like `_resume`: a failed bake's traceback
                    # is long enough.
                    result = bake_image(
                        self.context, spec, session, locked=self.locked, force=self.force
                    )
                    self._finish(spec, result, session)

    def _reason_to_skip(self, spec: ImageSpec, *, resume: bool) -> str | None:
        if not self.keep_going:
            return None
        if reason := reason_not_bakeable(self.context, spec):
            return reason
        nothing_to_resume = resume and not runs_under_way(self.context, spec.name)
        return "no run of it is under way" if nothing_to_resume else None

    @contextlib.contextmanager
    def _failure_kept(self, image: str) -> Iterator[None]:
        try:
            yield
        except ImagebakeError as error:
            if not self.keep_going:
                raise
            self.failures[image] = error
            self.context.progress.note(format_error(error))

    def _require_reviewed(self, spec: ImageSpec) -> None:
        self.context.progress.note(f"bake {spec.name}")
        for note in review_due.require_reviewed(
            spec, today=self.context.now.date(), emergency=self.emergency
        ):
            self.context.progress.note(note)

    def _resume(self, spec: ImageSpec, session: CloudSession) -> None:
        self.context.progress.note(f"resume {spec.name}")
        for note in require_runs_under_way(self.context, spec, session):
            # The plan of the run and not the spec of today: that may have changed since.
            planned = require_plan(note).spec
            self._finish(planned, resume_image(self.context, note, session), session)

    def _finish(self, spec: ImageSpec, result: BakeResult, session: CloudSession) -> None:
        """Attest and prove the baked version."""
        self.results.append(result)
        # The contents of a version in Azure cannot be read from here, so it has no digest.
        if result.made and result.manifest.content_sha256:
            with self.context.progress.step("Write SBOM and provenance"):
                open_attestor(self.context, result.version, session).attest(anew=True)
        self.proofs[spec.name] = self._proof(spec, result, session)

    def _proof(self, spec: ImageSpec, result: BakeResult, session: CloudSession) -> tuple[str, str]:
        """Return the verdict over a version, kept or new, and the reason where there is none."""
        keeper = first_boots.record_keeper(self.context, result.version)
        if verdict := keeper.verdict():
            for reason in keeper.reasons():
                self.context.progress.note(reason)
            return verdict, ""
        if not self.prove:
            return UNPROVEN, "--no-proof"
        facts = first_boots.prove_version(self.context, spec, result.version, session, ProofScope())
        report = report_proof(facts)
        if report.findings:
            self.context.progress.note(str(report))
        if facts.proof is None:
            return UNPROVEN, facts.hindrance
        return (PASSED if facts.proof.passed else FAILED), ""

    def to_json(self) -> dict[str, Any]:
        """Return the result of each image, for programs."""
        return {
            "images": [
                result.to_json() | {"proof": self.proofs.get(result.image, (UNPROVEN,))[0]}
                for result in self.results
            ],
            "left": self.skipped,
            "failed": {name: error.message for name, error in self.failures.items()},
        }

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row of a table for each image: name, version, outcome, content, proof."""
        rows = [_row(result, self._proof_text(result.image)) for result in self.results]
        rows += [(name, "-", "left", reason, "-") for name, reason in self.skipped.items()]
        rows += [(name, "-", "failed", error.message, "-") for name, error in self.failures.items()]
        return rows

    def raise_failures(self, count: int) -> None:
        """Raise `BakeFailed` or `ValidationFailed` where some of *count* images failed."""
        if self.failures:
            raise BakeFailed(
                f"{len(self.failures)} of {count} images failed: {', '.join(self.failures)}",
                hint="each has its reason above; ./inv bake IMAGE bakes one alone",
            )
        if unproven := [name for name, (verdict, _) in self.proofs.items() if verdict == FAILED]:
            raise ValidationFailed(
                f"{', '.join(unproven)}: the offline proof failed",
                hint=f"./inv validate {unproven[0]} says why; ./inv ledger {unproven[0]}",
            )

    def _proof_text(self, image: str) -> str:
        verdict, why = self.proofs.get(image, (UNPROVEN, ""))
        return f"{verdict}: {why}" if why else verdict


def _row(result: BakeResult, proof: str) -> tuple[str, ...]:
    content = result.manifest.content_sha256
    about = f"sha256:{content[:16]}" if content else "in Azure"
    if result.made:
        about += f" in {sum(result.manifest.seconds.values()):.1f} s"
    outcome = "baked" if result.made else "unchanged"
    return result.image, str(result.version.version), outcome, about, proof
