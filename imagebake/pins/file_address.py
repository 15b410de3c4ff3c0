"""The address of a file, whose version stands in it once or several times."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.http import display_url

Read = Callable[[str], bytes]
"""The content at an address; raises an `ImagebakeError` where it cannot be had."""


def moved(url: str, old: str, new: str) -> str:
    """*url* with the version *new* wherever its path has *old* as a whole version."""
    parts = urllib.parse.urlsplit(url)
    path = _whole(old).sub(lambda _: new, parts.path)
    return urllib.parse.urlunsplit(parts._replace(path=path))


def name_of(url: str) -> str:
    """The file's own name."""
    return urllib.parse.urlsplit(url).path.rpartition("/")[2]


def names_version(url: str, version: str) -> bool:
    """Whether the path of *url* says which version it is."""
    return bool(_whole(version).search(urllib.parse.urlsplit(url).path))


def versions_in(page: str, url: str, version: str) -> tuple[str, ...]:
    """The versions of the file at *url* that *page* names, each once, in the page's order.

    What is looked for is the last part of the address with *version* in it.
    """
    parts = urllib.parse.urlsplit(url).path.split("/")
    part = next((one for one in reversed(parts) if _whole(version).search(one)), None)
    if part is None:
        return ()
    texts = _whole(version).split(part)
    pattern = re.escape(texts[0]) + r"([0-9][0-9A-Za-z.+~]*?)" + re.escape(texts[1])
    found = re.findall(rf"(?<![0-9A-Za-z.]){pattern}(?![0-9A-Za-z.+~-])", page)
    return tuple(dict.fromkeys(found))


def digest_in(text: str, name: str) -> str:
    """The sha256 that a file of digests gives for *name*; empty where it gives none."""
    for line in text.splitlines():
        words = line.split()
        if words and re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
            named = words[1].lstrip("*").rpartition("/")[2] if len(words) > 1 else name
            if named == name:
                return words[0].lower()
    return ""


def read_json(read: Read, url: str, whose: str) -> Any:  # noqa: ANN401 - JSON is what it is
    """The JSON at *url*; raises `ArtifactError` where something else is there."""
    try:
        return json.loads(read(url))
    except ValueError as error:
        raise strange(url, whose) from error


def strange(url: str, whose: str) -> ArtifactError:
    """What is said where an address does not answer as it should."""
    return ArtifactError(
        f"{display_url(url)} does not answer as {whose} does",
        hint="is the address in the pin's 'source' right?",
    )


def _whole(version: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9])(?<![0-9]\.){re.escape(version)}(?![0-9]|\.[0-9])")
