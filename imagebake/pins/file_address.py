"""Addresses of pinned files, which contain their version once or several times."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.http import display_url

Read = Callable[[str], bytes]
"""Reads the content at an address; raises an `ImagebakeError` where it is not available."""


def moved(url: str, old: str, new: str) -> str:
    """Replace the version *old* by *new* in the path of *url*, only as a whole version."""
    parts = urllib.parse.urlsplit(url)
    path = _whole(old).sub(lambda _: new, parts.path)
    return urllib.parse.urlunsplit(parts._replace(path=path))


def name_of(url: str) -> str:
    """Return the file's name without its folder."""
    return urllib.parse.urlsplit(url).path.rpartition("/")[2]


def names_version(url: str, version: str) -> bool:
    """Return whether the path of *url* contains *version*."""
    return bool(_whole(version).search(urllib.parse.urlsplit(url).path))


def versions_in(page: str, url: str, version: str) -> tuple[str, ...]:
    """Return the versions in *page* of the file at *url*, without repetition, in page order.

    The page is searched for the last segment of the URL that contains *version*.
    """
    parts = urllib.parse.urlsplit(url).path.split("/")
    part = next((segment for segment in reversed(parts) if _whole(version).search(segment)), None)
    if part is None:
        return ()
    texts = _whole(version).split(part)
    pattern = re.escape(texts[0]) + r"([0-9][0-9A-Za-z.+~]*?)" + re.escape(texts[1])
    found = re.findall(rf"(?<![0-9A-Za-z.]){pattern}(?![0-9A-Za-z.+~-])", page)
    return tuple(dict.fromkeys(found))


def digest_in(text: str, name: str) -> str:
    """Return the sha256 of *name* in a file of digests; empty where it lists none."""
    for line in text.splitlines():
        words = line.split()
        if words and re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
            named = words[1].lstrip("*").rpartition("/")[2] if len(words) > 1 else name
            if named == name:
                return words[0].lower()
    return ""


def read_json(read: Read, url: str, whose: str) -> Any:  # noqa: ANN401 - JSON is what it is
    """Read JSON at *url*; raises `ArtifactError` where the content is something else."""
    try:
        return json.loads(read(url))
    except ValueError as error:
        raise unexpected_answer(url, whose) from error


def unexpected_answer(url: str, whose: str) -> ArtifactError:
    """Return the error for an address that does not answer like *whose* service."""
    return ArtifactError(
        f"{display_url(url)} does not answer as {whose} does",
        hint="is the address in the pin's 'source' right?",
    )


def _whole(version: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9])(?<![0-9]\.){re.escape(version)}(?![0-9]|\.[0-9])")
