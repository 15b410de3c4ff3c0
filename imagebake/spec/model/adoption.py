"""When a newer version may be adopted: what a spec says about all its pins, or about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from imagebake.kernel.text.constrained import quoted
from imagebake.kernel.text.versions import Scheme, in_order
from imagebake.spec.model.base import Value
from imagebake.spec.model.types import HttpsAddress, Text

COOLDOWN_DAYS = 7
"""How old a version is before it is adopted, where nobody says otherwise."""


class DeniedVersions(Value):
    """Versions that are not adopted, from the first to the last, both included."""

    first: Text
    """The first version that is denied."""
    last: Text | None = None
    """The last one; only the first is denied when absent."""
    reason: Text
    """What is wrong with them."""

    @model_validator(mode="after")
    def _first_is_not_after_last(self) -> Self:
        for version in (self.first, self.last or self.first):
            if not version[:1].isdigit():
                raise ValueError(f"{quoted(version)} is not a version, such as '1.10.0.2'")
        return self

    def covers(self, version: str, scheme: Scheme) -> bool:
        """Whether *version* is one of them, in the order of *scheme*.

        What a packager adds to a version of Debian's spelling does not take it out of them.
        """
        if scheme is Scheme.DEBIAN and "-" not in (self.last or self.first):
            version = version.rpartition("-")[0] or version
        return in_order(scheme, self.first, version) and in_order(
            scheme, version, self.last or self.first
        )


class Adoption(Value):
    """When a newer version may be adopted; what a pin says goes before what its spec says."""

    cooldown_days: Annotated[int, Field(ge=0, le=365)] | None = None
    """How many days old a version must be; 7 when nobody says. Security fixes do not wait."""
    prereleases: bool | None = None
    """Whether versions that their publisher calls unfinished may be adopted."""
    deny: Annotated[tuple[DeniedVersions, ...], Field(max_length=100)] = ()
    """Versions that are not adopted, each with its reason; of a pin, in addition to its spec's."""


class FileSource(Value):
    """Where newer versions of a file are published: one of `github`, `pypi` and `listing`."""

    github: HttpsAddress | None = None
    """The address of a repository in GitHub's API."""
    tag: Text | None = None
    """For `github`: what stands before the version in tags; `v` or nothing when absent."""
    pypi: HttpsAddress | None = None
    """The address of a project's JSON in a Python package index."""
    listing: HttpsAddress | None = None
    """The address of a page that names the versions there are."""
    digests: Text | None = None
    """For `listing`: the name of the file of digests beside it; `FILE.sha256` when absent."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if sum(bool(one) for one in (self.github, self.pypi, self.listing)) != 1:
            raise ValueError("a source has one of the keys 'github', 'pypi' and 'listing'")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for one pin, once its spec, its own words and the catalogue are put together."""

    cooldown_days: int = COOLDOWN_DAYS
    prereleases: bool = False
    deny: tuple[DeniedVersions, ...] = ()
    hold: str | None = None

    def denied(self, version: str, scheme: Scheme) -> str:
        """Why *version* is denied; empty where it is not."""
        return next((one.reason for one in self.deny if one.covers(version, scheme)), "")


def terms(
    general: Adoption,
    own: Adoption | None,
    *,
    hold: str | None,
    known_bad: tuple[DeniedVersions, ...] = (),
) -> Terms:
    """The terms of a pin whose spec says *general* and which says *own*.

    *known_bad* is what the catalogue denies for everybody.
    """
    own = own or Adoption()
    days = own.cooldown_days if own.cooldown_days is not None else general.cooldown_days
    unfinished = own.prereleases if own.prereleases is not None else general.prereleases
    return Terms(
        cooldown_days=COOLDOWN_DAYS if days is None else days,
        prereleases=bool(unfinished),
        deny=(*own.deny, *general.deny, *known_bad),
        hold=hold,
    )
