from __future__ import annotations

import pytest

from imagebake.kernel.diagnostics import Severity
from imagebake.lab.disk.result import BootStage, BootTrouble, DiskBoot
from imagebake.policy.facts import DiskFacts
from imagebake.policy.registry import judge_disk
from imagebake.policy.rule import Finding
from imagebake.proof.validate import report_disk
from tests.support.builders import a_spec

SUBJECT = "demo@2026.1122.0"
ORDER = tuple(BootStage)


def facts_of(boot: DiskBoot) -> DiskFacts:
    return DiskFacts(spec=a_spec(), subject=SUBJECT, boot=boot, console="kept.log")


def stopped(trouble: BootTrouble | None, after: int, message: str = "") -> DiskBoot:
    """A boot that got through so many stages, one a second."""
    return DiskBoot(
        stages=tuple((stage, float(second)) for second, stage in enumerate(ORDER[:after], 1)),
        trouble=trouble,
        limit=300.0,
        trouble_line=message,
        last=("one", "two") if trouble else (),
        secure=True,
        accelerator="KVM",
    )


def found(boot: DiskBoot) -> Finding:
    (finding,) = judge_disk(facts_of(boot))
    return finding


def test_a_disk_that_boots_breaks_no_rule() -> None:
    report = report_disk(facts_of(stopped(None, len(ORDER))))

    assert report.findings == ()
    assert report.checked == (
        "boot of the disk: the login prompt after 6.0 s (KVM, secure boot); console: kept.log",
    )


def test_a_failure_names_the_stage_and_the_last_lines() -> None:
    finding = found(stopped(BootTrouble.NO_KERNEL, 2, "error: file not found."))

    assert finding.rule == "P601"
    assert finding.message == (
        "the disk has a boot loader that cannot load the kernel (it reached the boot loader,"
        " and the kernel did not come): error: file not found.; its console is in"
        " kept.log\n  | one\n  | two"
    )


def test_a_boot_that_is_late_names_its_limit() -> None:
    finding = found(stopped(BootTrouble.LATE, 4))

    assert "systemd did not come within 300 s" in finding.message
    assert "boot_limit_seconds" in finding.fix


def test_a_silent_console_is_said_to_be_silent() -> None:
    assert "its console is silent" in found(stopped(BootTrouble.LATE, 0)).message
    assert "a silent console" in report_disk(facts_of(stopped(BootTrouble.LATE, 0))).checked[0]


def test_what_secure_boot_refuses_is_a_finding_of_its_own() -> None:
    finding = found(stopped(BootTrouble.UNSIGNED, 1, "Security Violation"))

    assert finding.rule == "P602"
    assert "gallery.security: Standard" in finding.fix


def test_a_disk_that_was_not_booted_is_a_warning_and_no_pass() -> None:
    facts = DiskFacts(spec=a_spec(), subject=SUBJECT, boot=None, hindrance="it is of clay")

    report = report_disk(facts)

    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("P603", Severity.WARNING)
    assert finding.message == "not booted here: it is of clay"
    assert report.checked == ("boot of the disk: none",)


@pytest.mark.parametrize("trouble", BootTrouble, ids=lambda trouble: trouble.name)
def test_every_trouble_is_exactly_one_finding(trouble: BootTrouble) -> None:
    finding = found(stopped(trouble, 1))

    assert finding.subject == SUBJECT
    assert finding.fix


def test_the_record_says_what_was_seen_and_when() -> None:
    assert stopped(BootTrouble.PANIC, 3, "panic").to_json() == {
        "passed": False,
        "stages": {"firmware": 1.0, "loader": 2.0, "kernel": 3.0},
        "trouble": "panic",
        "said": "panic",
        "last": ["one", "two"],
        "failed": [],
        "kernel": "",
        "secure_boot": True,
        "accelerator": "KVM",
        "limit_seconds": 300.0,
    }
