"""`.ci/bare-root` refuses where it cannot work, and leaves nothing behind where it can."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

AS_ANOTHER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_who_is_not_root_is_told_what_to_run(project: Path) -> None:
    script = (project / ".ci" / "bare-root").read_text(encoding="utf-8")
    become = AS_ANOTHER if os.geteuid() == 0 else ()

    done = subprocess.run(
        [*become, "sh", "-s", "--", "--", "true"],
        input=script,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == (
        "error: a bare root is made by root\n"
        "  = hint: run it with sudo, or: ./inv test runs the suite on this machine as it is\n"
    )


@pytest.mark.root
def test_a_machine_that_is_neither_debian_nor_ubuntu_is_named(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "os-release").write_text("ID=fedora\n")
    other = f'mount --bind {tmp_path}/os-release /etc/os-release && exec "$0" "$@"'

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", other, project / ".ci" / "bare-root", "--", "true"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == (
        "error: a bare root is made of Debian or Ubuntu, and this machine is fedora\n"
        "  = hint: ./inv test runs the suite on this machine as it is\n"
    )


@pytest.mark.root
@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("--suit", "trixie"), "--suit is not an option"),
        ((), "there is no command"),
        (("--",), "there is no command"),
        (("--suite",), "there is no command"),
    ],
)
def test_wrong_words_are_refused(project: Path, words: tuple[str, ...], wrong: str) -> None:
    done = subprocess.run(
        [project / ".ci" / "bare-root", *words], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr == (f"error: {wrong}\n  = hint: .ci/bare-root [--suite SUITE] -- COMMAND\n")


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """An empty directory for the roots of one test."""
    folder = tmp_path / "roots"
    folder.mkdir()
    return folder


@pytest.mark.root
@pytest.mark.archive
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_command_sees_what_is_committed_and_ends_with_its_own_code(
    project: Path, roots: Path
) -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    )

    done = subprocess.run(
        [
            *(project / ".ci" / "bare-root", "--", "sh", "-c"),
            "git rev-parse HEAD; git status --porcelain; echo $CI $HOME; command -v curl; exit 7",
        ],
        env={**os.environ, "BARE_ROOTS": str(roots), "CI": "yes"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (7, f"{head.stdout}yes /root\n"), done.stderr
    assert list(roots.iterdir()) == []


@pytest.mark.root
@pytest.mark.archive
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_leaves_neither_a_root_nor_a_process(project: Path, roots: Path) -> None:
    run = subprocess.Popen(
        [project / ".ci" / "bare-root", "--", "sh", "-c", "echo inside; exec tail -f /dev/null"],
        env={**os.environ, "BARE_ROOTS": str(roots)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout
    assert run.stdout.readline() == "inside\n"
    assert len(list(roots.iterdir())) == 1

    run.kill()
    run.communicate()  # ends with the last process that holds our pipes

    assert list(roots.iterdir()) == []
