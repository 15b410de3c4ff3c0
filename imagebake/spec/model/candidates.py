"""Versions that a source offers, and the query that lists them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from dataclasses import dataclass
from typing import Any, Protocol, Self

from imagebake.kernel.digest import sha256_json


class Origin(enum.StrEnum):
    """The kind of source."""

    ARCHIVE = "archive"
    IMAGES = "marketplace"
    EXTENSIONS = "extensions"
    GITHUB = "github"
    PYPI = "pypi"
    LISTING = "listing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query to one source: equal questions have equal answers.

    *names* are the source's own: suite, architecture and package of an archive; publisher,
    offer and sku, or publisher and type, of the marketplace; address and version pattern of the
    others. *regions* are those in which a version must be available.
    """

    origin: Origin
    names: tuple[str, ...]
    regions: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key under which an answer is cached."""
        return sha256_json([self.origin.value, self.names, sorted(self.regions)])

    @property
    def about(self) -> str:
        """The subject of the query, for messages."""
        addressed = self.origin in (Origin.GITHUB, Origin.PYPI, Origin.LISTING)
        where = self.names[:1] if addressed else self.names
        return f"{self.origin} {':'.join(where)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An available version.

    *published* is its publisher's date, *seen* the day on which imagebake first saw it;
    *missing* are target regions without it; *unfit* is why it cannot be used, such as that it
    was withdrawn. *url* and *sha256* are set for a file, whose address changes with its
    version. *notes* is the address of its release notes.
    """

    version: str
    published: dt.date | None = None
    seen: dt.date | None = None
    prerelease: bool = False
    security: bool = False
    missing: tuple[str, ...] = ()
    category: str = ""
    urgency: str = ""
    unfit: str = ""
    notes: str = ""
    url: str = ""
    sha256: str = ""

    @property
    def born(self) -> dt.date | None:
        """The day from which its age counts."""
        return self.published or self.seen

    def to_json(self) -> dict[str, Any]:
        """Return the candidate as JSON, without empty fields."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["missing"] = list(self.missing)
        days = {name: fields[name] for name in ("published", "seen")}
        fields |= {name: day.isoformat() for name, day in days.items() if day}
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read the output of `to_json`; raises `ValueError`, `TypeError` or `KeyError`."""
        days: dict[str, Any] = {
            name: dt.date.fromisoformat(document[name])
            for name in ("published", "seen")
            if name in document
        }
        missing = tuple(document.get("missing", ()))
        fields: dict[str, Any] = {**document, **days, "missing": missing}
        return cls(**fields)


class VersionSource(Protocol):
    """A source of available versions."""

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Return every available version; raises an `ImagebakeError` where the source fails."""
