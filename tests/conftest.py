"""Fixtures that every room's tests share, and what each mark needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import azurite, contract_target
from tests.support.golden import Golden

# How fast something is belongs to benchmarks; a busy machine breaks no law.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

ROOT = Path(__file__).parent.parent
# Linters are programs of the locked packages: found as in an activated .venv.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
AZURE = "--azure"
CONTRACT = Path(__file__).parent / "contract"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite the golden files, and fail")
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")
    parser.addoption(
        "--clients", action="store_true", help="install other clients, and run their tests, too"
    )
    parser.addoption(
        AZURE, action="store_true", help="run the contract tests, against a subscription"
    )

    config = pluginmanager.get_plugin("pytestconfig")
    if config and AZURE in config.invocation_params.args:  # tests ask as soon as they are imported
        contract_target.use_azure(os.environ)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to speak to a subscription that is not named, or from many tests at once."""
    if not config.getoption(AZURE):
        return
    if contract_target.subscription(os.environ) is None:
        raise pytest.UsageError("--azure needs a subscription: set AZURE_SUBSCRIPTION_ID")
    if config.getoption("numprocesses", None):
        raise pytest.UsageError("--azure runs one test after the other: leave -n away")


def pytest_report_header() -> str:
    return contract_target.told(os.environ)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {
        "slow": None if config.getoption("--slow") else "slow: give --slow",
        "clients": None if config.getoption("--clients") else "installs clients: give --clients",
        "root": None if os.geteuid() == 0 else "needs root",
        "azurite": None if azurite.is_here() else "needs Azurite: ./inv setup installs it",
    }
    if config.getoption(AZURE):  # all else speaks to emulators of its own
        others = [item for item in items if not item.path.is_relative_to(CONTRACT)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    for item in items:
        for mark, reason in missing.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(bless=request.config.getoption("--bless"))


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's own directory."""
    return ROOT
