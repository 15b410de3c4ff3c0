"""Which Azure Resource Manager is spoken to: the only thing that differs between two clouds."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

# Unheard, the SDK's warnings would go to standard error, in words that nobody has looked at.
for _name in ("azure", "msal", "urllib3"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Credential(Protocol):
    """What the Azure clients ask for tokens; `azure-identity`'s credentials fit."""

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """A token for *scopes*, with the moment it expires at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A subscription and the resource group and region in it that imagebake works in.

    *ca* is the certificate that an emulator is trusted by; where it is given, the host is
    reached directly, whatever proxy the environment names. *polling_seconds* is how long
    to wait between two looks at something that runs, where the service does not say.
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
