"""ARM resource ids, resource names and regions: parsing and canonical spellings."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Documented: gallery names take no dashes, definition names do.
GALLERY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
DEFINITION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
TEMPLATE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
GROUP = re.compile(r"[-\w.()]{0,89}[-\w()]")
# Documented: MAJOR.MINOR.PATCH without leading zeros.
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
# The parts of an image version are 32-bit integers.
_INT32 = 2**31


@dataclass(frozen=True, slots=True)
class ImageId:
    """The id of a gallery's image definition, or of one of its versions."""

    text: str
    subscription: str
    group: str
    gallery: str
    definition: str
    version: str | None

    @property
    def definition_id(self) -> str:
        """The image definition's id."""
        return self.text if self.version is None else self.text.rsplit("/", 2)[0]

    def with_version(self, version: str) -> str:
        """Return the id of that version of the definition."""
        return f"{self.definition_id}/versions/{version}"


def image_id(text: object) -> ImageId | None:
    """Parse the id of an image definition or version; None if *text* is neither."""
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
    """Parse an image id that was validated before; raises `ValueError`."""
    found = image_id(text)
    if found is None:
        raise ValueError(f"{text!r} is not the id of a gallery image")
    return found


def is_managed_image(text: object) -> bool:
    """Return whether *text* is the id of a managed image."""
    return isinstance(text, str) and _MANAGED_IMAGE.fullmatch(text) is not None


def resource_group_id(text: object) -> tuple[str, str] | None:
    """Parse a resource group's id into subscription and name; None if it is not one."""
    match = _RESOURCE_GROUP.fullmatch(text) if isinstance(text, str) else None
    return (match[1], match[2]) if match else None


def version_numbers(text: str) -> tuple[int, int, int] | None:
    """Parse an image version into its three numbers; None if it is not one."""
    match = VERSION.fullmatch(text)
    if not match or any(int(number) >= _INT32 for number in match.groups()):
        return None
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def region(text: object) -> str:
    """Return a region's short name: `West Europe` is `westeurope`."""
    return str(text).replace(" ", "").lower()


def canonical_path(path: str) -> str:
    """Lower the case of the segments that ARM compares without case; names stay as they are.

    Type and name segments alternate, and restart after `providers/<namespace>`. Empty segments
    are dropped, because the Azure CLI sends doubled slashes.
    """
    lowered: list[str] = []
    start = 0
    for index, segment in enumerate(filter(None, path.split("/"))):
        is_type = (index - start) % 2 == 0
        if not is_type and lowered[-1] == "providers":
            is_type, start = True, index + 1
        # `artifacttypes/vmimage/offers`: a keyword where a name should be.
        elif segment.lower() in _KEYWORD_SEGMENTS:
            is_type = True
        lowered.append(segment.lower() if is_type else segment)
    return "/" + "/".join(lowered)


REGIONS = frozenset(
    [
        "australiacentral",
        "australiacentral2",
        "australiaeast",
        "australiasoutheast",
        "austriaeast",
        "belgiumcentral",
        "brazilsouth",
        "brazilsoutheast",
        "canadacentral",
        "canadaeast",
        "centralindia",
        "centralus",
        "chilecentral",
        "eastasia",
        "eastus",
        "eastus2",
        "francecentral",
        "francesouth",
        "germanynorth",
        "germanywestcentral",
        "indonesiacentral",
        "israelcentral",
        "italynorth",
        "japaneast",
        "japanwest",
        "koreacentral",
        "koreasouth",
        "malaysiawest",
        "mexicocentral",
        "newzealandnorth",
        "northcentralus",
        "northeurope",
        "norwayeast",
        "norwaywest",
        "polandcentral",
        "qatarcentral",
        "southafricanorth",
        "southafricawest",
        "southcentralus",
        "southeastasia",
        "southindia",
        "spaincentral",
        "swedencentral",
        "swedensouth",
        "switzerlandnorth",
        "switzerlandwest",
        "uaecentral",
        "uaenorth",
        "uksouth",
        "ukwest",
        "usgovarizona",
        "usgovtexas",
        "usgovvirginia",
        "westcentralus",
        "westeurope",
        "westindia",
        "westus",
        "westus2",
        "westus3",
    ]
)
"""Azure's public regions, and the US government regions that Image Builder documents."""
