"""Two locks: one for users of the tool, one with all that its tests and linters need."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
PIN = re.compile(r"^(?P<name>\S+)==(?P<version>\S+)", re.MULTILINE)
OWN = {"imagebake", "tasks"}


def pins(lock: Path) -> Mapping[str, tuple[str, frozenset[str]]]:
    """The version and the hashes of every package in *lock*, by its normal name."""
    blocks = re.split(r"\n(?=[a-z])", lock.read_text(encoding="utf-8"))
    return {
        canonicalize_name(found["name"]): (
            found["version"],
            frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block)),
        )
        for block in blocks
        if (found := PIN.search(block))
    }


def asked_for(project: Path) -> tuple[list[Requirement], list[Requirement]]:
    """The requirements of the tool, and those of its tests and linters."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return (
        [Requirement(text) for text in table["dependencies"]],
        [Requirement(text) for text in table["optional-dependencies"]["dev"]],
    )


def imported(project: Path) -> Iterator[str]:
    """The top-level names that the tool imports, inside functions too."""
    for path in [*(project / "imagebake").rglob("*.py"), project / "tasks.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
def test_a_lock_has_hashes_and_names_no_address(project: Path, name: str) -> None:
    locked = pins(project / name)

    assert locked
    assert [package for package, (_, hashes) in locked.items() if not hashes] == []
    assert "://" not in (project / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
def test_contributing_shows_the_command_that_made_a_lock(project: Path, name: str) -> None:
    command = (project / name).read_text(encoding="utf-8").splitlines()[1].lstrip("# ")
    page = (project / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert command.endswith(f"--output-file {name} pyproject.toml")
    assert command in re.sub(r"[\\\s]+", " ", page)


def test_each_lock_has_what_pyproject_asks_for(project: Path) -> None:
    runtime, development = asked_for(project)

    for name, wanted in ((RUNTIME, runtime), (DEVELOPMENT, runtime + development)):
        locked = pins(project / name)
        for requirement in wanted:
            version, _ = locked[canonicalize_name(requirement.name)]
            assert version in requirement.specifier, f"{requirement} in {name}"


def test_what_only_tests_need_is_not_installed_for_users(project: Path) -> None:
    runtime, development = asked_for(project)
    only_tests = {canonicalize_name(requirement.name) for requirement in development}
    only_tests -= {canonicalize_name(requirement.name) for requirement in runtime}

    assert only_tests.isdisjoint(pins(project / RUNTIME))


def test_the_development_lock_changes_nothing_that_users_have(project: Path) -> None:
    users = pins(project / RUNTIME)
    developers = pins(project / DEVELOPMENT)

    assert {name: developers.get(name) for name in users} == users


def test_the_tool_imports_nothing_that_only_tests_have(project: Path) -> None:
    locked = pins(project / RUNTIME)
    installed = packages_distributions()

    foreign = set(imported(project)) - sys.stdlib_module_names - OWN
    lacking = {
        name
        for name in foreign
        if locked.keys().isdisjoint(map(canonicalize_name, installed.get(name, ())))
    }

    assert lacking == set()
