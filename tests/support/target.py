"""Which Azure the contract tests speak to: the emulator, or with `--azure` a subscription.

It is told by the environment, which `tests/conftest.py` completes before anything asks:

    AZURE_SUBSCRIPTION_ID, or IMAGEBAKE_SUBSCRIPTION   the subscription
    IMAGEBAKE_CONTRACT_IDENTITY   a user-assigned identity that may write to the group, and build
    IMAGEBAKE_CONTRACT_ENDPOINT   another Resource Manager than Azure's
    IMAGEBAKE_CONTRACT_CA         what that one is trusted by; it is shown a loopback token
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from imagebake.emulator.server import SUBSCRIPTION as EMULATED
from imagebake.ends import AZURE

_GROUP = "IMAGEBAKE_CONTRACT_GROUP"
_LOCAL_GROUP = "imagebake"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription that is really there, or what stands for one at another address."""

    url: str
    subscription: str
    ca: Path | None

    @property
    def scopes(self) -> list[str]:
        """What tokens are asked for."""
        return [f"{self.url}/.default"]


def use_azure(environment: MutableMapping[str, str]) -> str:
    """Let the tests of this run speak to a subscription; returns what is missing for that."""
    named = environment.get("AZURE_SUBSCRIPTION_ID") or environment.get("IMAGEBAKE_SUBSCRIPTION")
    if not named:
        return "--azure needs a subscription: set AZURE_SUBSCRIPTION_ID"
    if "PYTEST_XDIST_WORKER" in environment:
        return "--azure runs one test after the other: leave -n away"
    environment["AZURE_SUBSCRIPTION_ID"] = named
    environment[_GROUP] = f"imagebake-contract-{secrets.token_hex(3)}"
    return ""


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


def told(environment: Mapping[str, str]) -> str:
    """Which of the two this run speaks to, for the report."""
    found = subscription(environment)
    if found is None:
        return "contract: spoke to the emulator"
    where = "" if found.url == AZURE else f" at {found.url}"
    group = environment[_GROUP]
    return f"contract: spoke to subscription {found.subscription}{where}, group {group}"


GROUP = os.environ.get(_GROUP, _LOCAL_GROUP)
SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"] if _GROUP in os.environ else EMULATED
IDENTITY = os.environ.get(
    "IMAGEBAKE_CONTRACT_IDENTITY",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder",
)
