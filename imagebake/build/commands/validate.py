"""The task `validate`: rules over specs and locks, contents of images, and first boots."""

from __future__ import annotations

from typing import Annotated

from imagebake.build.plan import plan_bake
from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import LockError, UsageError
from imagebake.kernel.flags import EVERY, IMAGE, JSON, Flag, Word
from imagebake.lab.proof_result import ProofScope
from imagebake.lock import locking
from imagebake.lock.selection import select_specs, split_version, templates
from imagebake.proof.validate import (
    ValidationReport,
    conflicting_specs,
    report_spec,
    require_passed,
    validate_spec,
)
from imagebake.session.configured_ids import gallery_id
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import load_all
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


def validate(
    image: Annotated[str, Word(f"{IMAGE}, or IMAGE@VERSION")] = "",
    *,
    every: Annotated[bool, EVERY] = False,
    rules_only: Annotated[bool, Flag("only the rules over specs and locks; offline")] = False,
    proof: Annotated[
        bool, Flag("rules and contents, but no first boots", name="no-proof", inverse=True)
    ] = True,
    scenario: Annotated[
        str, Flag("only this first boot of the proof, such as hang, 409 or boot")
    ] = "",
    control: Annotated[bool, Flag("with --scenario: the negative control, too")] = False,
    boot: Annotated[
        bool, Flag("boot the exported disk on emulated hardware, too; takes a minute")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Check specs and, unless *rules_only*, their newest versions; exit 3 on errors.

    With *proof* the versions have first boots. *scenario* names one of them, which has a
    negative control only with *control*. With *boot* their disks are booted, too.
    """
    wish = ProofScope(scenario=scenario, control=control or not scenario)
    if (scenario or control) and (rules_only or not proof):
        raise UsageError("--scenario and --control are about first boots, which are left out")
    if boot and rules_only:
        raise UsageError("--boot is about versions, which --rules-only leaves out")
    context = open_context(quiet=as_json)
    name, version = split_version(image) if image else ("", None)
    specs = select_specs(context, name, every=every)
    known = (
        specs if every else load_all(context.workspace.specs, root=context.workspace.root).values()
    )
    others = conflicting_specs(known)
    read = {spec.name: _lock(context, spec) for spec in specs}
    reports = [_rules(context, spec, read[spec.name], others.get(spec.name, ())) for spec in specs]
    if not rules_only:
        from imagebake.proof.image_checks import VersionChecks

        checks = VersionChecks(context, version, wish if proof else None, boot)
        reports = checks.with_images(zip(specs, read.values(), reports, strict=True))
    if as_json:
        print_json([report.to_json() for report in reports])
    else:
        print("\n\n".join(map(str, reports)))
    require_passed(reports)


def _lock(context: Context, spec: ImageSpec) -> Lock | None:
    """The lock of *spec*; None when there is none, which is a finding of its own."""
    path = context.workspace.lock_path(spec.name)
    return locking.load_lock(path) if path.is_file() else None


def _rules(
    context: Context, spec: ImageSpec, lock: Lock | None, others: tuple[ImageSpec, ...]
) -> ValidationReport:
    findings = validate_spec(
        spec,
        lock,
        rendered=_rendered(context, spec, lock) if lock else None,
        catalogue=CATALOGUE,
        location=context.settings.location,
        gallery=gallery_id(context.settings),
        today=context.now.date(),
        others=others,
    )
    return report_spec(spec, findings)


def _rendered(context: Context, spec: ImageSpec, lock: Lock) -> dict[str, bytes]:
    """Every script that Azure would get; none where the lock cannot be planned from."""
    try:
        plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates(context))
    except LockError:  # a finding says so in its own words
        return {}
    scripts = (*plan.customizers, *plan.validators)
    return {f"script {script.name}": script.text.encode() for script in scripts}
