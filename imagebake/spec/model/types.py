"""Constrained text types of specs and locks."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import zoneinfo
from typing import Annotated, Any

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, StringConstraints

from imagebake.kernel.text import constrained
from imagebake.kernel.text.constrained import quoted, spelled

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: Any) -> Any:  # noqa: ANN401 - what the text says, before it is checked
    if not isinstance(value, str):
        return value
    if _DAY.fullmatch(value):
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(value)
    raise ValueError(f"{quoted(value)} is not a day, such as '2027-03-01'")


Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    spelled(r"[^\x00-\x1f\x7f]*", "one line of text"),
]
"""One line for people."""

Owner = Annotated[
    str,
    spelled(r"[A-Za-z0-9@/_.+ -]{1,100}", "an owner: letters, digits and '@/_.+- '"),
]
"""The team or person responsible."""

Day = Annotated[dt.date, BeforeValidator(_day)]
"""A calendar day, `2027-03-01`."""

ImageName = Annotated[
    str,
    spelled(
        constrained.IMAGE, "an image's name: lower-case letters, digits and dashes, at most 63"
    ),
]
"""The name of an image."""

Region = Annotated[
    str,
    spelled(constrained.REGION, "a region's short name, such as 'westeurope'"),
]
"""The short name of an Azure region."""

Sha256 = Annotated[
    str,
    spelled(constrained.SHA256, "a sha256: 64 hexadecimal digits in lower case"),
]
"""A sha256 digest in lower-case hex."""

DefinitionName = Annotated[
    str,
    spelled(
        constrained.DEFINITION,
        "an image definition's name: letters, digits and '._-', not first or last, at most 80",
    ),
]
"""An image definition in a gallery."""

Suite = Annotated[
    str,
    spelled(r"[a-z][a-z0-9.-]{1,40}", "a suite of Debian or Ubuntu, such as 'bookworm'"),
]
"""A suite of a Debian archive."""

SnapshotDate = Annotated[
    str,
    spelled(
        r"20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z",
        "a moment as snapshot services spell it, such as '20261121T100000Z'",
    ),
]
"""The time of an archive snapshot, in UTC."""

DebianPackage = Annotated[
    str,
    StringConstraints(max_length=100),
    spelled(
        constrained.DEBIAN_PACKAGE,
        "a Debian package's name: lower-case letters, digits and '+.-', at least two",
    ),
]
"""A binary package."""

AgentName = Annotated[
    str,
    spelled(r"[a-z0-9][a-z0-9-]{0,62}", "an agent's name: lower-case letters, digits and dashes"),
]
"""The name of a component of the catalogue."""

AgentVersion = Annotated[
    str,
    spelled(
        r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){3}",
        "a guest agent's full version: four numbers, such as '2.15.0.1'",
    ),
]
"""The version of a guest agent, as its directory spells it."""

StepName = Annotated[
    str,
    spelled(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "a step's name: lower-case letters, digits and dashes, at most 63",
    ),
]
"""The name of a customizer or validator, as Image Builder's log shows it."""

CommandLine = Annotated[
    str,
    StringConstraints(max_length=8192),
    spelled(r"[^\x00-\x08\x0a-\x1f\x7f]*", "one line of shell: give each line its own item"),
]
"""One line of a shell script."""

ImagePath = Annotated[
    str,
    spelled(
        r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.+@-]{1,100}){1,20}"
        r"|[A-Za-z]:(\\(?!\.{1,2}(\\|$))[A-Za-z0-9_.+@ -]{1,100}){1,20}",
        "a plain absolute path: letters, digits and '_.+@-' between slashes, no '..'",
    ),
]
r"""A path in the image: on Linux, or `C:\FOLDER\NAME` on Windows."""

HttpsAddress = Annotated[
    str,
    StringConstraints(max_length=1000),
    spelled(
        r"https://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9_.~!$&'()*+,;=:%-]+)*/(?!\.)[A-Za-z0-9_.+~-]+",
        "the https address of a file, without user, query and fragment",
    ),
]
"""The https address of a file; its last segment is the file's name."""

HostName = Annotated[
    str,
    StringConstraints(max_length=260),
    spelled(
        r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?",
        "a host's whole name in lower case, such as 'objects.files.example', or HOST:PORT",
    ),
]
"""A fully qualified host name."""

FileMode = Annotated[
    str,
    spelled(r"0[0-7]{3}", "a file mode in octal, such as '0644'"),
]
"""The permissions of a file, in octal."""

MarketplaceName = Annotated[
    str,
    spelled(r"[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-]", "a name of letters, digits and '_.-'"),
]
"""A publisher, an offer or a sku."""

ExtensionName = Annotated[
    str,
    spelled(r"[A-Za-z0-9.]{1,100}", "a name of letters, digits and dots"),
]
"""An extension's publisher or type."""

TagName = Annotated[
    str,
    spelled(r"[^<>%&\\?/\x00-\x1f\x7f]{1,512}", "a tag's name: none of '<>%&\\?/', at most 512"),
]
"""The name of an Azure tag."""

TagText = Annotated[
    str,
    spelled(r"[^\x00-\x1f\x7f]{0,256}", "a tag's text: one line, at most 256 characters"),
]
"""The text of an Azure tag."""

VmSize = Annotated[
    str,
    spelled(r"[A-Z][A-Za-z0-9_-]{1,60}", "a size of machines, such as 'Standard_D2ds_v5'"),
]
"""A virtual machine size."""


def _time(cron: str) -> str:
    try:
        CronSim(cron, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    except CronSimError as error:
        raise ValueError(f"{quoted(cron)} names no time: {error}") from error
    return cron


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {quoted(name)}") from error
    return name


Cron = Annotated[
    str,
    spelled(
        r"[0-9*,/-]+( [0-9*,/-]+){2} [0-9A-Za-z*,/-]+ [0-9A-Za-z*,/-]+",
        "five cron fields, such as '17 3 * * 2'",
    ),
    AfterValidator(_time),
]
"""Minute, hour, day of the month, month, day of the week."""

Timezone = Annotated[
    str,
    spelled(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}", "a time zone, such as 'Europe/Amsterdam'"),
    AfterValidator(_zone),
]
"""A time zone of the IANA database."""


_TO = "the whole id of "

ManagedImageId = Annotated[
    str,
    spelled(constrained.MANAGED_IMAGE_ID, _TO + "a managed image: '/subscriptions/…/images/NAME'"),
]
"""A managed image in Azure."""

OutputGalleryId = Annotated[
    str,
    spelled(
        f"{constrained.DEFINITION_ID.pattern}(?:/versions/{constrained.THREE_NUMBERS})?",
        _TO + "an image definition: '/subscriptions/…/galleries/GALLERY/images/NAME'",
    ),
]
"""The id of an image definition, or of a version that is yet to be created."""

DefinitionId = Annotated[
    str,
    spelled(
        constrained.DEFINITION_ID,
        _TO + "an image definition: '/subscriptions/…/galleries/GALLERY/images/NAME'",
    ),
]
"""The full id of an image definition."""

IdentityId = Annotated[
    str,
    spelled(
        constrained.IDENTITY_ID, _TO + "an identity: '/subscriptions/…/userAssignedIdentities/NAME'"
    ),
]
"""The id of a user-assigned identity."""

SubnetId = Annotated[
    str,
    spelled(
        constrained.SUBNET_ID, _TO + "a subnet: '/subscriptions/…/virtualNetworks/V/subnets/NAME'"
    ),
]
"""The id of a subnet."""

ResourceGroupId = Annotated[
    str,
    spelled(constrained.RESOURCE_GROUP_ID, _TO + "a group: '/subscriptions/…/resourceGroups/NAME'"),
]
"""The id of a resource group."""

RunOutputName = Annotated[
    str,
    spelled(constrained.TEMPLATE, "an output's name: letters, digits and '._-', at most 64"),
]
"""The name of a run output of an image template."""

GuestPath = Annotated[
    str,
    spelled(
        r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.+@-]{1,100}){1,20}"
        r"|[A-Za-z]:([\\/](?!\.{1,2}([\\/]|$))[A-Za-z0-9_.+@ -]{1,100}){1,20}",
        "a plain absolute path: '/tmp/NAME', on Windows 'C:\\DIRECTORY\\NAME'",
    ),
]
"""A path on the build machine, in the spelling of either system."""

Duration = Annotated[
    str,
    spelled(r"[1-9][0-9]{0,4}[smh]", "a time: a number and 's', 'm' or 'h', such as '30m'"),
]
"""A duration, as Azure spells it."""
