"""The documentation becomes a site without a broken link, and asks no other host for anything."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
FETCHED = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=["']?((?:https?:)?//[^"' >]+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as continuous integration keeps it."""
    folder = tmp_path_factory.mktemp("site")
    build = PROJECT / ".ci" / "site" / "build"

    done = subprocess.run([build, folder], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_it_and_none_warns(site: Path) -> None:
    docs = PROJECT / "docs"
    pages = [path.relative_to(docs) for path in docs.rglob("*.md")]
    made = [
        page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html")
        for page in pages
    ]

    assert [str(page) for page in made if not (site / page).is_file()] == []


def test_it_asks_no_other_host_for_anything(site: Path) -> None:
    asked = {
        (path.name, address)
        for path in site.rglob("*.html")
        for address in FETCHED.findall(path.read_text(encoding="utf-8"))
    }

    assert asked == set()


def test_its_search_knows_what_people_look_for(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {place["location"] for place in index["docs"] if "stale" in place["text"]}

    assert any(location.startswith("how-to/stale-lock.html") for location in found)


def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# Index\n\n[gone](gone.md)\n")
    (tmp_path / ".ci" / "site").mkdir(parents=True)
    for name in ("build", "site.yml"):
        text = (PROJECT / ".ci" / "site" / name).read_text(encoding="utf-8")
        (tmp_path / ".ci" / "site" / name).write_text(text.partition("\nnav:\n")[0] + "\n")
    (tmp_path / ".ci" / "site" / "theme").mkdir()
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")

    done = subprocess.run(
        ["sh", tmp_path / ".ci" / "site" / "build", tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "contains a link 'gone.md'" in done.stdout + done.stderr


def test_its_workflow_uses_the_actions_that_the_others_use() -> None:
    workflows = PROJECT / ".github" / "workflows"
    texts = {path.name: path.read_text(encoding="utf-8") for path in workflows.glob("*.yml")}
    used = set(re.findall(r"uses: (.+)", texts.pop("docs.yml")))

    assert len(used) == 3
    assert used <= set(re.findall(r"uses: (.+)", "\n".join(texts.values())))
