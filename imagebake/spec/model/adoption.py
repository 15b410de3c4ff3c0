"""Adoption rules: when a newer version of a pin may be adopted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from imagebake.kernel.text.constrained import quoted
from imagebake.kernel.text.versions import Scheme, in_order
from imagebake.spec.model.base import Value
from imagebake.spec.model.types import HttpsAddress, Text

COOLDOWN_DAYS = 7
"""Default age in days before a version is adopted."""


class DeniedVersions(Value):
    """A range of versions that must not be adopted, both ends included."""

    first: Text
    """The first denied version."""
    last: Text | None = None
    """The last denied version; only the first is denied when absent."""
    reason: Text
    """The defect of these versions."""

    @model_validator(mode="after")
    def _first_is_not_after_last(self) -> Self:
        for version in (self.first, self.last or self.first):
            if not version[:1].isdigit():
                raise ValueError(f"{quoted(version)} is not a version, such as '1.10.0.2'")
        return self

    def covers(self, version: str, scheme: Scheme) -> bool:
        """Return whether *version* is in the range, in the order of *scheme*.

        A Debian revision does not take a version out of a range of upstream versions.
        """
        if scheme is Scheme.DEBIAN and "-" not in (self.last or self.first):
            version = version.rpartition("-")[0] or version
        return in_order(scheme, self.first, version) and in_order(
            scheme, version, self.last or self.first
        )


class Adoption(Value):
    """When a newer version may be adopted; a pin's rules override those of its spec."""

    cooldown_days: Annotated[int, Field(ge=0, le=365)] | None = None
    """How many days old a version must be; 7 by default. Security fixes do not wait."""
    prereleases: bool | None = None
    """Whether versions that their publisher marks as prereleases may be adopted."""
    deny: Annotated[tuple[DeniedVersions, ...], Field(max_length=100)] = ()
    """Versions that are not adopted, each with its reason; a pin adds to its spec's."""


class FileSource(Value):
    """Where newer versions of a file are published: `github`, `pypi` or `listing`."""

    github: HttpsAddress | None = None
    """The address of a repository in GitHub's API."""
    tag: Text | None = None
    """For `github`: the prefix of versions in tags; `v` or nothing when absent."""
    pypi: HttpsAddress | None = None
    """The address of a project's JSON in a Python package index."""
    listing: HttpsAddress | None = None
    """The address of a page that lists the versions."""
    digests: Text | None = None
    """For `listing`: the name of the checksum file beside it; `FILE.sha256` when absent."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if sum(bool(kind) for kind in (self.github, self.pypi, self.listing)) != 1:
            raise ValueError("a source has one of the keys 'github', 'pypi' and 'listing'")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionTerms:
    """The adoption rules of one pin, merged from its spec, the pin and the catalogue."""

    cooldown_days: int = COOLDOWN_DAYS
    prereleases: bool = False
    deny: tuple[DeniedVersions, ...] = ()
    hold: str | None = None

    def denied(self, version: str, scheme: Scheme) -> str:
        """Return why *version* is denied; empty where it is not."""
        return next(
            (versions.reason for versions in self.deny if versions.covers(version, scheme)), ""
        )


def adoption_terms(
    general: Adoption,
    own: Adoption | None,
    *,
    hold: str | None,
    known_bad: tuple[DeniedVersions, ...] = (),
) -> AdoptionTerms:
    """Merge the rules *general* of a spec and *own* of a pin.

    *known_bad* are versions that the catalogue denies.
    """
    own = own or Adoption()
    days = own.cooldown_days if own.cooldown_days is not None else general.cooldown_days
    unfinished = own.prereleases if own.prereleases is not None else general.prereleases
    return AdoptionTerms(
        cooldown_days=COOLDOWN_DAYS if days is None else days,
        prereleases=bool(unfinished),
        deny=(*own.deny, *general.deny, *known_bad),
        hold=hold,
    )
