"""The address of the mirror in the cloud: a Blob storage account and a container in it."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from dataclasses import dataclass

from imagebake.kernel.errors import UsageError

_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}")
_EXAMPLE = "https://ACCOUNT.blob.core.windows.net/CONTAINER"


@dataclass(frozen=True, slots=True)
class MirrorAddress:
    """URL of a container, without a query, a user or a folder.

    The container is the last part of its path; an emulator, which has no host for each
    account, puts the account's name before it.
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


def mirror_address(text: str) -> MirrorAddress:
    """Parse the setting `mirror_url`; raises `UsageError` where it is no container's URL.

    Requests to it carry our token, so the host must be Azure's storage, or this machine.
    Messages never quote the text, because a query may be a signature.
    """
    if not text:
        raise UsageError(
            "no mirror is named",
            hint=f"set mirror_url in imagebake.yaml, or IMAGEBAKE_MIRROR_URL: {_EXAMPLE}",
        )
    if why := _objection(text):
        raise UsageError(f"the setting mirror_url {why}", hint=f"it is {_EXAMPLE}")
    return MirrorAddress(text.rstrip("/"))


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
