"""Sources of versions: GitHub releases, Python indexes, web listings, and all of them opened."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.marketplace import MarketplaceSource
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.http import PUBLIC, ArtifactNotFound, display_url
from imagebake.kernel.text.versions import Scheme, is_version, order
from imagebake.lock import artifact_sources
from imagebake.lock.apt_sources import read_configuration
from imagebake.lock.archive import Archives
from imagebake.pins.archive_versions import ArchiveSource
from imagebake.pins.file_address import (
    Read,
    digest_in,
    moved,
    name_of,
    read_json,
    unexpected_answer,
    versions_in,
)
from imagebake.session.session import connect
from imagebake.spec.model.candidates import Candidate, Origin, Question, VersionSource

_GITHUB = "GitHub's API"
_PYPI = "a Python package index"
_LARGEST_ANSWER = 64 << 20
_RELEASES = 50
_NEWEST = 5
"""Number of a listing's newest versions whose digests are read."""


@dataclass(frozen=True, slots=True)
class GithubSource:
    """Source that reads the newest releases of a repository from GitHub's API."""

    read: Read

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Return the published releases whose tag is a version, with the pinned file."""
        address, file, version, tag = question.names
        url = f"{address}/releases?per_page={_RELEASES}"
        listed = read_json(self.read, url, _GITHUB)
        if not isinstance(listed, list):
            raise unexpected_answer(url, _GITHUB)
        try:
            return tuple(_releases(listed, file, version, (tag,) if tag else ("v", "")))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise unexpected_answer(url, _GITHUB) from error


def _releases(
    listed: list[Mapping[str, Any]], file: str, current: str, prefixes: tuple[str, ...]
) -> Iterator[Candidate]:
    for release in listed:
        if release.get("draft"):
            continue
        version = _tagged_version(str(release["tag_name"]), prefixes)
        if version:
            url = moved(file, current, version)
            assets = {str(asset["name"]): asset for asset in release["assets"]}
            yield _release(release, version, assets.get(name_of(url)), url)


def _release(
    release: Mapping[str, Any], version: str, asset: Mapping[str, Any] | None, url: str
) -> Candidate:
    digest = str((asset or {}).get("digest") or "").removeprefix("sha256:")
    unfit = ""
    if asset is None:
        unfit = f"its release has no {name_of(url)}"
    elif not digest:
        unfit = f"its release names no sha256 of {name_of(url)}"
    day = str(release.get("published_at") or "")[:10]
    return Candidate(
        version=version,
        published=dt.date.fromisoformat(day) if day else None,
        prerelease=bool(release.get("prerelease")),
        notes=str(release.get("html_url") or ""),
        unfit=unfit,
        url=str(asset["browser_download_url"]) if asset else "",
        sha256=digest,
    )


def _tagged_version(tag: str, prefixes: tuple[str, ...]) -> str:
    """Return the version that *tag* names; empty where it is no release of this project."""
    for prefix in prefixes:
        rest = tag.removeprefix(prefix)
        if tag.startswith(prefix) and rest[:1].isdigit():
            return rest
    return ""


@dataclass(frozen=True, slots=True)
class PypiSource:
    """Source that reads the JSON document of a project from a Python package index."""

    read: Read

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Return the releases that contain the pinned file."""
        address, file, version = question.names
        document = read_json(self.read, address, _PYPI)
        try:
            return tuple(_project_releases(document, file, version))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise unexpected_answer(address, _PYPI) from error


def _project_releases(document: Mapping[str, Any], file: str, current: str) -> Iterator[Candidate]:
    notes = str((document.get("info") or {}).get("release_url") or "")
    for version, files in document["releases"].items():
        wanted = name_of(moved(file, current, version))
        for entry in files:
            if entry["filename"] == wanted:
                day = str(entry.get("upload_time_iso_8601") or entry.get("upload_time") or "")[:10]
                why = str(entry.get("yanked_reason") or "its publisher gives no reason")
                yield Candidate(
                    version=version,
                    published=dt.date.fromisoformat(day) if day else None,
                    unfit=f"withdrawn: {why}" if entry.get("yanked") else "",
                    notes=notes,
                    url=str(entry["url"]),
                    sha256=str(entry["digests"]["sha256"]),
                )


@dataclass(frozen=True, slots=True)
class ListingSource:
    """Source that reads a web page with links to files, and the digests beside the newest."""

    read: Read

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """Return the newest versions of the pinned file that the page names."""
        page, file, version, digests = question.names
        text = self.read(page).decode("utf-8", "replace")
        found = [name for name in versions_in(text, file, version) if is_version(Scheme.FILE, name)]
        if not found:
            raise ArtifactError(
                f"{display_url(page)} names no version of {name_of(file)}",
                hint="it names files, or directories, as the pin's address has them",
            )
        newest = sorted(found, key=lambda name: order(Scheme.FILE, name), reverse=True)
        return tuple(self._candidates(newest[:_NEWEST], file, version, digests))

    def _candidates(
        self, versions: list[str], file: str, current: str, digests: str
    ) -> Iterator[Candidate]:
        for version in versions:
            url = moved(file, current, version)
            name = name_of(url)
            beside = f"{url.rpartition('/')[0]}/{moved(digests, current, version) or name}"
            beside = beside if digests else f"{beside}.sha256"
            try:
                sha256 = digest_in(self.read(beside).decode("utf-8", "replace"), name)
            except ArtifactNotFound:
                sha256 = ""
            unfit = "" if sha256 else f"{name_of(beside)} has no sha256 of it"
            yield Candidate(version=version, url=url, sha256=sha256, unfit=unfit)


@contextlib.contextmanager
def open_sources(
    context: Context, questions: Iterable[Question]
) -> Iterator[Mapping[Origin, VersionSource]]:
    """Open every source for *questions*; a source connects when it is first read."""
    packages = (question.names[-1] for question in questions if question.origin is Origin.ARCHIVE)
    loader = artifact_sources.make_downloader(context, read_configuration().proxies)
    read = functools.partial(loader.read, reach=PUBLIC, limit=_LARGEST_ANSWER)
    with contextlib.ExitStack() as stack:
        marketplace = MarketplaceSource(_once(context, stack))
        yield {
            Origin.ARCHIVE: ArchiveSource(
                archives=functools.partial(_archives, context),
                packages=frozenset(packages),
                connections=loader.connections,
                now=context.now,
            ),
            Origin.GITHUB: GithubSource(read),
            Origin.PYPI: PypiSource(read),
            Origin.LISTING: ListingSource(read),
            Origin.IMAGES: marketplace,
            Origin.EXTENSIONS: marketplace,
        }


def _archives(context: Context) -> Archives:
    ensure_programs(system_packages.LOCK, progress=context.progress)
    return artifact_sources.find_machine_archives(context)


def _once(context: Context, stack: contextlib.ExitStack) -> Callable[[], Clients]:
    """Return a function that connects to the cloud once, for all threads."""
    lock = threading.Lock()
    connected: list[Clients] = []

    def connected_clients() -> Clients:
        with lock:
            if not connected:
                connected.append(stack.enter_context(connect(context)).cloud)
            return connected[0]

    return connected_clients
