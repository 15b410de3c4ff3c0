"""Apt archives: verified suites, cached by digest."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import lzma
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.errors import ArtifactError, UsageError
from imagebake.kernel.host.download import Downloader, DownloadRequest
from imagebake.kernel.host.http import ARCHIVE, ArtifactNotFound, display_url
from imagebake.kernel.settings import Settings
from imagebake.lock import release as releases
from imagebake.lock.apt_sources import AptConfiguration, AptSource, read_sources, select
from imagebake.lock.archive_index import Index
from imagebake.lock.release import Release
from imagebake.spec.lock import Lock, Repository

_LARGEST_IN_RELEASE = 16 << 20
_DATE = re.compile(r"\d{8}T\d{6}Z")
_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    "": bytes,
}


@dataclass(frozen=True, slots=True)
class Suite:
    """One suite of an archive: its entry in the lock, its packages, and its address."""

    repository: Repository
    index: Index
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """Access to the archives that this machine, or a setting, names.

    *sources* come first; *others* serve suites that only they name. *snapshot* is an address
    with `{archive}` in it, and a date or `{date}`; or empty. *keyring*, if set, is trusted
    instead of the sources' own; *keyrings* are trusted where a source names none. *cache*
    stores package indexes by digest.
    """

    sources: tuple[AptSource, ...]
    others: tuple[AptSource, ...] = ()
    keyring: str
    keyrings: tuple[Path, ...]
    check_dates: bool
    snapshot: str
    downloader: Downloader
    cache: Path

    def open(
        self,
        suite: str,
        architecture: str,
        *,
        now: dt.datetime,
        moment: str | None = None,
        only: Collection[str] | None = None,
    ) -> tuple[Suite, ...]:
        """Fetch and verify *suite* as it is now, with its updates and security fixes.

        With a *moment*, as it was then; raises `ArtifactError` where no address of a dated
        archive is known. With *only*, just the packages of these names are read.
        """
        if moment and not self.snapshot:
            raise ArtifactError(
                f"{suite} is to be locked as it was at {moment}, and no dated archive is known",
                hint="set 'snapshot' in imagebake.yaml, or IMAGEBAKE_SNAPSHOT: "
                "docs/how-to/ubuntu.md",
            )
        date = moment or self._date
        return tuple(
            self._open(source, architecture, now, date, only)
            for source in self.select(suite, architecture)
        )

    def select(self, suite: str, architecture: str) -> tuple[AptSource, ...]:
        """Return the sources of *suite* with updates and fixes, as `sources.select` does."""
        named = any(source.suite == suite for source in self.others)
        first = any(source.suite == suite for source in self.sources)
        return select(self.others if named and not first else self.sources, suite, architecture)

    def addresses(self, lock: Lock) -> Mapping[str, str]:
        """Return the base addresses of *lock*'s repositories that this machine knows."""
        if lock.suite is None:
            return {}
        try:
            known = {source.suite: source for source in self.select(lock.suite, lock.architecture)}
        except ArtifactError:  # only a download needs an address
            return {}
        return {
            repository.id: self._address(known[repository.suite], repository.snapshot)
            for repository in lock.repositories
            if repository.suite in known
        }

    def _address(self, source: AptSource, date: str | None) -> str:
        if not (self.snapshot and date):
            return source.address
        address = _DATE.sub(date, self.snapshot).replace("{date}", date).rstrip("/")
        return address.replace("{archive}", source.address.rpartition("/")[2])

    @property
    def _date(self) -> str | None:
        found = _DATE.search(self.snapshot)
        return found[0] if found else None

    def _open(
        self,
        source: AptSource,
        architecture: str,
        now: dt.datetime,
        date: str | None,
        only: Collection[str] | None,
    ) -> Suite:
        address = self._address(source, date)
        folder = f"{address}/dists/{source.suite}"
        what = f"{display_url(folder)}/InRelease"
        signed = self._in_release(folder, source.suite)
        signers = (self.keyring,) if self.keyring else source.signed_by
        release = releases.verify(signed, what=what, signers=signers, keyrings=self.keyrings)
        if source.suite not in release.names:
            raise ArtifactError(
                f"{what} is about {' or '.join(sorted(release.names))}, not about {source.suite}"
            )
        # A snapshot's Valid-Until has passed by design.
        if self.check_dates and not date:
            releases.check_dates(release, what, now)
        texts = [
            self._packages(folder, release, component, architecture)
            for component in source.components
        ]
        repository = Repository(
            id=f"{_identifier(release.label or release.origin)}/{source.suite}",
            suite=source.suite,
            components=source.components,
            in_release_sha256=release.in_release_sha256,
            date=release.date,
            snapshot=date,
        )
        index = Index.parse((text for several in texts for text in several), only)
        return Suite(repository, index, address)

    def _in_release(self, folder: str, suite: str) -> bytes:
        url = f"{folder}/InRelease"
        try:
            return self.downloader.read(url, reach=ARCHIVE, limit=_LARGEST_IN_RELEASE)
        except ArtifactNotFound as error:
            raise ArtifactError(
                f"{display_url(folder)} does not exist: the archive has no suite {suite}",
                hint="is local.suite right? an archive that has it can be named in the setting"
                " archive",
            ) from error

    def _packages(
        self, folder: str, release: Release, component: str, architecture: str
    ) -> list[bytes]:
        """Return one component's indexes: of *architecture*, and of `all` if separate."""
        kinds = (architecture, "all") if release.all_is_apart else (architecture,)
        found = [self._index(folder, release, f"{component}/binary-{kind}") for kind in kinds]
        if found[0] is None:
            raise ArtifactError(
                f"{display_url(folder)} has no packages of {component} for {architecture}"
            )
        return [text for text in found if text is not None]

    def _index(self, folder: str, release: Release, place: str) -> bytes | None:
        for suffix, unpack in _UNPACK.items():
            path = f"{place}/Packages{suffix}"
            if path in release.files:
                sha256, size = release.files[path]
                kept = self.cache / sha256
                if not kept.exists():
                    self._fetch(
                        folder,
                        path,
                        place,
                        DownloadRequest(url="", sha256=sha256, size=size),
                        release,
                    )
                return unpack(kept.read_bytes())
        return None

    def _fetch(
        self, folder: str, path: str, place: str, wanted: DownloadRequest, release: Release
    ) -> None:
        """Fetch a file by its digest where the archive offers that: a path may change meanwhile."""
        urls = [f"{folder}/{path}"]
        if release.by_hash:
            urls.insert(0, f"{folder}/{place}/by-hash/SHA256/{wanted.sha256}")
        for url in urls:
            named = dataclasses.replace(wanted, url=url)
            try:
                self.downloader.fetch(named, self.cache / wanted.sha256, reach=ARCHIVE)
            except ArtifactNotFound:
                if url == urls[-1]:
                    raise
            else:
                return


def find_archives(
    settings: Settings, machine: AptConfiguration, *, downloader: Downloader, cache: Path
) -> Archives:
    """Return the archives of the setting `archive`, or of the *machine*'s own apt."""
    dated = _DATE.search(settings.snapshot) or "{date}" in settings.snapshot
    if settings.snapshot and not (settings.snapshot.startswith(("http://", "https://")) and dated):
        raise UsageError(
            f"the setting snapshot is {settings.snapshot!r}, which names no date",
            hint="it is an address such as https://…/{archive}/20260901T000000Z, or with {date}",
        )
    named = read_sources([Path(settings.archive)]) if settings.archive else ()
    own = read_sources(machine.sources)
    return Archives(
        sources=named or own,
        others=own if named else (),
        keyring=settings.keyring,
        keyrings=machine.keyrings,
        check_dates=machine.check_dates,
        snapshot=settings.snapshot,
        downloader=downloader,
        cache=cache,
    )


def _identifier(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "archive"
