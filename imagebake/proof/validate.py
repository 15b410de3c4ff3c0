"""Check specs, locks and baked images against the rules."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from imagebake.inspection.contents import Contents, Leak
from imagebake.inspection.secrets import find_secrets
from imagebake.inspection.tree import read_contents
from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import ValidationFailed
from imagebake.lab.proof_result import Proof
from imagebake.policy.facts import DiskFacts, ImageFacts, ProofFacts, SpecFacts
from imagebake.policy.registry import (
    IMAGE_RULES,
    SPEC_RULES,
    judge_disk,
    judge_image,
    judge_proof,
    judge_spec,
)
from imagebake.policy.rule import Finding
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.steps import InlineCustomizer, InlineValidator


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """The findings about *subject*: an image's name, or `IMAGE@VERSION`.

    *checked* describes in words which rules were checked against which data.
    """

    subject: str
    checked: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """Number of findings that fail the check."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    def __str__(self) -> str:
        """The findings for people, and a last line that counts them."""
        warnings = len(self.findings) - self.errors
        counted = f"{_counted(self.errors, 'error')}, {_counted(warnings, 'warning')}"
        shown = [*map(str, self.findings), *self.checked]
        return "\n".join([*shown, f"{self.subject}: {counted}"])

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "subject": self.subject,
            "passed": not self.errors,
            "checked": list(self.checked),
            "findings": [finding.to_json() for finding in self.findings],
        }


def validate_spec(
    spec: ImageSpec,
    lock: Lock | None,
    *,
    catalogue: Catalogue,
    location: str,
    today: dt.date,
    gallery: str = "",
    others: Sequence[ImageSpec] = (),
    rendered: Mapping[str, bytes] | None = None,
) -> tuple[Finding, ...]:
    """Check *spec* and its lock against the rules that need no image.

    *location* is the gallery's region, *gallery* its id. *others* are the repository's specs, which
    may include *spec*. *rendered* is the content for Azure by name, searched for secrets.
    """
    texts = {**dict(_texts(spec)), **(rendered or {})}
    return judge_spec(
        SpecFacts(
            spec=spec,
            lock=lock,
            fresh=lock is not None and lock.inputs_sha256 == sha256_json(spec.lock_inputs()),
            catalogue=catalogue.on(spec.distribution),
            location=location,
            today=today,
            gallery=gallery,
            others=tuple(others),
            leaks=_leaks(texts),
        )
    )


def conflicting_specs(specs: Iterable[ImageSpec]) -> Mapping[str, tuple[ImageSpec, ...]]:
    """Return, by name, the other specs that claim the same definition, identifier or staging group.

    `validate_spec` needs no more of the others, and mostly there are none.
    """
    claims: dict[Any, list[ImageSpec]] = {}
    for spec in specs:
        claims.setdefault(spec.gallery.definition.lower(), []).append(spec)
        claims.setdefault(spec.gallery.identifier, []).append(spec)
        if group := spec.build.staging_resource_group:
            claims.setdefault(group.lower(), []).append(spec)
    found: dict[str, dict[str, ImageSpec]] = {}
    for together in claims.values():
        if len(together) > 1:
            for spec in together:
                found.setdefault(spec.name, {}).update(
                    {claimant.name: claimant for claimant in together}
                )
    return {name: tuple(others.values()) for name, others in found.items()}


def validate_contents(
    contents: Contents, spec: ImageSpec, lock: Lock, *, catalogue: Catalogue
) -> tuple[Finding, ...]:
    """Check the content of an image against *lock* and the rules of hygiene."""
    known = catalogue.on(spec.distribution)
    facts = ImageFacts(spec=spec, lock=lock, contents=contents, catalogue=known)
    return judge_image(facts)


def report_spec(spec: ImageSpec, findings: tuple[Finding, ...]) -> ValidationReport:
    """Report the findings of `validate_spec`."""
    checked = (f"checked {len(SPEC_RULES)} rules over the spec and its lock",)
    return ValidationReport(subject=spec.name, checked=checked, findings=findings)


def report_image(
    subject: str, stream: IO[bytes], spec: ImageSpec, lock: Lock, *, catalogue: Catalogue
) -> ValidationReport:
    """Read an image from a tar of its root file system, and report its findings.

    Raises `ValidationFailed` if it cannot be read; findings raise nothing.
    """
    contents = read_contents(stream)
    findings = validate_contents(contents, spec, lock, catalogue=catalogue)
    checked = (
        f"checked {len(IMAGE_RULES)} rules over {len(contents.packages)} packages"
        f" and {len(contents.files)} files"
    )
    return ValidationReport(subject=subject, checked=(checked,), findings=findings)


def report_proof(facts: ProofFacts) -> ValidationReport:
    """Report the results of first boots, or that there were none."""
    findings = judge_proof(facts)
    if facts.proof is None:
        return ValidationReport(
            subject=facts.subject, checked=("first boots: none",), findings=findings
        )
    done = (_in_words(facts.proof), *_controls(facts.proof))
    return ValidationReport(subject=facts.subject, checked=done, findings=findings)


def report_disk(facts: DiskFacts) -> ValidationReport:
    """Report how the disk of an image booted."""
    boot, findings = facts.boot, judge_disk(facts)
    if boot is None:
        return ValidationReport(
            subject=facts.subject, checked=("boot of the disk: none",), findings=findings
        )
    came = f"{boot.reached} after {boot.seconds:.1f} s" if boot.reached else "a silent console"
    how = ", ".join(filter(None, (boot.accelerator, "secure boot" if boot.secure else "")))
    where = f"; console: {facts.console}" if facts.console else ""
    checked = f"boot of the disk: {came}{how and f' ({how})'}{where}"
    return ValidationReport(subject=facts.subject, checked=(checked,), findings=findings)


def _in_words(proof: Proof) -> str:
    """Summarise the first boots: how many ran, were Ready, and sent nothing."""
    count, every = len(proof.seen), len(proof.wanted)
    ready = [result.seconds for result in proof.seen if result.ready and result.seconds is not None]
    silent = sum(result.ledger.clean for result in proof.seen)
    names = (
        ""
        if count == every
        else f" of {every} ({', '.join(result.trial for result in proof.seen)})"
    )
    times = f" in {min(ready):.1f} to {max(ready):.1f} s" if ready else ""
    return f"{_counted(count, 'first boot')}{names}: {len(ready)} Ready{times}, {silent} silent"


def _controls(proof: Proof) -> Iterator[str]:
    for control in proof.controls:
        names = ", ".join(control.seen.ledger.names)
        caught = (
            f"caught asking {names or 'an unknown address'}"
            if control.caught
            else "asked for nothing"
        )
        yield f"negative control, the image {control.what}: {caught}"


def merge_reports(reports: Sequence[ValidationReport]) -> ValidationReport:
    """Merge reports about the same image; the last one names the subject."""
    return ValidationReport(
        subject=reports[-1].subject,
        checked=tuple(line for report in reports for line in report.checked),
        findings=tuple(finding for report in reports for finding in report.findings),
    )


def require_passed(reports: Sequence[ValidationReport]) -> None:
    """Raise `ValidationFailed` unless every report is without errors."""
    failed = [report for report in reports if report.errors]
    if failed:
        errors = sum(report.errors for report in failed)
        names = ", ".join(report.subject for report in failed)
        raise ValidationFailed(
            f"{names}: {_counted(errors, 'error')}", hint="each finding says how to mend it"
        )


def _texts(spec: ImageSpec) -> Iterator[tuple[str, bytes]]:
    """Yield the texts of a spec that every reader in Azure can see, by name."""
    for step in (*spec.customizers, *spec.validators):
        lines = step.inline if isinstance(step, InlineCustomizer | InlineValidator) else ()
        yield step.name, "\n".join(lines or (json.dumps(step.to_json()),)).encode()
    for name, text in spec.tags.items():
        yield f"tag {name}", text.encode()
    yield "description", spec.description.encode()


def _leaks(texts: Mapping[str, bytes]) -> tuple[Leak, ...]:
    return tuple(leak for name, text in texts.items() for leak in find_secrets(name, text))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
