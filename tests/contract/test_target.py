"""Which Azure the contract tests run against, and their report of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.rest import HttpRequest

from imagebake.emulator.server import Emulator
from tests.support import contract_target
from tests.support.emulators import RecordingBuilder, azure

SUBSCRIPTION = "aaaaaaaa-1111-2222-3333-444444444444"
LABEL = r"contract: spoke to subscription aaaaaaaa\S+ at https://127.0.0.1:\d+, group imagebake-"


def contract(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run contract tests in a separate process."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AZURE_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=project,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_the_emulator_unless_a_subscription_was_chosen() -> None:
    environment = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}

    assert contract_target.subscription(environment) is None
    assert contract_target.group(environment) == "imagebake"
    assert contract_target.told(environment) == "contract: spoke to the emulator"


@pytest.mark.parametrize("name", ["AZURE_SUBSCRIPTION_ID", "IMAGEBAKE_SUBSCRIPTION"])
def test_each_run_has_a_group_of_its_own(name: str) -> None:
    first, other = {name: SUBSCRIPTION}, {name: SUBSCRIPTION}

    contract_target.use_azure(first)
    contract_target.use_azure(other)

    found = contract_target.subscription(first)
    assert found
    assert (found.url, found.subscription) == ("https://management.azure.com", SUBSCRIPTION)
    assert contract_target.group(first) != contract_target.group(other)
    assert contract_target.told(first) == (
        f"contract: spoke to subscription {SUBSCRIPTION}, group {contract_target.group(first)}"
    )


def test_without_a_subscription_none_is_spoken_to() -> None:
    environment: dict[str, str] = {}

    contract_target.use_azure(environment)

    assert environment == {}


@pytest.mark.slow
def test_the_same_tests_speak_to_what_the_environment_names(project: Path, tmp_path: Path) -> None:
    with Emulator(tmp_path, builder=RecordingBuilder()) as emulator:
        done = contract(
            project,
            "--azure",
            "tests/contract/test_locks.py",
            AZURE_SUBSCRIPTION_ID=SUBSCRIPTION,
            IMAGEBAKE_CONTRACT_ENDPOINT=emulator.url,
            IMAGEBAKE_CONTRACT_CA=str(emulator.ca),
        )
        with azure(emulator) as arm:
            path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups?api-version=2024-11-01"
            left = arm.images.send_request(HttpRequest("GET", emulator.url + path)).json()["value"]

    assert done.returncode == 0, done.stdout
    assert re.search(LABEL, done.stdout)
    assert "emulator only: locks the whole subscription" in done.stdout
    assert left == []


@pytest.mark.slow
def test_who_names_no_subscription_is_told_to(project: Path) -> None:
    done = contract(project, "--azure", "tests/contract/test_locks.py", IMAGEBAKE_SUBSCRIPTION="")

    assert done.returncode == 4
    assert "--azure needs a subscription: set AZURE_SUBSCRIPTION_ID" in done.stderr
