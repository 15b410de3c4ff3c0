"""Which Azure the contract tests speak to: the emulator, or with `--azure` a subscription.

It is told by the environment, which `tests/conftest.py` completes before tests are imported:

    AZURE_SUBSCRIPTION_ID, or IMAGEBAKE_SUBSCRIPTION   the subscription
    IMAGEBAKE_CONTRACT_IDENTITY   a user-assigned identity that may write to the group, and build
    IMAGEBAKE_CONTRACT_ENDPOINT   another Resource Manager than Azure's
    IMAGEBAKE_CONTRACT_CA         what that one is trusted by; it is shown a loopback token
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from imagebake.session.session import AZURE

PREFIX = "imagebake-contract-"
"""What the groups that these tests make, and delete, are called."""

_GROUP = "IMAGEBAKE_CONTRACT_GROUP"
_LOCAL_GROUP = "imagebake"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription that is really there, or what stands for one at another address."""

    url: str
    subscription: str
    ca: Path | None


def use_azure(environment: MutableMapping[str, str]) -> None:
    """Let the tests of this run speak to the subscription that the environment names."""
    named = environment.get("AZURE_SUBSCRIPTION_ID") or environment.get("IMAGEBAKE_SUBSCRIPTION")
    if named:
        environment["AZURE_SUBSCRIPTION_ID"] = named
        environment[_GROUP] = f"{PREFIX}{secrets.token_hex(4)}"


def subscription(environment: Mapping[str, str]) -> Subscription | None:
    """The subscription of this run; None when it speaks to the emulator."""
    if _GROUP not in environment:
        return None
    ca = environment.get("IMAGEBAKE_CONTRACT_CA")
    return Subscription(
        environment.get("IMAGEBAKE_CONTRACT_ENDPOINT", AZURE),
        environment["AZURE_SUBSCRIPTION_ID"],
        Path(ca) if ca else None,
    )


def group(environment: Mapping[str, str]) -> str:
    """The resource group of this run."""
    return environment.get(_GROUP, _LOCAL_GROUP)


def told(environment: Mapping[str, str]) -> str:
    """Which of the two this run speaks to, for the report."""
    found = subscription(environment)
    if found is None:
        return "contract: spoke to the emulator"
    where = "" if found.url == AZURE else f" at {found.url}"
    named = group(environment)
    return f"contract: spoke to subscription {found.subscription}{where}, group {named}"
