"""No file is too broken: whatever is in it, the rest is read, and the mistake has a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.audit.library import TemplateLibrary
from imagebake.audit.scan import scan_templates
from tests.audit.conftest import Survey, TextFiles, extensions, finding_lines
from tests.support.golden import FOLDER

SEEDS = {
    path.relative_to(FOLDER / "debt").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((FOLDER / "debt").rglob("*"))
    if path.suffix in {".json", ".bicep", ".tf"} and path.name != "latin.bicep"
}
PIECES = (
    *"'\"{}[]()=:,.?!#/\\@$%<-\n\r\t\0\ufeff\u2028é",
    *("${", "%{", "'''", "<<EOT\n", "/*", "*/", "//", "??", "=>", "...", "[for ", "if ", "null"),
    *("[concat(", "parameters('a')", "var.x", "[", "resource ", "module m ", "{" * 60, "'${" * 60),
)


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from(sorted(SEEDS)))
    text = SEEDS[name]
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 80)))
        text = text[:start] + draw(st.sampled_from(PIECES) | st.text(max_size=5)) + text[end:]
    return name, text


@given(broken())
@settings(max_examples=200, deadline=None)
def test_no_file_is_too_broken(given_file: tuple[str, str]) -> None:
    name, text = given_file

    report = scan_templates(
        [name], TemplateLibrary(TextFiles({name: text})), lambda *_: ("", False)
    )

    lines = text.count("\n") + text.count("\r") + 1
    places = [(dependency.line, dependency.column) for dependency in report.dependencies]
    places += [(gap.line, gap.column) for gap in report.unresolved]
    places += [(mistake.line, mistake.column) for mistake in report.malformed]
    assert all(1 <= line <= lines and column >= 1 for line, column in places)
    assert all(str(mistake) for mistake in report.malformed)


@given(st.sampled_from(sorted(SEEDS)), st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_text_is_too_strange(name: str, text: str) -> None:
    scan_templates([name], TemplateLibrary(TextFiles({name: text})), lambda *_: ("", False))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[" * 100_000),
        ("a.json", '{"type": "[' + "concat(" * 5_000 + '"}'),
        ("a.bicep", "var x = " + "[" * 50_000),
        ("a.bicep", "var x = " + "'${" * 5_000),
        ("a.bicep", "var x = " + "!" * 50_000 + "true"),
        ("a.bicep", "var x = " + "a ? " * 5_000),
        ("a.bicep", "resource a 'b' = {\n" * 5_000),
        ("a.tf", "a {\n" * 50_000),
        ("a.tf", "x = " + '"${' * 5_000),
        ("a.tf", "x = " + "(" * 50_000),
        ("a.tf", "x = <<E\n" * 2_000),
        ("a.tf", "x = a" + "[0]" * 5_000),
    ],
    ids=lambda value: value[:14],
)
def test_depth_is_no_danger(look: Survey, name: str, text: str) -> None:
    look({name: text})


def test_a_long_chain_of_operators_is_no_danger(look: Survey) -> None:
    chain = " + ".join(["1"] * 20_000)

    report = look({"a.tf": f"locals {{\n x = {chain}\n}}\n", "b.bicep": f"var x = {chain}\n"})

    assert report.dependencies == ()


def test_the_rest_of_a_broken_file_is_read(look: Survey) -> None:
    report = look({name: text for name, text in SEEDS.items() if name.startswith("malformed/")})

    assert extensions(report) == {"Contoso.Tools.Inventory"}
    assert len([line for line in finding_lines(report) if " D101 " in line]) == 3
    assert {mistake.path for mistake in report.malformed} == {
        f"malformed/{name}" for name in ("broken.bicep", "broken.tf", "comma.json", "cut-off.json")
    }


def test_a_byte_order_mark_and_other_line_ends_are_fine(look: Survey, tmp_path: Path) -> None:
    text = SEEDS["bicep/image.bicep"].replace("\n", "\r\n")

    report = look({"a.bicep": text})

    assert finding_lines(report)[0].startswith("a.bicep:10:16 D108 ")
    assert report.malformed == ()


def test_loops_in_loops_in_modules_come_to_an_end(look: Survey) -> None:
    inner = "[for x in range(0, 50): 1]"
    for _ in range(6):
        inner = f"[for x in range(0, 50): {inner}]"
    body = f"param y array = {inner}\nmodule m 'b.bicep' = {{ params: {{ y: y }} }}\n"

    report = look({"a.bicep": body * 20, "b.bicep": body.replace("b.bicep", "c.bicep")})

    assert report.dependencies == ()
