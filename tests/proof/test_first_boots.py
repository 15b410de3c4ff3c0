"""Where first boots cannot be carried out, and what is said to whoever may not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.context import Context, Workspace
from imagebake.kernel.progress import NoProgress
from imagebake.kernel.settings import Settings
from imagebake.proof.first_boots import IN_AZURE, find_hindrance
from tests.build.commands.conftest import write_site
from tests.support.other_users import run_as

HINDRANCE = """\
from imagebake.kernel.context import open_context
from imagebake.proof.first_boots import find_hindrance
print(find_hindrance(open_context(quiet=True)))
"""


def a_site(folder: Path, **settings: Any) -> Context:  # noqa: ANN401 - any setting
    return Context(
        workspace=Workspace(root=folder, state=folder / "state"),
        settings=Settings(**settings),
        progress=NoProgress(),
        now=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
    )


def test_what_is_in_azure_is_proven_elsewhere(tmp_path: Path) -> None:
    told = find_hindrance(a_site(tmp_path, cloud="azure"))

    assert told is not None
    assert told[0] == IN_AZURE
    assert "cloud: local" in told[1]


@pytest.mark.root
def test_nothing_hinders_root(tmp_path: Path) -> None:
    assert find_hindrance(a_site(tmp_path)) is None


@pytest.mark.root
def test_a_user_without_rights_is_not_turned_away_at_once(somebody: str, folder: Path) -> None:
    root = write_site(folder / "site")

    done = run_as(somebody, "-c", HINDRANCE, cwd=root, IMAGEBAKE_ROOT=str(root))

    assert done.stdout == "None\n", done.stderr


@pytest.mark.root
def test_a_drill_by_a_user_without_rights_says_what_to_do(somebody: str, folder: Path) -> None:
    root = write_site(folder / "site")

    done = run_as(somebody, "-m", "imagebake", "drill", "demo", cwd=root, IMAGEBAKE_ROOT=str(root))

    assert done.returncode == 2
    assert done.stderr == (
        "error: machines on this machine need root, for their namespaces\n"
        "  = hint: sudo ./inv drill\n"
    )
