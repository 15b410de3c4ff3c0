"""Releases of a repository, as GitHub's API lists them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.pins.file_address import Read, moved, name_of, read_json, strange
from imagebake.spec.model.candidates import Candidate, Question

_WHOSE = "GitHub's API"
_PAGE = 50


@dataclass(frozen=True, slots=True)
class GithubSource:
    """Asks the repository that a pin names for its newest releases."""

    read: Read

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        """The published releases whose tag is a version, with the file that is pinned."""
        address, file, version, tag = question.names
        url = f"{address}/releases?per_page={_PAGE}"
        listed = read_json(self.read, url, _WHOSE)
        if not isinstance(listed, list):
            raise strange(url, _WHOSE)
        try:
            return tuple(_candidates(listed, file, version, (tag,) if tag else ("v", "")))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise strange(url, _WHOSE) from error


def _candidates(
    listed: list[Mapping[str, Any]], file: str, current: str, prefixes: tuple[str, ...]
) -> Iterator[Candidate]:
    for release in listed:
        if release.get("draft"):
            continue
        version = _version(str(release["tag_name"]), prefixes)
        if version:
            url = moved(file, current, version)
            assets = {str(one["name"]): one for one in release["assets"]}
            yield _candidate(release, version, assets.get(name_of(url)), url)


def _candidate(
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


def _version(tag: str, prefixes: tuple[str, ...]) -> str:
    """The version that *tag* names; empty where it is not one of this project's releases."""
    for prefix in prefixes:
        rest = tag.removeprefix(prefix)
        if tag.startswith(prefix) and rest[:1].isdigit():
            return rest
    return ""
