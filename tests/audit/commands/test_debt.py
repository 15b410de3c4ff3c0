"""What templates owe, from files on the disk to what people, programs and GitHub read."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.audit.findings import RULES, DependencyReport
from imagebake.audit.library import FILE_SIZE_MAX
from imagebake.audit.report import render_sarif, render_text
from imagebake.audit.scan import find_runtime_dependencies
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError
from imagebake.kernel.version import VERSION
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.catalogue.replacements import REPLACEMENTS, UNKNOWN, replacement
from tests.support.golden import FOLDER, Golden

GOLDEN = FOLDER / "debt"
SETS = ("arm", "bicep", "terraform", "malformed")
KEY = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk="


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Paths are said as they are given, so that goldens need short ones."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def look(*paths: str, folder: Path) -> DependencyReport:
    with inside(folder):
        return find_runtime_dependencies(paths, here=Path.cwd())


@pytest.mark.parametrize("name", SETS)
def test_a_folder_is_explained(name: str, golden: Golden) -> None:
    golden.check(f"debt/{name}.txt", render_text(look(name, folder=GOLDEN)) + "\n")


def test_every_rule_has_a_debt() -> None:
    report = look(*SETS, folder=GOLDEN)

    assert set(report.totals()) == {rule.id for rule in RULES}


def test_code_scanning_gets_every_debt_and_what_is_not_known(golden: Golden) -> None:
    report = look(*SETS, folder=GOLDEN)
    sarif = render_sarif(report)

    (run,) = sarif["runs"]
    assert run["tool"]["driver"].pop("version") == VERSION
    golden.check("debt/all.sarif", canonical_json(sarif).decode())
    assert len(run["results"]) == len(report.dependencies)
    prints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(prints)) >= len(prints) - 2, "two places of one file may say the same"


def test_programs_get_the_same_as_people() -> None:
    report = look("terraform", folder=GOLDEN)

    document = report.to_json()

    assert len(document["debts"]) == len(report.dependencies)
    assert all(finding["instead"] and finding["outage"] for finding in document["debts"])
    assert document["totals"]["D101"]["debts"] == 9
    assert {gap["what"].split()[0] for gap in document["gaps"]} >= {"dynamic", "module"}


def test_a_path_that_is_not_there_or_is_no_template_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")

    with pytest.raises(UsageError, match="there is no nothing"):
        look("nothing", folder=tmp_path)
    with pytest.raises(UsageError, match=r"notes\.txt is no template"):
        look("notes.txt", folder=tmp_path)


def test_folders_are_searched_but_for_what_is_nobodys(tmp_path: Path) -> None:
    template = (GOLDEN / "bicep" / "image.bicep").read_text()
    for place in ("a/b", "a/.terraform/x", "node_modules/y", ".git"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "image.bicep").write_text(template)
    (tmp_path / "a" / "package.json").write_text('{"not": "a template", }')

    report = look(".", folder=tmp_path)

    assert [dependency.path for dependency in report.dependencies] == ["a/b/image.bicep"]
    assert report.malformed == ()
    assert report.files == 1


def test_terraform_in_json_is_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text("{}")

    report = look(".", folder=tmp_path)

    assert [(gap.path, gap.why) for gap in report.unresolved] == [
        ("main.tf.json", "it is not read")
    ]


def test_nothing_outside_of_what_was_named_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.sh").write_text("curl https://files.example/x\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.sh").symlink_to(tmp_path / "secret.sh")
    (tmp_path / "in" / "main.tf").write_text(
        'resource "azurerm_linux_virtual_machine" "a" {\n  custom_data = file("../secret.sh")\n}\n'
        'resource "azurerm_linux_virtual_machine" "b" {\n  custom_data = file("link.sh")\n}\n'
    )

    report = look(".", folder=tmp_path / "in")

    assert report.dependencies == ()
    assert {gap.why for gap in report.unresolved} == {"the file is not here"}


def test_a_file_that_is_too_large_is_said_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.bicep").open("wb") as file:
        file.truncate(FILE_SIZE_MAX + 1)

    (wrong,) = look("a.bicep", folder=tmp_path).malformed

    assert (wrong.code, wrong.line) == ("J004", 1)
    assert "16 MiB" in wrong.message


def test_no_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "azurerm_virtual_machine_extension" "x" {\n'
        '  publisher = "Contoso"\n'
        f'  type = "Tool" # AccountKey={KEY}\n'
        f'  type_handler_version = "1.0" # AccountKey={KEY}\n'
        f'  settings = jsonencode({{ fileUris = ["https://files.example/a?sig={KEY[:20]}"] }})\n'
        "}\n"
    )
    report = look(".", folder=tmp_path)

    text = render_text(report) + json.dumps(report.to_json()) + json.dumps(render_sarif(report))

    assert {dependency.rule.id for dependency in report.dependencies} == {"D101", "D104", "D105"}
    assert KEY[:20] not in text


def test_components_that_replace_extensions_are_in_the_catalogue() -> None:
    named = {
        replacement.component for replacement in REPLACEMENTS.values() if replacement.component
    }

    assert named <= set(CATALOGUE.components)
    assert replacement("MICROSOFT.Azure.Extensions", "customScript").component == "cloud-init"
    assert replacement("Contoso", "Tool") is UNKNOWN
    assert all(key == key.lower() and str(replacement) for key, replacement in REPLACEMENTS.items())


def test_the_page_explains_every_rule(project: Path) -> None:
    page = (project / "docs" / "how-to" / "import-and-debt.md").read_text(encoding="utf-8")

    assert [rule.id for rule in RULES if not re.search(rf"\| {rule.id} \|", page)] == []
