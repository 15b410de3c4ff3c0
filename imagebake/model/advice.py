"""Who is behind an entry of the ledger, and what to change in the spec about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagebake.lab.ledger import LedgerEntry

AGENT_PACKAGES = ("waagent", "walinuxagent")
"""What Debian and Ubuntu call the guest agent's package."""

_HANDLER = re.compile(r"/var/lib/waagent/([A-Za-z0-9.]+)-(\d+(?:\.\d+){2,3})/")
_AGENT_MANIFEST = re.compile(r"/agent/|WALinuxAgent", re.IGNORECASE)
_EXTENSION = re.compile(r"/([A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+)_(?:_[\d.]+\.zip|manifest\.xml)$")
_SHOWN = 60


def suspect(entry: LedgerEntry, packages: Mapping[str, str]) -> str:
    """Who asked, as far as it was seen: the unit, its package, and the program.

    *packages* has the package of each unit of the image; a unit that is not in it was
    written by a customizer.
    """
    if not entry.unit:
        return f"{_program(entry)!r}" if entry.process else "a process that was not seen"
    package = packages.get(entry.unit)
    unit = f"{entry.unit} of package {package}" if package else f"{entry.unit} of no package"
    own = _HANDLER.search(entry.process)
    return f"{own.group(1)} below {unit}" if own else unit


def mend(entry: LedgerEntry, packages: Mapping[str, str]) -> str:
    """What to change in the spec so that nobody asks this again."""
    package = packages.get(entry.unit, "")
    if own := _HANDLER.search(entry.process):
        return (
            f"the own script of extension {own.group(1)} downloads: give it 'mode: native' with"
            " a pin of what it installs, or 'mode: absent'"
        )
    if package in AGENT_PACKAGES:
        return _of_agent(entry)
    if not entry.unit:
        return "./inv ledger IMAGE shows what else was asked then: look what starts at that time"
    mask = f"a customizer with the line 'sudo systemctl mask {entry.unit}'"
    if package:
        return f"add {mask}, or take package {package} out of the spec"
    return (
        f"take {entry.unit} out of the customizer that writes it, and pin what it downloads"
        f" under 'pins'; or add {mask}"
    )


def _of_agent(entry: LedgerEntry) -> str:
    extension = _EXTENSION.search(entry.path)
    if extension and not _AGENT_MANIFEST.search(entry.path):
        return (
            f"extension {extension.group(1)} would be downloaded: give it 'mode: cached' with its"
            " official zip, or 'mode: native' with a pin"
        )
    return (
        "the agent looks for a newer agent or for an extension: keep 'azure-linux-agent' pinned,"
        " and leave AutoUpdate and HttpProxy in /etc/waagent.conf as the bake writes them"
    )


def _program(entry: LedgerEntry) -> str:
    text = entry.process
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
