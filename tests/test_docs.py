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
from tests.test_architecture import PACKAGES

TASKS = load_tasks()
ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
INDEX, DECISIONS = DOCS / "README.md", DOCS / "adr"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
GROUPS = {"start", "how-to", "concepts", "reference", "adr", "runbooks", "pictures"}
STATUSES = ("accepted", "accepted, built in part", "accepted, not built yet")
COMMAND = re.compile(r"""\./inv [^\n`#·&|'"(,;:]+""")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
NAMED = re.compile(
    r"`((?:imagebake|tests|templates|docs|image_specs|schemas|benchmarks|\.ci|\.github)/[^` ]*)`"
)
PAGE = re.compile(r"docs/[\w./-]+\.md")
TEST_PATH = re.compile(r"`([\w./-]+(?:/|\.py))`|`\./inv test ([\w./-]+)`")
CLOUD_QUESTION = re.compile(r"settings\.cloud\b|session\.local\b")
EXAMPLES = ("image_specs/NAME.yaml", "image_specs/demo.yaml")
BLOCK = re.compile(r"^```sh\n(.*?)^```$|((?:^    .*\n)+)", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^\s*(?:\w+=\S* )*\./inv .*", re.MULTILINE)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_readme_names_every_task() -> None:
    readme = text_of(ROOT / "README.md")

    assert [name for name in TASKS if not re.search(rf"\b{name}\b", readme)] == []


def test_the_task_reference_names_every_flag_setting_and_exit_code() -> None:
    page = text_of(DOCS / "reference" / "tasks.md")

    for task in TASKS.values():
        for flag, text in task.described().options:
            assert f"`{flag}`" in page, (task.name, flag)
            assert text, (task.name, flag)
    for field in dataclasses.fields(Settings):
        assert f"`{field.name}`" in page
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 9, 75):
        assert re.search(rf"^\| {code} \|", page, re.MULTILINE), code


def test_every_rule_and_every_code_has_its_place_in_the_catalogues() -> None:
    rules = text_of(DOCS / "reference" / "rules.md")
    errors = text_of(DOCS / "reference" / "errors.md")

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
def test_a_file_of_ours_that_a_page_names_is_there(page: Path) -> None:
    missing = [
        name
        for name in NAMED.findall(text_of(page))
        if not (ROOT / name).exists() and not name.endswith(EXAMPLES)
    ]

    assert missing == []


def test_a_page_that_the_code_names_is_there() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "imagebake").rglob("*.py"))
        for name in PAGE.findall(text_of(path))
        if not (ROOT / name).exists()
    ]

    assert missing == []


def test_every_path_in_the_tests_readme_is_there() -> None:
    page = text_of(ROOT / "tests" / "README.md")
    names = ["".join(groups) for groups in TEST_PATH.findall(page)]
    places = (ROOT, ROOT / "tests", ROOT / "tests" / "support")

    assert len(names) > 40
    assert [name for name in names if not any((at / name).exists() for at in places)] == []


def test_the_architecture_lists_every_module_that_asks_which_cloud_it_is() -> None:
    page = text_of(DOCS / "architecture.md").partition("## One code path, two clouds")[2]
    section = page.partition("\n## ")[0]
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "imagebake").rglob("*.py")
        if CLOUD_QUESTION.search(text_of(path))
    }

    assert asking == set(re.findall(r"`(imagebake/[\w/]+\.py)`", section))


def test_the_frames_of_a_bake_are_functions_of_the_code() -> None:
    rows = re.findall(
        r"^\| `([\w/]+\.py)`: `(?:\w+\.)?(\w+)` \|",
        text_of(DOCS / "architecture.md"),
        re.MULTILINE,
    )

    assert len(rows) == 9
    for module, function in rows:
        assert f"def {function}(" in text_of(ROOT / "imagebake" / module), (module, function)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_command_in_a_page_is_one_that_the_tasks_take(page: Path) -> None:
    for command in COMMAND.findall(text_of(page)):
        require_known(shlex.split(command.rstrip(". \\"))[1:], command)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_command_that_is_typed_is_whole(page: Path) -> None:
    for block in BLOCK.finditer(text_of(page)):
        text = (block[1] or block[2]).replace("\\\n", " ")
        for line in TYPED.findall(text):
            for command in re.split(r" && | \| | · ", line.partition(" >")[0]):
                words = shlex.split(command.replace("…", "x"), comments=True)
                if "./inv" in words:
                    require_known(words[words.index("./inv") + 1 :], command)


def require_known(words: list[str], command: str) -> None:
    """Fail where *words* name a flag that their task does not take."""
    for name, flags in parts(words):
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


def links_of(page: Path) -> set[Path]:
    """The pages of ours that *page* leads to."""
    targets = (target.partition("#")[0] for target in LINK.findall(text_of(page)))
    return {(page.parent / target).resolve() for target in targets if target.endswith(".md")}


def test_every_page_is_in_a_group_and_the_index_leads_to_it() -> None:
    linked = links_of(INDEX)

    assert {path.name for path in DOCS.iterdir() if path.is_dir()} == GROUPS
    assert {path.name for path in DOCS.glob("*.md")} == {
        "README.md",
        "architecture.md",
        "glossary.md",
    }
    pages = {page for page in DOCS.rglob("*.md") if page.parent != DECISIONS and page != INDEX}
    assert sorted(path.relative_to(DOCS).as_posix() for path in pages - linked) == []
    assert DECISIONS / "README.md" in linked


def test_the_readme_and_contributing_lead_to_the_index_and_the_architecture() -> None:
    assert INDEX in links_of(ROOT / "README.md")
    assert {DOCS / "architecture.md", DOCS / "how-to" / "extend.md"} <= links_of(
        ROOT / "CONTRIBUTING.md"
    )


def test_every_decision_is_in_their_index_once_with_its_title_and_status() -> None:
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((.+)\) \| (.+) \|$", text_of(DECISIONS / "README.md"), re.MULTILINE
    )
    records = sorted(DECISIONS.glob("[0-9]*.md"))

    assert [name for _, _, name, _ in rows] == [path.name for path in records]
    for number, (path, row) in enumerate(zip(records, rows, strict=True), 1):
        text = text_of(path)
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {row[0]}. {row[1]}\n\n**Status:** {row[3].capitalize()}.\n")
        assert row[3] in STATUSES
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        unfinished = ["Where it stands"] if row[3] != "accepted" else []
        assert headings == ["Context", "Options", "Decision", "What we lose", *unfinished]


def test_the_glossary_is_in_the_order_of_the_alphabet() -> None:
    terms = re.findall(r"^\*\*(.+?)\*\*", text_of(DOCS / "glossary.md"), re.MULTILINE)

    assert len(terms) > 50
    assert terms == sorted(set(terms), key=str.casefold)


def test_the_architecture_has_every_package_in_the_order_of_the_walls() -> None:
    named = re.findall(r"^\| `(\w+)` \|", text_of(DOCS / "architecture.md"), re.MULTILINE)
    drawn = re.findall(r'class="n">(\w+)<', text_of(DOCS / "pictures" / "house.svg"))

    assert tuple(named) == PACKAGES
    assert sorted(drawn) == sorted(PACKAGES)


def test_words_are_named_only_where_a_task_takes_them() -> None:
    assert name_words(["--list"], {}, {}) == ["--list"]
