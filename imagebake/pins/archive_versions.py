"""The versions that an archive has of a package, with the day on which each appeared."""

from __future__ import annotations

import datetime as dt
import email.utils
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.http import ARCHIVE, Connections
from imagebake.kernel.text.versions import DebianVersion
from imagebake.lock.archive import Archives, Suite
from imagebake.spec.model.candidates import Candidate, Question

_DATED = 3
"""How many of a package's newest versions are asked for their day."""


@dataclass(slots=True)
class ArchiveSource:
    """The archives of this machine: each suite is read once, however much is asked of it.

    *packages* are the names that will be asked about; of the others nothing is read.

    An index says nothing of days. A server may say since when it has a package's file, which
    is the day it was published on, or a later one where the server is a mirror; and a version
    was there on the day on which its suite was signed. The earliest of them counts.
    """

    archives: Callable[[], Archives]
    packages: frozenset[str]
    connections: Connections
    now: dt.datetime
    _suites: dict[tuple[str, str], tuple[Suite, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Every version of the package that *question* names, in any variant of its suite."""
        suite, architecture, package = question.names
        suites = self._open(suite, architecture)
        versions = {version for one in suites for version in one.index.versions(package)}
        if not versions:
            raise ArtifactError(f"the archive has no package {package} in {suite}")
        newest = sorted(versions, key=DebianVersion, reverse=True)
        return tuple(
            self._candidate(package, version, architecture, suites, dated=number < _DATED)
            for number, version in enumerate(newest)
        )

    def _open(self, suite: str, architecture: str) -> tuple[Suite, ...]:
        with self._lock:
            if (suite, architecture) not in self._suites:
                opened = self.archives().open(suite, architecture, now=self.now, only=self.packages)
                self._suites[suite, architecture] = opened
            return self._suites[suite, architecture]

    def _candidate(
        self,
        package: str,
        version: str,
        architecture: str,
        suites: Sequence[Suite],
        *,
        dated: bool,
    ) -> Candidate:
        holders = [one for one in suites if version in one.index.versions(package)]
        days = [day for one in holders if (day := _signed(one))]
        if dated and (day := self._on_server(package, version, architecture, holders)):
            days.append(day)
        return Candidate(
            version=version,
            published=min(days, default=None),
            security=any(one.repository.suite.endswith("-security") for one in holders),
        )

    def _on_server(
        self, package: str, version: str, architecture: str, holders: Sequence[Suite]
    ) -> dt.date | None:
        """The day that the server names for the package's file; None where it names none."""
        for suite in holders:
            found = suite.index.find(package, version, architecture)
            base = suite.address
            if not (found and base and found.get("Size", "").isdigit()):
                continue
            url = f"{base}/{found['Filename'].removeprefix('./')}"
            try:
                with self.connections.get(
                    url, reach=ARCHIVE, offset=int(found["Size"]) - 1
                ) as response:
                    response.read()
                    return _day(response.headers.get("Last-Modified", ""))
            except ArtifactError:  # an age is good to have, and nothing fails for want of one
                continue
        return None


def _signed(suite: Suite) -> dt.date | None:
    return _day(suite.repository.date.replace("UTC", "+0000"))


def _day(text: str) -> dt.date | None:
    try:
        return email.utils.parsedate_to_datetime(text).date()
    except ValueError:
        return None
