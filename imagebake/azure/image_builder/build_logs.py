"""Logs of builds: blobs in the storage account of a template's staging group.

They are deleted with the template, so its deleter must save them first.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.kernel.errors import CloudError
from imagebake.kernel.host.files import write_atomically

_ACCOUNTS_API = "2023-05-01"
_BLOB_API = "2023-11-03"
_SCOPE = "https://storage.azure.com/.default"
_CONTAINER = "packerlogs"
_ORDER = ("customization.log", "validation.log")
# Storage answers 416 to an offset at the end of a log: nothing new has been written.
_NO_RANGE = 416
_LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
_FORBIDDEN = ("403", "AuthorizationPermissionMismatch", "AuthorizationFailure")
# ElementTree expands entities; a list of blobs has no reason to declare any.
_XML_DANGER = re.compile(rb"<!(DOCTYPE|ENTITY)")


@dataclass(frozen=True, slots=True)
class PackerLogs:
    """The logs of image templates in the endpoint's resource group."""

    clients: Clients

    def read(self, template: str, offset: int = 0) -> bytes:
        """Return the log of *template*'s last run from *offset* on; empty while there is none."""
        blobs = self._blobs(template)
        run = blobs[-1].rpartition("/")[0] if blobs else ""
        names = [f"{run}/{name}" for name in _ORDER if f"{run}/{name}" in blobs]
        if len(names) == 1:
            return self._blob(names[0], offset)
        return b"".join(self._blob(name, 0) for name in names)[offset:]

    def keep(self, template: str, folder: Path) -> Path | None:
        """Save the log of *template*'s last run in *folder*; None where there is no log."""
        content = self.read(template)
        if not content:
            return None
        path = folder / f"{template}.log"
        write_atomically(path, content, mode=0o600)
        return path

    def _blobs(self, template: str) -> list[str]:
        """Return the addresses of the logs, those of the last run last."""
        found: list[tuple[dt.datetime, str]] = []
        for account in self._accounts(template):
            try:
                listed = self._get(f"{account}{_CONTAINER}?restype=container&comp=list")
            except NotFound:
                continue
            found += [(when, f"{account}{_CONTAINER}/{name}") for name, when in _listed(listed)]
        return [address for _, address in sorted(found, key=lambda log: log[0])]

    def _accounts(self, template: str) -> Iterator[str]:
        operations = self.clients.image_builder.virtual_machine_image_templates
        group = self.clients.endpoint.resource_group
        doing = f"read image template {template!r}"
        there = self.clients.find(doing, operations.get, group, template)
        staging = there["properties"].get("exactStagingResourceGroup") if there else None
        if not staging:
            return
        path = f"{staging}/providers/Microsoft.Storage/storageAccounts"
        answer: Mapping[str, Any] = self.clients.send(
            "list the storage of the staging group", "GET", f"{path}?api-version={_ACCOUNTS_API}"
        )
        for account in answer["value"]:
            if blob := (account["properties"].get("primaryEndpoints") or {}).get("blob"):
                yield str(blob)

    def _blob(self, address: str, offset: int) -> bytes:
        headers = {"x-ms-range": f"bytes={offset}-"} if offset else {}
        try:
            return self._get(address, headers)
        except CloudError as error:
            if error.code in ("InvalidRange", str(_NO_RANGE)):
                return b""
            raise

    def _get(self, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        sent = {"x-ms-version": _BLOB_API, **(headers or {})}
        try:
            return self.clients.read_with_token("read the build's log", address, _SCOPE, sent)
        except CloudError as error:
            if error.code not in _FORBIDDEN:
                raise
            raise CloudError(
                error.message,
                code=error.code,
                correlation_id=error.correlation_id,
                cause="reading blobs needs a role of its own; being Contributor is not enough",
                hint="az role assignment create --role 'Storage Blob Data Reader' --assignee"
                " IDENTITY --scope the staging group, or the subscription",
            ) from error


def _listed(document: bytes) -> Iterator[tuple[str, dt.datetime]]:
    """Yield names and times of the logs in a list of blobs."""
    if _XML_DANGER.search(document):
        return
    for blob in ET.fromstring(document).iter("Blob"):  # noqa: S314 - see above
        name = blob.findtext("Name") or ""
        if name.rpartition("/")[2] in _ORDER:
            when = blob.findtext("Properties/Last-Modified") or _LONG_AGO
            yield name, email.utils.parsedate_to_datetime(when)
