"""The versions that a source has of something, and the question that they answer."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from dataclasses import dataclass
from typing import Any, Protocol, Self

from imagebake.kernel.digest import sha256_json


class Origin(enum.StrEnum):
    """Who is asked."""

    ARCHIVE = "archive"
    IMAGES = "marketplace"
    EXTENSIONS = "extensions"
    GITHUB = "github"
    PYPI = "pypi"
    LISTING = "listing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one source: equal questions have one answer.

    *names* are the source's own: of an archive suite, architecture and package; of the
    marketplace publisher, offer and sku, or publisher and type; of the others address and
    what makes a version of it. *regions* are those in which a version must be.
    """

    origin: Origin
    names: tuple[str, ...]
    regions: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What an answer is kept under."""
        return sha256_json([self.origin.value, self.names, sorted(self.regions)])

    @property
    def about(self) -> str:
        """What is asked about, for messages."""
        addressed = self.origin in (Origin.GITHUB, Origin.PYPI, Origin.LISTING)
        where = self.names[:1] if addressed else self.names
        return f"{self.origin} {':'.join(where)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One version there is.

    *published* is the day its publisher names, *seen* the day on which we first saw it;
    *missing* are the target regions that do not have it yet; *unfit* is why nobody can use it,
    such as that it was withdrawn. *url* and *sha256* are there
    for a file, whose address moves with its version. *notes* is where to read about it.
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
        """The candidate as JSON, without what is empty."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["missing"] = list(self.missing)
        days = {name: fields[name] for name in ("published", "seen")}
        fields |= {name: day.isoformat() for name, day in days.items() if day}
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read what `to_json` has written; raises `ValueError`, `TypeError` or `KeyError`."""
        days: dict[str, Any] = {
            name: dt.date.fromisoformat(document[name])
            for name in ("published", "seen")
            if name in document
        }
        missing = tuple(document.get("missing", ()))
        fields: dict[str, Any] = {**document, **days, "missing": missing}
        return cls(**fields)


class VersionSource(Protocol):
    """Whoever can be asked which versions there are."""

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Every version there is; raises an `ImagebakeError` where none can be had."""
