"""Which distribution a suite is of: what packages are called, and where archives have them."""

from __future__ import annotations

import enum

_UBUNTU = frozenset(
    [
        "bionic",
        "focal",
        "jammy",
        "noble",
        "oracular",
        "plucky",
        "questing",
        "resolute",
    ]  # 18.04 to 26.04
)


class Distribution(enum.StrEnum):
    """A family of suites with the same names for packages."""

    DEBIAN = "debian"
    UBUNTU = "ubuntu"


def distribution_of(suite: str) -> Distribution:
    """The distribution of *suite*; what nobody here has heard of is Debian's."""
    return Distribution.UBUNTU if suite in _UBUNTU else Distribution.DEBIAN
