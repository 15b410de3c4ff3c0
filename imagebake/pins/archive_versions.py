"""Source of package versions: the archives of this machine, with the day of each version."""

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
"""Number of a package's newest versions whose day is asked of the server."""


@dataclass(slots=True)
class ArchiveSource:
    """Source that reads each suite once, for the versions of *packages*.

    An index has no dates. A server may report since when it has a package's file, which is
    the day of publication, or a later one on a mirror; and a version existed on the day on
    which its suite was signed. The earliest of these days counts.
    """

    archives: Callable[[], Archives]
    packages: frozenset[str]
    connections: Connections
    now: dt.datetime
    _suites: dict[tuple[str, str], tuple[Suite, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Return every version of the question's package, from all pockets of its suite."""
        suite, architecture, package = question.names
        suites = self._open(suite, architecture)
        versions = {version for opened in suites for version in opened.index.versions(package)}
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
        holders = [suite for suite in suites if version in suite.index.versions(package)]
        days = [day for suite in holders if (day := _signed(suite))]
        if dated and (day := self._on_server(package, version, architecture, holders)):
            days.append(day)
        return Candidate(
            version=version,
            published=min(days, default=None),
            security=any(suite.repository.suite.endswith("-security") for suite in holders),
        )

    def _on_server(
        self, package: str, version: str, architecture: str, holders: Sequence[Suite]
    ) -> dt.date | None:
        """Return the day that the server reports for the package's file, or None."""
        for suite in holders:
            found = suite.index.find(package, version, architecture)
            base = suite.address
            if not (found and base and found.get("Size", "").isdigit()):
                continue
            url = f"{base}/{found['Filename'].removeprefix('./')}"
            try:
                with self.connections.get(
                    # One byte is enough: only the Last-Modified header of the answer is used.
                    url,
                    reach=ARCHIVE,
                    offset=int(found["Size"]) - 1,
                ) as response:
                    response.read()
                    return _day(response.headers.get("Last-Modified", ""))
            except ArtifactError:  # the age is optional; adoption then counts from the first sight
                continue
        return None


def _signed(suite: Suite) -> dt.date | None:
    return _day(suite.repository.date.replace("UTC", "+0000"))


def _day(text: str) -> dt.date | None:
    try:
        return email.utils.parsedate_to_datetime(text).date()
    except ValueError:
        return None
