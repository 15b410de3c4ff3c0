"""Where the mirror in the cloud is: an account of Blob storage, and a container in it."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from dataclasses import dataclass

from imagebake.kernel.errors import UsageError

_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_EXAMPLE = "https://ACCOUNT.blob.core.windows.net/CONTAINER"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a container, and nothing else in it: no query, no user, no folder.

    The container is the last word of its path; before it stands the account's name where
    an emulator has no host for each account.
    """

    url: str

    @property
    def host(self) -> str:
        """The account's server."""
        return urllib.parse.urlsplit(self.url).hostname or ""

    @property
    def account(self) -> str:
        """The account's name."""
        words = urllib.parse.urlsplit(self.url).path.strip("/").split("/")
        return words[0] if len(words) > 1 else self.host.partition(".")[0]

    @property
    def container(self) -> str:
        """The container's name."""
        return self.url.rpartition("/")[2]


def mirror_address(text: str) -> Address:
    """The setting `mirror_url` as an address; raises `UsageError` where it cannot be one.

    What is sent there has our token on it, so it must be Azure's storage, or this machine.
    The text is never quoted back, because what follows a question mark may be a signature.
    """
    if not text:
        raise UsageError(
            "no mirror is named",
            hint=f"set mirror_url in imagebake.yaml, or IMAGEBAKE_MIRROR_URL: {_EXAMPLE}",
        )
    if why := _objection(text):
        raise UsageError(f"the setting mirror_url {why}", hint=f"it is {_EXAMPLE}")
    return Address(text.rstrip("/"))


def _objection(text: str) -> str | None:
    try:
        parts = urllib.parse.urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not an address"
    words = parts.path.strip("/").split("/")
    wanted = 2 if _is_loopback(host) else 1
    if parts.scheme != "https":
        return "is not an https address"
    if parts.query or parts.fragment or parts.username or parts.password:
        return "has more than an address in it: no signature, and no user, belongs there"
    if not _is_loopback(host) and ".blob." not in host:
        return f"names {host!r}, which is not Blob storage"
    if len(words) != wanted or not _CONTAINER.fullmatch(words[-1]):
        return "does not end with the name of a container"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
