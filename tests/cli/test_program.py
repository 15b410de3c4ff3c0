"""The command line as people type it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagebake.cli.registry import load_tasks

AZURE_FREE = (
    ("--list",),
    ("--help", "bake"),
    ("lock", "--all", "--check"),
    ("validate", "--all", "--rules-only"),
    ("specs",),
    ("debt", "tests/golden/debt/arm"),
    ("import", "tests/golden/import/windows.json", "--out=OUT/windows.yaml"),
    ("plan", "debian-12-base"),
)


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-m", "imagebake", *words],
        cwd=cwd,
        env=base | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def task_names(project: Path) -> list[str]:
    listed = run("--list", "--list-format=json", cwd=project)
    return [task["name"] for task in json.loads(listed.stdout)["tasks"]]


def test_every_benchmark_can_be_named_even_where_a_task_is_called_so(project: Path) -> None:
    names = {path.stem.removeprefix("bench_") for path in (project / "benchmarks").glob("bench_*")}

    assert names & set(task_names(project)) <= set(load_tasks()["bench"].actions)


def helps(project: Path) -> list[str]:
    """What `--help TASK` prints for each task, in one process: each costs little but its start."""
    every = (
        "import contextlib, sys\n"
        "from imagebake.cli.program import main\n"
        f"for name in {task_names(project)!r}:\n"
        "    sys.argv[1:] = ['--help', name]\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "    print(end='\\f')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", every], cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\f")[:-1]


def test_every_task_has_a_summary_and_a_help_text_for_every_flag(project: Path) -> None:
    for name, shown in zip(task_names(project), helps(project), strict=True):
        assert f" {name} " in shown
        options = shown.partition("Options:")[2]
        for line in filter(str.strip, options.splitlines()):
            if line.lstrip().startswith("-"):
                assert len(line.split("  ")) > 2 or line.strip() == "none", f"{name}: {line}"


@pytest.mark.parametrize("words", AZURE_FREE, ids=" ".join)
def test_a_task_that_needs_no_azure_imports_none(
    project: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    probe = (
        "import sys\n"
        "from imagebake.cli.program import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('azure', 'werkzeug')],"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *(word.replace("OUT", str(tmp_path)) for word in words)],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines()[-1] == "[]"


def test_the_list_of_tasks_imports_no_command(project: Path) -> None:
    probe = (
        "import sys\n"
        "from imagebake.cli.program import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print([m for m in sys.modules if 'command' in m and m.startswith('imagebake')],"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, "--list"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr.splitlines()[-1] == "[]"


def test_invoke_alone_reads_the_tasks(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "lock", "--image=nothing", "--check"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_a_word_may_stand_where_a_flag_would(tmp_path: Path) -> None:
    (tmp_path / "image_specs").mkdir()

    by_word = run("lock", "nothing", "--check", cwd=tmp_path)
    by_flag = run("lock", "--image=nothing", "--check", cwd=tmp_path)

    assert by_word.returncode == by_flag.returncode == 2
    assert by_word.stderr == by_flag.stderr
    assert "nothing" in by_word.stderr


def test_several_words_may_stand_where_a_flag_is_repeated(project: Path) -> None:
    places = ("tests/golden/debt/arm", "tests/golden/debt/bicep")

    by_word = run("debt", *places, "--json", cwd=project)
    by_flag = run("debt", "--json", *(f"--path={place}" for place in places), cwd=project)

    assert by_word.returncode == 0, by_word.stderr
    assert by_word.stdout == by_flag.stdout
    assert json.loads(by_word.stdout)["files"] == 5


def test_an_action_of_a_task_is_not_the_task_of_that_name(project: Path, tmp_path: Path) -> None:
    state = {"IMAGEBAKE_STATE": str(tmp_path)}

    assert run("mirror", "verify", cwd=project, **state).returncode == 0
    twice = run("mirror", "verify", "verify", cwd=project, **state)
    assert "name an image" in twice.stderr, "the second one is the task"


@pytest.mark.parametrize("words", [("bogus",), ("bake", "--bogus"), ("bake", "a", "b")])
def test_a_wrong_command_line_ends_with_2_and_says_where_help_is(
    project: Path, words: tuple[str, ...]
) -> None:
    done = run(*words, cwd=project)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "./inv --list" in done.stderr


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "image_specs").mkdir()
    (tmp_path / "imagebake.yaml").write_text("galery: mine\n")

    done = run("specs", cwd=tmp_path)

    assert done.returncode == 2
    assert "galery" in done.stderr
