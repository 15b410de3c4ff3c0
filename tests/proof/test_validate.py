"""The whole verb: specs and images against the rules, and what people and programs read."""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.errors import ValidationFailed
from imagebake.lock.locking import load_lock
from imagebake.policy.rule import Finding
from imagebake.proof.validate import (
    ValidationReport,
    merge_reports,
    report_image,
    report_spec,
    require_passed,
    validate_spec,
)
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import load_all
from tests.support.builders import a_lock, a_spec
from tests.support.images import Tree, a_tar, a_tree, text

TODAY = dt.date(2026, 11, 22)
KEY = "/etc/ssh/ssh_host_rsa_key"
FIX = "remove them last: sudo rm -f /etc/ssh/ssh_host_*; cloud-init makes new ones"


def the_report(changes: Tree | None = None) -> ValidationReport:
    spec, lock = a_spec(), a_lock()
    stream = io.BytesIO(a_tar(a_tree(spec, lock) | (changes or {})))
    return report_image("demo@2026.1122.0", stream, spec, lock, catalogue=CATALOGUE)


def test_a_good_image_passes_in_words() -> None:
    report = the_report()

    assert str(report).splitlines()[-1] == "demo@2026.1122.0: 0 errors, 0 warnings"
    assert report.checked[0].endswith("rules over 3 packages and 25 files")
    require_passed([report])


def test_findings_come_first_with_their_fix() -> None:
    report = the_report({KEY: text("x")})

    assert str(report).splitlines()[:2] == [
        f"error[P301]: {KEY}: it is in the image",
        f"  = fix: {FIX}",
    ]
    assert str(report).splitlines()[-1] == "demo@2026.1122.0: 1 error, 0 warnings"


def test_a_report_is_json_for_programs() -> None:
    document = json.loads(json.dumps(the_report({KEY: text("x")}).to_json()))

    assert document["passed"] is False
    assert document["findings"] == [
        {
            "rule": "P301",
            "severity": "error",
            "subject": KEY,
            "message": "it is in the image",
            "fix": FIX,
        }
    ]


def test_only_errors_fail() -> None:
    warning = Finding(rule="P170", subject="demo", message="m", fix="f", severity=Severity.WARNING)
    passed = ValidationReport(subject="demo", checked=(), findings=(warning,))
    failed = the_report({KEY: text("x")})

    require_passed([passed])
    with pytest.raises(ValidationFailed, match=r"^demo@2026\.1122\.0: 1 error$") as raised:
        require_passed([passed, failed])
    assert raised.value.exit_code == 3


def test_reports_of_one_image_are_joined() -> None:
    spec = a_spec()
    rules = report_spec(
        spec, validate_spec(spec, None, catalogue=CATALOGUE, location="westeurope", today=TODAY)
    )

    both = merge_reports([rules, the_report({KEY: text("x")})])

    assert [finding.rule for finding in both.findings] == ["P170", "P301"]
    assert both.subject == "demo@2026.1122.0"
    assert len(both.checked) == 2


def test_what_is_rendered_is_searched_for_secrets() -> None:
    spec = a_spec()
    rendered = {"image_template.json": b'{"token": "ghp_' + b"aB3" * 12 + b'"}'}

    (finding,) = validate_spec(
        spec,
        a_lock(spec),
        catalogue=CATALOGUE,
        location="westeurope",
        today=TODAY,
        rendered=rendered,
    )

    assert (finding.rule, finding.subject) == ("P140", "image_template.json, line 1")


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="cannot be read"):
        report_image("demo@1.0.0", io.BytesIO(b""), a_spec(), a_lock(), catalogue=CATALOGUE)


def test_the_shipped_specs_and_their_locks_break_no_rule(project: Path) -> None:
    folder = project / "image_specs"
    specs = load_all(folder, root=project)

    findings = [
        finding
        for name, spec in specs.items()
        for finding in validate_spec(
            spec,
            load_lock(folder / f"{name}.lock.json"),
            catalogue=CATALOGUE,
            location="westeurope",
            today=TODAY,
            others=tuple(specs.values()),
        )
    ]

    assert specs
    assert findings == []


def test_validating_loads_no_client_no_template_engine_and_no_server() -> None:
    code = (
        "import sys; import imagebake.proof.validate; "
        "print(*sorted({'azure', 'jinja2', 'werkzeug', 'yaml'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == ""
