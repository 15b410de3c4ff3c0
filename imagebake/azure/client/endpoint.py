"""The Azure Resource Manager endpoint: cloud, subscription, resource group and region."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

# Without a handler, Python prints the SDK's warnings to standard error, unformatted.
for _name in ("azure", "msal", "urllib3"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Credential(Protocol):
    """Source of tokens for the Azure clients; `azure-identity`'s credentials fit."""

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """Return a token for *scopes*, with the moment at which it expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A subscription and the resource group and region in it that imagebake works in.

    *ca* is the certificate of an emulator; with it, the host is reached directly, whatever
    proxy the environment names. *polling_seconds* is the wait between two reads of the status
    of an operation, where the service names none.
    """

    base_url: str
    scopes: tuple[str, ...]
    credential: Credential
    subscription: str
    resource_group: str
    location: str
    ca: Path | None = None
    polling_seconds: float = 10.0

    @property
    def group_id(self) -> str:
        """The ARM id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    def gallery_id(self, gallery: str) -> str:
        """The ARM id of a gallery."""
        return f"{self.group_id}/providers/Microsoft.Compute/galleries/{gallery}"

    def version_id(self, gallery: str, definition: str, version: object) -> str:
        """The ARM id of an image version."""
        return f"{self.gallery_id(gallery)}/images/{definition}/versions/{version}"

    def template_id(self, name: str) -> str:
        """The ARM id of an image template."""
        return f"{self.group_id}/providers/Microsoft.VirtualMachineImages/imageTemplates/{name}"
