"""Files as a revision has them, from real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import git

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.test")


def run(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *WHO, *words], cwd=root, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(root: Path, **files: str) -> str:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run(root, "add", "--all")
    run(root, "commit", "--quiet", "--message", "more")
    return run(root, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path, specs__one="one", specs__deep__two="two\n", other="x")
    return tmp_path


def test_changed_files_are_those_that_differ_or_are_unknown(repository: Path) -> None:
    (repository / "specs/one").write_text("changed")
    (repository / "specs/three four").write_text("new")
    (repository / "other").write_text("changed, and elsewhere")

    changed = git.base_of(repository, "main").changed(["specs"])

    assert changed == {"specs/one", "specs/three four"}


def test_contents_are_those_of_the_commit(repository: Path) -> None:
    (repository / "specs/one").write_text("changed")
    revision = git.base_of(repository, "main")

    files = revision.files(["specs", "nowhere"])

    assert sorted(files) == ["specs/deep/two", "specs/one"]
    assert list(revision.contents([files["specs/one"], files["specs/deep/two"]])) == [
        b"one",
        b"two\n",
    ]
    assert list(revision.contents([])) == []


def test_a_link_is_no_file(repository: Path) -> None:
    (repository / "specs/link").symlink_to("/etc/passwd")
    commit(repository)

    assert "specs/link" not in git.base_of(repository, "main").files(["specs"])


def test_paths_are_relative_to_a_directory_anywhere_in_the_repository(repository: Path) -> None:
    (repository / "specs/deep/two").write_text("changed")
    revision = git.base_of(repository / "specs", "main")

    assert revision.changed(["deep"]) == {"deep/two"}
    assert sorted(revision.files(["deep"])) == ["deep/two"]


def test_what_others_did_meanwhile_is_not_ours(repository: Path) -> None:
    started = run(repository, "rev-parse", "HEAD")
    run(repository, "switch", "--quiet", "--create", "work")
    commit(repository, specs__mine="mine")
    run(repository, "switch", "--quiet", "main")
    commit(repository, specs__theirs="theirs")
    run(repository, "switch", "--quiet", "work")

    revision = git.base_of(repository, "main")

    assert revision.commit == started
    assert str(revision) == f"main ({started[:12]})"
    assert revision.changed(["specs"]) == {"specs/mine"}


def test_without_a_common_history_it_is_the_revision_itself(repository: Path) -> None:
    run(repository, "switch", "--quiet", "--orphan", "other")
    commit(repository, specs__one="one")

    revision = git.base_of(repository, "main")

    assert revision.commit == run(repository, "rev-parse", "main")


@pytest.mark.parametrize("name", ["nowhere", "--help", "main..HEAD", ""])
def test_what_is_no_revision_is_refused(repository: Path, name: str) -> None:
    with pytest.raises(UsageError, match="git knows no revision"):
        git.base_of(repository, name)


def test_outside_of_a_repository_git_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        git.base_of(tmp_path, "main")

    assert "not a git repository" in (caught.value.hint or "")
