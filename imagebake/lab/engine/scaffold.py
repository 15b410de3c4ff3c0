"""What a step finds in its root and the image never contains.

A scaffold is mounted between the base and the first step's layer, and left out when the
image is read: a step's own change to such a file wins, and there is nothing to clean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imagebake.kernel.digest import sha256_json
from imagebake.lab.engine.base import machine_apt_options
from imagebake.lab.engine.recipe import BaseRecipe

USER = "packer"
"""The build user's name, as Azure Image Builder has it."""

_POLICY = """\
#!/bin/sh
exit 101
"""
_SUDOERS = f"""\
Defaults env_keep += "SOURCE_DATE_EPOCH"
Defaults !lecture
{USER} ALL=(ALL) NOPASSWD: ALL
"""
_HOSTS = """\
127.0.0.1 localhost
127.0.1.1 imagebake
::1 localhost ip6-localhost ip6-loopback
"""
_APT = """\
APT::Sandbox::User "root";
Acquire::Languages "none";
Dpkg::Use-Pty "0";
"""
_RESOLVERS = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
"""Where this machine says how names are resolved; a stub on loopback serves nobody else."""

Files = dict[str, tuple[int, bytes]]


def scaffold_files(recipe: BaseRecipe, *, network: bool) -> Files:
    """The scaffold's files, by path: mode and content."""
    found: Files = {
        "usr/sbin/policy-rc.d": (0o755, _POLICY.encode()),
        f"etc/sudoers.d/{USER}": (0o440, _SUDOERS.encode()),
        "etc/hosts": (0o644, _HOSTS.encode()),
        "etc/hostname": (0o644, b"imagebake\n"),
        "etc/resolv.conf": (0o644, b""),
        "etc/dpkg/dpkg.cfg.d/imagebake": (0o644, b"force-unsafe-io\n"),
        "etc/apt/apt.conf.d/99imagebake": (0o644, _APT.encode()),
    }
    if network:
        found["etc/resolv.conf"] = (0o644, _resolver())
        options = "\n".join(machine_apt_options())
        found["etc/apt/apt.conf.d/99imagebake"] = (0o644, f"{_APT}{options}\n".encode())
    for number, path in enumerate(recipe.source_files):
        name = f"etc/apt/sources.list.d/imagebake{number}{path.suffix}"
        found[name] = (0o644, path.read_bytes())
    return found


def digest(content: Files) -> str:
    """The digest of a scaffold, which is its key in the store."""
    return sha256_json({path: [mode, text.hex()] for path, (mode, text) in content.items()})


def write(content: Files, attempt: Path) -> dict[str, Any]:
    """Write a scaffold to `root` of *attempt*."""
    for path, (mode, text) in content.items():
        target = attempt / "root" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        target.chmod(mode)
    return {"kind": "scaffold"}


def _resolver() -> bytes:
    for name in _RESOLVERS:
        path = Path(name)
        if path.is_file():
            return path.read_bytes()
    return b""
