"""Patterns of names: imagebake's own, and Azure's rules for its resources."""

from __future__ import annotations

import re

IMAGE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""An image's name: lower case, digits and dashes, at most 63 characters."""

GALLERY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
"""A gallery's name: no dashes (Azure, *Manage galleries*)."""

DEFINITION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
"""An image definition's name: as a gallery's, and dashes."""

TEMPLATE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""The name of an image template, a trigger or a run output."""

REGION = re.compile(r"[a-z][a-z0-9]{2,40}")
"""A region's short name: `westeurope`."""

DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A binary package's name (Debian Policy 5.6.7)."""

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
"""The full id of a resource group."""

DEFINITION_ID = re.compile(_IN_GALLERY + DEFINITION.pattern)
"""The full id of an image definition."""

VERSION_ID = re.compile(rf"{_IN_GALLERY}{DEFINITION.pattern}/versions/{THREE_NUMBERS}")
"""The full id of an image version."""

MANAGED_IMAGE_ID = re.compile(_PROVIDER + rf"Microsoft\.Compute/images/{_PART}")
"""The full id of a managed image."""

IDENTITY_ID = re.compile(_PROVIDER + rf"Microsoft\.ManagedIdentity/userAssignedIdentities/{_PART}")
"""The full id of a user-assigned identity."""

SUBNET_ID = re.compile(_PROVIDER + rf"Microsoft\.Network/virtualNetworks/{_PART}/subnets/{_PART}")
"""The full id of a subnet."""

SHA256 = re.compile(r"[0-9a-f]{64}")
"""A SHA-256 digest in lower-case hex, as Azure Image Builder requires."""


def handler_name(publisher: str, extension_type: str) -> str:
    """Return the agent's name of an extension handler."""
    return f"{publisher}.{extension_type}"
