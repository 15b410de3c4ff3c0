"""The version numbers that Azure Image Builder gives to what it distributes."""

from __future__ import annotations

from collections.abc import Iterable

Version = tuple[int, int, int]


def latest(existing: Iterable[Version], major: int | None = None) -> Version:
    """The next version under the scheme `Latest`.

    One patch beyond the greatest version, or beyond the greatest of *major* when that is
    given (and not -1, which the service takes for "not given").
    """
    chosen = None if major in (None, -1) else major
    among = [version for version in existing if chosen is None or version[0] == chosen]
    if among:
        greatest = max(among)
        return greatest[0], greatest[1], greatest[2] + 1
    return (0, 0, 1) if chosen is None else (chosen, 0, 0)


def from_source(existing: Iterable[Version], source: Version) -> Version:
    """The next version under the scheme `Source`.

    The source's major and minor, and its patch unless a version of them has that already.
    """
    taken = [version[2] for version in existing if version[:2] == source[:2]]
    return source[0], source[1], max([source[2], *(patch + 1 for patch in taken)])
