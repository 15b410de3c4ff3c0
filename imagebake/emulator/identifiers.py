"""ARM resource ids and locations: parsing, and the spellings that mean the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

GALLERY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
DEFINITION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
TEMPLATE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
GROUP = re.compile(r"[-\w.()]{0,89}[-\w()]")
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")

_IMAGE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)"
    r"/providers/microsoft\.compute/galleries/(?P<gallery>[^/]+)"
    r"/images/(?P<definition>[^/]+)(?:/versions/(?P<version>[^/]+))?",
    re.IGNORECASE,
)
_MANAGED_IMAGE = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute/images/[^/]+",
    re.IGNORECASE,
)
_RESOURCE_GROUP = re.compile(r"/subscriptions/([^/]+)/resourcegroups/([^/]+)", re.IGNORECASE)
_KEYWORD_SEGMENTS = frozenset({"vmimage", "vmextension"})
_INT32 = 2**31


@dataclass(frozen=True, slots=True)
class ImageId:
    """The id of an image definition in a gallery, or of one of its versions."""

    text: str
    subscription: str
    group: str
    gallery: str
    definition: str
    version: str | None

    @property
    def definition_id(self) -> str:
        """The id without its version."""
        return self.text if self.version is None else self.text.rsplit("/", 2)[0]

    def with_version(self, version: str) -> str:
        """The id of that version of the definition."""
        return f"{self.definition_id}/versions/{version}"


def image_id(text: object) -> ImageId | None:
    """Read the id of a definition or version; None when it is neither."""
    match = _IMAGE.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    return ImageId(
        match.group(0),
        match["subscription"],
        match["group"],
        match["gallery"],
        match["definition"],
        match["version"],
    )


def known_image_id(text: str) -> ImageId:
    """Read what has been checked to be the id of a definition or version."""
    found = image_id(text)
    if found is None:
        raise ValueError(f"{text!r} is not the id of a gallery image")
    return found


def is_managed_image(text: object) -> bool:
    """Whether *text* is the id of a managed image."""
    return isinstance(text, str) and _MANAGED_IMAGE.fullmatch(text) is not None


def resource_group_id(text: object) -> tuple[str, str] | None:
    """The subscription and the name in a resource group's id; None when it is not one."""
    match = _RESOURCE_GROUP.fullmatch(text) if isinstance(text, str) else None
    return (match[1], match[2]) if match else None


def version_numbers(text: str) -> tuple[int, int, int] | None:
    """The three numbers of an image version; None when it is not one."""
    match = VERSION.fullmatch(text)
    if not match or any(int(number) >= _INT32 for number in match.groups()):
        return None
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def region(text: object) -> str:
    """A region's short name: `West Europe` is `westeurope`."""
    return str(text).replace(" ", "").lower()


def canonical_path(path: str) -> str:
    """*path* with the words that ARM ignores the case of in lower case, and names as they are.

    Words and names alternate, beginning anew after `providers/<namespace>`. Doubled slashes
    count as one, because the command line client sends them.
    """
    lowered: list[str] = []
    start = 0
    for index, segment in enumerate(filter(None, path.split("/"))):
        is_word = (index - start) % 2 == 0
        if not is_word and lowered[-1] == "providers":
            is_word, start = True, index + 1
        elif segment.lower() in _KEYWORD_SEGMENTS:
            is_word = True
        lowered.append(segment.lower() if is_word else segment)
    return "/" + "/".join(lowered)
