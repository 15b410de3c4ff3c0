"""Which suite stands in for a marketplace image, and what such an image has in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StandIn:
    """A marketplace offer (its start is enough) and the suite of the same release."""

    publisher: str
    offer: str
    distribution: str
    suite: str


STAND_INS = (
    StandIn("debian", "debian-11", "debian", "bullseye"),
    StandIn("debian", "debian-12", "debian", "bookworm"),
    StandIn("debian", "debian-13", "debian", "trixie"),
    StandIn("canonical", "0001-com-ubuntu-server-focal", "ubuntu", "focal"),
    StandIn("canonical", "0001-com-ubuntu-server-jammy", "ubuntu", "jammy"),
    StandIn("canonical", "0001-com-ubuntu-minimal-jammy", "ubuntu", "jammy"),
    StandIn("canonical", "ubuntu-22_04", "ubuntu", "jammy"),
    StandIn("canonical", "ubuntu-24_04", "ubuntu", "noble"),
)

BASE_PACKAGES = {
    "debian": (
        "apt-utils",
        "ca-certificates",
        "chrony",
        "cloud-init",
        "curl",
        "dbus",
        "gnupg",
        "iproute2",
        "less",
        "locales",
        "lsb-release",
        "netbase",
        "openssh-server",
        "procps",
        "python3",
        "sudo",
        "systemd-sysv",
        "udev",
        "unzip",
        "vim-tiny",
        "waagent",
        "wget",
        "xz-utils",
    ),
    "ubuntu": (
        "apt-utils",
        "ca-certificates",
        "chrony",
        "cloud-init",
        "curl",
        "dbus",
        "gnupg",
        "iproute2",
        "less",
        "locales",
        "lsb-release",
        "netbase",
        "openssh-server",
        "procps",
        "python3",
        "sudo",
        "systemd-sysv",
        "udev",
        "unzip",
        "vim-tiny",
        "walinuxagent",
        "wget",
        "xz-utils",
    ),
}
"""What templates of others expect to find in a marketplace image, by distribution."""


def stand_in(source: Mapping[str, object]) -> StandIn | None:
    """What stands in for an image template's platform image, if anything is known to."""
    publisher, offer = (str(source.get(part, "")).lower() for part in ("publisher", "offer"))
    return next(
        (one for one in STAND_INS if one.publisher == publisher and offer.startswith(one.offer)),
        None,
    )
