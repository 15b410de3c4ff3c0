"""Which of two versions is the newer one, however their publisher spells versions."""

from __future__ import annotations

import enum
import functools
import re

from packaging.version import InvalidVersion, Version

from imagebake.model.versions import DEBIAN, HANDLER, MARKETPLACE, DebianVersion

_UNFINISHED = re.compile(r"(?i)(?:~|[0-9][.+-]?)(?:alpha|beta|rc|pre|dev)[0-9.]*(?![a-z])")
_REVISION = re.compile(r"-[^-]*$")


class Scheme(enum.StrEnum):
    """How versions are spelled, which says how they are ordered."""

    DEBIAN = "debian"
    HANDLER = "handler"
    IMAGE = "image"
    FILE = "file"


def in_order(scheme: Scheme, first: str, second: str) -> bool:
    """Whether *first* is not newer than *second*; false where one of them is no version."""
    try:
        return order(scheme, first) <= order(scheme, second)
    except ValueError:
        return False


@functools.lru_cache(maxsize=65536)
def order(scheme: Scheme, text: str) -> tuple[int, DebianVersion | Version | tuple[int, ...]]:
    """What *text* sorts by among versions of *scheme*; raises `ValueError` for what is none.

    The versions of a file are read as Python reads versions, and as Debian does where they
    make no sense to it: then the first number tells the two apart.
    """
    if scheme is Scheme.DEBIAN:
        return 0, DebianVersion(text)
    if scheme is Scheme.FILE:
        try:
            return 1, Version(text)
        except InvalidVersion:
            return 0, DebianVersion(text)
    pattern = HANDLER if scheme is Scheme.HANDLER else MARKETPLACE
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is not a version")
    return 0, tuple(map(int, text.split(".")))


def is_version(scheme: Scheme, text: str) -> bool:
    """Whether *text* is spelled as versions of *scheme* are."""
    return in_order(scheme, text, text)


def is_unfinished(scheme: Scheme, text: str) -> bool:
    """Whether *text* itself says that it comes before a release."""
    if scheme is Scheme.FILE:
        try:
            return Version(text).is_prerelease
        except InvalidVersion:
            pass
    if scheme not in (Scheme.DEBIAN, Scheme.FILE) or not DEBIAN.fullmatch(text):
        return False
    return bool(_UNFINISHED.search(_REVISION.sub("", text)))
