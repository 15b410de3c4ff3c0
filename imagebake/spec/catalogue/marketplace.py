"""Local substitutes for marketplace images: their suite and their base packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StandIn:
    """A marketplace offer (a prefix is enough) and the suite of the same release."""

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
"""Packages that templates expect in a marketplace image, by distribution."""


def find_stand_in(source: Mapping[str, object]) -> StandIn | None:
    """Return the local substitute for a template's platform image; None where it is unknown."""
    publisher, offer = (str(source.get(part, "")).lower() for part in ("publisher", "offer"))
    return next(
        (
            candidate
            for candidate in STAND_INS
            if candidate.publisher == publisher and offer.startswith(candidate.offer)
        ),
        None,
    )
