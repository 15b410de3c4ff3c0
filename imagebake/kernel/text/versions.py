"""Version numbers of Azure and Debian: spelling preserved, order correct."""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from imagebake.kernel.text.constrained import quoted

_RANGE = re.compile(r"[<>=~^!]|[*,|\s]|\.[xX](\.|$)")
_MOVING = frozenset({"latest", "newest", "current", "stable", "default", "any", "lts"})
_FIRST_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+)?")
MARKETPLACE = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
"""Pattern of a marketplace image's version."""
HANDLER = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2,3}")
"""Pattern of an extension handler's version."""
_IMAGE_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
DEBIAN = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~:-]*")
"""Pattern of a Debian package's version."""
# Compute Gallery keeps each number of a version as a signed 32-bit integer.
_INT32 = 2**31


class InexactVersion(ValueError):
    """A text does not identify exactly one version."""


def _inexact(text: str, kind: str, example: str) -> InexactVersion:
    """Return the error for *text*, which is not *kind*."""
    shown = quoted(text)
    if text.lower() in _MOVING:
        return InexactVersion(f"{shown} means another version tomorrow; write {kind} here")
    if _RANGE.match(text) or (text[:1].isdigit() and _RANGE.search(text.replace("~", ""))):
        return InexactVersion(f"{shown} is a range of versions; write {kind} here")
    if _FIRST_NUMBERS.fullmatch(text):
        return InexactVersion(f"{shown} is only the beginning of a version; write {kind} here")
    return InexactVersion(f"{shown} is not {kind}, such as {example!r}")


def exact_marketplace_version(text: str) -> str:
    """Return *text*; raises `InexactVersion` unless it is one marketplace version."""
    if not MARKETPLACE.fullmatch(text):
        raise _inexact(text, "an exact image version", "0.20260914.2237")
    return text


def exact_debian_version(text: str) -> str:
    """Return *text*; raises `InexactVersion` unless it is one package version."""
    if text.lower().endswith(".x"):
        raise _inexact(text, "an exact Debian version", "1:2.39.5-0+deb12u3")
    return DebianVersion(text).text


def exact_module_version(text: str) -> str:
    """Return *text*; raises `InexactVersion` unless it is one module version."""
    if not HANDLER.fullmatch(text):
        raise _inexact(text, "a module's whole version", "5.7.1")
    return text


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class HandlerVersion:
    """The full version of an extension handler, as its publisher spells it.

    The spelling is the identity, because the agent's directory carries it
    (`Publisher.Type-2.1.10`); the order is numeric, so 1.9.0 precedes 1.10.0.
    """

    text: str

    def __post_init__(self) -> None:
        if not HANDLER.fullmatch(self.text):
            raise _inexact(self.text, "a full handler version", "1.10.0.2")

    def __lt__(self, other: HandlerVersion) -> bool:
        return self._numbers < other._numbers

    def __str__(self) -> str:
        return self.text

    @property
    def type_handler_version(self) -> str:
        """The `major.minor` that a VM model requests."""
        return ".".join(self.text.split(".")[:2])

    @property
    def _numbers(self) -> tuple[int, ...]:
        return tuple(map(int, self.text.split(".")))


@dataclass(frozen=True, slots=True, order=True)
class ImageVersion:
    """The version of an image in a gallery, `MAJOR.MINOR.PATCH`, each a 32-bit number."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> ImageVersion:
        """Parse `2026.1122.0`; raises `ValueError` for anything else."""
        match = _IMAGE_VERSION.fullmatch(text)
        if not match or any(int(number) >= _INT32 for number in match.groups()):
            raise ValueError(f"{text!r} is not an image version, such as '2026.1122.0'")
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class DebianVersion:
    """The version of a Debian package, ordered as deb-version(7) says."""

    text: str

    def __post_init__(self) -> None:
        if not DEBIAN.fullmatch(self.text):
            raise _inexact(self.text, "an exact Debian version", "1:2.39.5-0+deb12u3")

    def __lt__(self, other: DebianVersion) -> bool:
        return _debian_key(self.text) < _debian_key(other.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DebianVersion) and _debian_key(self.text) == _debian_key(
            other.text
        )

    def __hash__(self) -> int:
        return hash(_debian_key(self.text))

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(maxsize=65536)
def _debian_key(text: str) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        # An absent revision counts as 0 (deb-version(7)).
        upstream, revision = rest, "0"
    return int(epoch), _part_key(upstream), _part_key(revision)


def _part_key(part: str) -> tuple[object, ...]:
    """Return the sort key of alternating non-digits and digits; a tilde sorts before the end."""
    key: list[object] = []
    for text, digits in re.findall(r"([^0-9]*)([0-9]*)", part):
        if not text and not digits:
            continue
        key += [(*map(_letter_order, text), 0), int(digits or 0)]
    # The end of a part sorts after a tilde and before everything else.
    key.append((0,))
    return tuple(key)


def _letter_order(character: str) -> int:
    if character == "~":
        return -1
    # Letters sort before all other characters (deb-version(7)).
    return ord(character) if character.isalpha() else ord(character) + 256


_UNFINISHED = re.compile(r"(?i)(?:~|[0-9][.+-]?)(?:alpha|beta|rc|pre|dev)[0-9.]*(?![a-z])")
_REVISION = re.compile(r"-[^-]*$")


class Scheme(enum.StrEnum):
    """A spelling of versions, which determines their order."""

    DEBIAN = "debian"
    HANDLER = "handler"
    IMAGE = "image"
    FILE = "file"


def in_order(scheme: Scheme, first: str, second: str) -> bool:
    """Return whether *first* is not newer than *second*; false where either is no version."""
    try:
        return order(scheme, first) <= order(scheme, second)
    except ValueError:
        return False


@functools.lru_cache(maxsize=65536)
def order(scheme: Scheme, text: str) -> tuple[int, DebianVersion | Version | tuple[int, ...]]:
    """Return the sort key of *text* in *scheme*; raises `ValueError` where it is no version.

    Versions of a file are read as Python's (PEP 440) or else as Debian's; the first number of
    the key separates the two.
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
    """Return whether *text* is a version of *scheme*."""
    return in_order(scheme, text, text)


def is_unfinished(scheme: Scheme, text: str) -> bool:
    """Return whether *text* is a prerelease by its own spelling."""
    if scheme is Scheme.FILE:
        try:
            return Version(text).is_prerelease
        except InvalidVersion:
            pass
    if scheme not in (Scheme.DEBIAN, Scheme.FILE) or not DEBIAN.fullmatch(text):
        return False
    return bool(_UNFINISHED.search(_REVISION.sub("", text)))
