"""What things may be called: our names, and Azure's rules for its own."""

from __future__ import annotations

import re

IMAGE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""An image: lower case, digits and dashes, at most 63 characters."""

GALLERY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
"""A gallery: no dashes (Azure, *Manage galleries*)."""

DEFINITION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
"""An image definition: as a gallery, and dashes."""

TEMPLATE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""An image template, a trigger or a run output."""

REGION = re.compile(r"[a-z][a-z0-9]{2,40}")
"""A region by its short name: `westeurope`."""

DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A binary package (Debian Policy 5.6.7)."""

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?"
_GROUP = (
    r"/subscriptions/[0-9a-fA-F-]{36}/resource[gG]roups/"
    r"[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]"
)
_PROVIDER = _GROUP + "/providers/"
_IN_GALLERY = _PROVIDER + rf"Microsoft\.Compute/galleries/{GALLERY.pattern}/images/"
THREE_NUMBERS = r"(?:0|[1-9][0-9]{0,9})(?:\.(?:0|[1-9][0-9]{0,9})){2}"
"""The version of an image in a gallery."""

RESOURCE_GROUP_ID = re.compile(_GROUP)
"""A resource group, by its whole id."""

DEFINITION_ID = re.compile(_IN_GALLERY + DEFINITION.pattern)
"""An image definition, by its whole id."""

VERSION_ID = re.compile(rf"{_IN_GALLERY}{DEFINITION.pattern}/versions/{THREE_NUMBERS}")
"""An image version, by its whole id."""

MANAGED_IMAGE_ID = re.compile(_PROVIDER + rf"Microsoft\.Compute/images/{_PART}")
"""A managed image, by its whole id."""

IDENTITY_ID = re.compile(_PROVIDER + rf"Microsoft\.ManagedIdentity/userAssignedIdentities/{_PART}")
"""A user-assigned identity, by its whole id."""

SUBNET_ID = re.compile(_PROVIDER + rf"Microsoft\.Network/virtualNetworks/{_PART}/subnets/{_PART}")
"""A subnet, by its whole id."""

SHA256 = re.compile(r"[0-9a-f]{64}")
"""A digest; Azure Image Builder wants it in lower case as well."""


def handler_name(publisher: str, extension_type: str) -> str:
    """The agent's name for an extension's handler."""
    return f"{publisher}.{extension_type}"
