"""Changes to an image that turn it into its own negative control before its first boot."""

from __future__ import annotations

import contextlib
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from imagebake.kernel.errors import ImagebakeError
from imagebake.lab.boot.trials import ImageChange

PLANTED = "imagebake-planted.service"
"""The unit of the planted download."""
PLANTED_HOST = "planted.imagebake.test"
"""The host of its first request; the second one uses an address, without DNS."""

_CONF = "etc/waagent.conf"
_UNITS = "etc/systemd/system"
_OURS = ("opt/imagebake", "etc/cloud/cloud.cfg.d/90-imagebake.cfg")
_STATE = "var/lib/waagent"
_PLANTED_SCRIPT = "etc/imagebake-planted.sh"
_PLANTED_LINES = f"""\
for there in {PLANTED_HOST} 198.51.100.7; do
    exec 3<>"/dev/tcp/$there/80" &&
        printf 'GET /agent.deb HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' "$there" >&3 && cat <&3
done
"""
_PLANTED_UNIT = f"""\
[Unit]
Description=A download that the offline proof must notice
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=-/bin/bash /{_PLANTED_SCRIPT}
TimeoutStartSec=10
"""


def apply_change(change: ImageChange, root: Path, *, masked: Iterable[str]) -> None:
    """Apply *change* to the image at *root*; see `strip` for *masked*."""
    if change is ImageChange.STRIPPED:
        strip(root, masked=masked)
    if change is ImageChange.PLANTED:
        plant(root)


def strip(root: Path, *, masked: Iterable[str]) -> None:
    """Remove imagebake's protection against downloads from the image at *root*.

    The agent may update itself again; the preinstalled agent, the packages and the cache are
    removed; and the units in *masked*, which download on a first boot, are unmasked.
    """
    for name in _OURS:
        _remove(_inside(root, name))
    state = _inside(root, _STATE)
    if state.is_dir():
        for path in state.iterdir():
            _remove(path)
    units = _inside(root, _UNITS)
    for path in units.iterdir() if units.is_dir() else ():
        ours = path.name.startswith("imagebake-")
        if ours or (path.name in masked and _is_mask(path)):
            _remove(path)
        elif path.name.endswith(".d") and path.is_dir() and not path.is_symlink():
            for drop_in in path.glob("*imagebake*"):
                _remove(drop_in)
    conf = _inside(root, _CONF)
    if conf.is_file():
        conf.write_text(_loosened(conf.read_text(encoding="utf-8")), encoding="utf-8")


def plant(root: Path) -> None:
    """Add a unit that downloads to the image at *root*."""
    units = _inside(root, _UNITS)
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    _inside(root, _PLANTED_SCRIPT).write_text(_PLANTED_LINES, encoding="ascii")
    (units / PLANTED).write_text(_PLANTED_UNIT, encoding="ascii")
    with contextlib.suppress(FileExistsError):
        (wants / PLANTED).symlink_to(f"../{PLANTED}")


def _loosened(text: str) -> str:
    ours = ("AutoUpdate.", "HttpProxy.")
    kept = [line for line in text.splitlines() if not line.strip().startswith(ours)]
    lines = (*kept, "AutoUpdate.Enabled=y", "AutoUpdate.UpdateToLatestVersion=y", "")
    return "\n".join(lines)


def _is_mask(path: Path) -> bool:
    return path.is_symlink() and str(path.readlink()) == "/dev/null"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _inside(root: Path, name: str) -> Path:
    """Return the path of *name* in the image; refuse a symbolic link of the image on the way."""
    path = root
    for part in name.split("/"):
        path = path / part
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(path.lstat().st_mode):
                raise ImagebakeError(f"/{name} of the image leads through a link at {part!r}")
    return path
