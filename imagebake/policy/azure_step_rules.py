"""Rules about steps that Azure takes by itself, and about Windows: P130 to P139."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.source import MarketplaceImage
from imagebake.spec.model.steps import (
    InlineCustomizer,
    InlineValidator,
    RestartCustomizer,
    ScriptCustomizer,
    ScriptValidator,
    UpdateCustomizer,
    UploadCustomizer,
    UploadValidator,
    scripts,
)

_AIB = "Azure Image Builder template reference (image-builder-json), "

_BELOW_TMP = re.compile(r"/tmp(/[^/]+)+")  # noqa: S108 - on the guest
_ON_A_DRIVE = re.compile(r"[A-Za-z]:[\\/].+")
_EMPTIES_C = re.compile(
    r"(?i)\b(?:Remove-Item|rm|rd|ri|del|erase|rmdir)\b[^;|]*[\s\"'](?:C:|\$env:SystemDrive)"
    r"\\?(?:\*(?:\.\*)?)?[\"']?(?=\s|$|;|\|)|DeprovisioningScript\.ps1"
)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_SLOW_RESTART = 30 * 60

_Run = InlineCustomizer | InlineValidator | ScriptCustomizer | ScriptValidator


def _runs(facts: SpecFacts) -> Iterator[_Run]:
    """Yield every step that is a script, inline or at an address."""
    for step in (*facts.spec.customizers, *facts.spec.validators):
        if isinstance(step, _Run):
            yield step


@rule(
    "P130",
    "What only Windows can do is asked of Windows only",
    why="Azure Image Builder has no restart, no update and no elevation on Linux",
    source=_AIB + "Customize: WindowsRestart, WindowsUpdate and PowerShell are for Windows",
    fix="take it out; on Linux a step uses sudo, and a first boot is a fresh start",
)
def windows_alone_restarts(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the kinds of the steps, and at the keys that only PowerShell steps have."""
    if facts.spec.gallery.is_windows:
        return
    for step in facts.spec.customizers:
        if isinstance(step, RestartCustomizer | UpdateCustomizer):
            kind = "restart" if isinstance(step, RestartCustomizer) else "update"
            yield Breach(step.name, f"'{kind}' is for Windows, and the image is Linux")
    for run in _runs(facts):
        if run.elevated or run.as_system or run.exit_codes:
            yield Breach(run.name, "'elevated' and its like are for Windows, the image is Linux")


@rule(
    "P131",
    "What runs as the system's account is elevated",
    why="Azure refuses the template: the account is that of an elevated task",
    source=_AIB + "PowerShell customizer: runAsSystem only with runElevated",
    fix="write 'elevated: true' beside 'as_system: true'",
)
def system_is_elevated(facts: SpecFacts) -> Iterator[Breach]:
    """On Windows; on Linux neither is for."""
    for run in _runs(facts) if facts.spec.gallery.is_windows else ():
        if run.as_system and not run.elevated:
            yield Breach(run.name, "it has 'as_system' without 'elevated'")


@rule(
    "P132",
    "Files are put where Azure can put them",
    why="the build user writes the file: on Linux it may write below /tmp, on Windows on a drive",
    source=_AIB + "File customizer: on Linux only below /tmp",
    fix="put it below /tmp, and move it with a step of its own; or pin it as 'file'",
)
def uploads_have_a_place(facts: SpecFacts) -> Iterator[Breach]:
    """Compare the destination with what the system allows."""
    allowed = _ON_A_DRIVE if facts.spec.gallery.is_windows else _BELOW_TMP
    system = facts.spec.gallery.os.value
    for step in (*facts.spec.customizers, *facts.spec.validators):
        if isinstance(step, UploadCustomizer | UploadValidator):
            destination = step.upload.destination
            if not allowed.fullmatch(destination):
                yield Breach(step.name, f"Azure cannot put a file at {destination} on {system}")


@rule(
    "P133",
    "Windows Update stands between restarts",
    why="it fails while a restart is pending, and leaves one pending that generalising trips over",
    source=_AIB + "Windows Update customizer: pending restarts fail it",
    fix="put a step '- name: restart-…' with 'restart: {}' before and after it",
    severity=Severity.WARNING,
)
def updates_are_between_restarts(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the neighbours; what is rendered before the spec's own steps may need a restart."""
    steps = (None, *facts.spec.customizers, None)
    for before, step, after in zip(steps, steps[1:], steps[2:], strict=False):
        if not isinstance(step, UpdateCustomizer):
            continue
        missing = [
            word
            for word, beside in (("before", before), ("after", after))
            if not isinstance(beside, RestartCustomizer | UpdateCustomizer)
        ]
        if missing:
            yield Breach(step.name, f"no restart stands {' or '.join(missing)} it")


@rule(
    "P134",
    "Windows Server 2016 has half an hour to restart",
    why="it applies updates while it restarts, and Azure waits for five minutes by default",
    source=_AIB + "WindowsRestart: restartTimeout, 30 minutes for Windows Server 2016",
    fix="write 'timeout: 30m' in 'restart'",
    severity=Severity.WARNING,
)
def slow_restarts_are_waited_for(facts: SpecFacts) -> Iterator[Breach]:
    """The sku of the marketplace image names the release of Windows."""
    source = facts.spec.source
    if not isinstance(source, MarketplaceImage) or not source.sku.startswith("2016"):
        return
    for step in facts.spec.customizers:
        if isinstance(step, RestartCustomizer):
            wait = step.restart.timeout or "5m"
            if int(wait[:-1]) * _UNIT_SECONDS[wait[-1]] < _SLOW_RESTART:
                yield Breach(step.name, f"it has {wait}")


@rule(
    "P135",
    "What Azure fetches by itself has a reason",
    why="it is in no mirror: a bake needs a foreign host, and fails when that host does",
    source="imagebake's design: a bake needs nothing but the mirror",
    fix="pin it as 'file', which the mirror keeps; or say in 'reason' why that cannot be",
    severity=Severity.WARNING,
)
def fetched_files_have_a_reason(facts: SpecFacts) -> Iterator[Breach]:
    """Its digest is checked in any case; only its availability is left to others."""
    for step in facts.spec.customizers:
        if isinstance(step, ScriptCustomizer | UploadCustomizer) and not step.reason:
            fetched = step.script if isinstance(step, ScriptCustomizer) else step.upload
            yield Breach(step.name, f"Azure fetches {fetched.file}, and nothing says why")


@rule(
    "P136",
    "Windows Update has a reason",
    why="what it installs is in no lock: tomorrow's bake differs, and an outage stops it",
    source="imagebake's design: the lock is what is installed",
    fix="start from the source image of this month; or say in 'reason' why that does not do",
    severity=Severity.WARNING,
)
def updates_have_a_reason(facts: SpecFacts) -> Iterator[Breach]:
    """Marketplace images of Windows come out each month with the updates in them."""
    for step in facts.spec.customizers:
        if isinstance(step, UpdateCustomizer) and not step.reason:
            yield Breach(step.name, "it installs updates, and nothing says why")


@rule(
    "P137",
    "No customizer empties C:\\ or touches the script that generalises",
    why="the builder keeps its own scripts there, and runs c:\\DeprovisioningScript.ps1 last",
    source=_AIB + "Generalize: c:\\DeprovisioningScript.ps1",
    fix="remove the files you made, by name",
)
def drive_is_left_alone(facts: SpecFacts) -> Iterator[Breach]:
    """Look for a removal of everything on the drive, and for the script's name."""
    for step in scripts(facts.spec.customizers) if facts.spec.gallery.is_windows else ():
        for number, line in enumerate(step.inline, start=1):
            if _EMPTIES_C.search(line) and not line.lstrip().startswith("#"):
                yield Breach(f"{step.name}, line {number}", "it endangers the builder's own files")


@rule(
    "P138",
    "An image that fails its validators goes nowhere",
    why="the run counts as failed and its version is taken away, but further outputs stay behind",
    source=_AIB + "validate: continueDistributeOnFailure",
    fix="take 'continue_distribute_on_failure' out",
    severity=Severity.WARNING,
)
def failures_are_not_distributed(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the spec's own word."""
    if facts.spec.validation.continue_distribute_on_failure:
        yield Breach(facts.spec.name, "what fails its validators is distributed")


@rule(
    "P139",
    "A bake builds what it validates",
    why="with 'source_only' no customizer runs: the version has none of its pins",
    source=_AIB + "validate: sourceValidationOnly",
    fix="take 'source_only' out once you have seen what you wanted to",
)
def pins_are_built_in(facts: SpecFacts) -> Iterator[Breach]:
    """Every spec has pins, which the source has not."""
    if facts.spec.validation.source_only:
        yield Breach(facts.spec.name, "only its source is validated, and nothing is built")
