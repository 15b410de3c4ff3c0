"""The pages say what is true: names, links, codes, and the commands in them."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from imagebake.cli.program import name_words
from imagebake.cli.registry import load_tasks
from imagebake.kernel.settings import Settings
from imagebake.policy.registry import IMAGE_RULES, SPEC_RULES
from imagebake.spec import codes

TASKS = load_tasks()
ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"""\./inv [^\n`#·&|'"(,;:]+""")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_readme_names_every_task() -> None:
    readme = text_of(ROOT / "README.md")

    assert [name for name in TASKS if not re.search(rf"\b{name}\b", readme)] == []


def test_the_task_reference_names_every_flag_setting_and_exit_code() -> None:
    page = text_of(ROOT / "docs" / "reference" / "tasks.md")

    for task in TASKS.values():
        for flag, text in task.described().options:
            assert f"`{flag}`" in page, (task.name, flag)
            assert text, (task.name, flag)
    for field in dataclasses.fields(Settings):
        assert f"`{field.name}`" in page
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 9, 75):
        assert re.search(rf"^\| {code} \|", page, re.MULTILINE), code


def test_every_rule_and_every_code_has_its_place_in_the_catalogues() -> None:
    rules, errors = (
        text_of(ROOT / "docs" / "reference" / "rules.md"),
        text_of(ROOT / "docs" / "reference" / "errors.md"),
    )

    assert [rule.id for rule in (*SPEC_RULES, *IMAGE_RULES) if rule.id not in rules] == []
    assert [code.id for code in codes.ALL if code.id not in errors] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(text_of(page)):
        if "://" not in target and not target.startswith("#"):
            path, _, anchor = target.partition("#")
            there = page.parent / path
            assert there.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.+)$", text_of(there), re.MULTILINE)
                anchors = {
                    re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in headings
                }
                assert anchor in anchors, target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_command_in_a_page_is_one_that_the_tasks_take(page: Path) -> None:
    for command in COMMAND.findall(text_of(page)):
        for name, flags in parts(shlex.split(command.rstrip(". "))[1:]):
            known = {flag.split()[0] for flag, _ in TASKS[name].described().options}
            assert flags <= known | {"--help", "--list"}, command


def parts(words: list[str]) -> list[tuple[str, set[str]]]:
    """The tasks of a command line, with the long flags that each is given."""
    found: list[tuple[str, set[str]]] = []
    for word in words:
        if word in TASKS and not found:
            found.append((word, set()))
        elif word.startswith("--") and found:
            found[-1][1].add(word.partition("=")[0])
        elif not found and not word.startswith("-") and word.isupper():
            return []
        elif not found and not word.startswith("-"):
            pytest.fail(f"there is no task {word!r}")
    return found


def test_words_are_named_only_where_a_task_takes_them() -> None:
    assert name_words(["--list"], {}, {}) == ["--list"]
