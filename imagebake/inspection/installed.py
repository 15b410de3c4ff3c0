"""The packages of an image, read from its layers: as cheap as reading one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagebake.inspection import dpkg
from imagebake.model.contents import InstalledPackage


def installed(layers: Sequence[Path]) -> tuple[InstalledPackage, ...] | None:
    """What dpkg's status says in the topmost of *layers* that has it; None where that is unclear.

    No link of the image is followed, because it could lead to a file of this machine.
    """
    place = dpkg.STATUS.lstrip("/")
    for layer in layers:
        steps = [layer / part for part in reversed([Path(place), *Path(place).parents[:-1]])]
        if any(step.is_symlink() for step in steps):
            return None
        if not steps[-1].exists():
            continue
        try:
            return dpkg.parse_status(steps[-1].read_text(encoding="utf-8", errors="replace"))
        except OSError:  # a whiteout, or a file that is not ours to read
            return None
    return None
