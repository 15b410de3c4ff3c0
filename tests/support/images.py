"""Small root file systems: a tree of nodes, the tar of it, and one that breaks no rule."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagebake.build.render.scripts import image_manifest
from imagebake.inspection.contents import Contents
from imagebake.inspection.tree import read_contents
from imagebake.spec.lock import BASE, Lock
from imagebake.spec.model.image_spec import ImageSpec

Tree = dict[str, "Node"]
"""A root file system: absolute paths and what is there."""


@dataclass(frozen=True, slots=True)
class Node:
    """A file, unless *target* (a symbolic link), *hard* (a hard link) or *folder* says else."""

    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    target: str | None = None
    hard: str | None = None
    folder: bool = False


def text(content: str, mode: int = 0o644) -> Node:
    """A file with a text in it."""
    return Node(content.encode(), mode)


def link(target: str) -> Node:
    """A symbolic link."""
    return Node(target=target, mode=0o777)


def folder(mode: int = 0o755) -> Node:
    """A directory."""
    return Node(folder=True, mode=mode)


def a_tar(tree: Mapping[str, Node]) -> bytes:
    """The tar of *tree*, sorted as the engine's are, with names relative to the root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, node in sorted(tree.items()):
            archive.addfile(_member(path, node), io.BytesIO(node.content))
    return buffer.getvalue()


def contents_of(tree: Mapping[str, Node]) -> Contents:
    """What is read from the tar of *tree*."""
    return read_contents(io.BytesIO(a_tar(tree)))


def _member(path: str, node: Node) -> tarfile.TarInfo:
    member = tarfile.TarInfo("." + path)
    member.mode, member.uid, member.gid = node.mode, node.uid, node.gid
    member.size = len(node.content)
    if node.folder:
        member.type = tarfile.DIRTYPE
    elif node.target is not None:
        member.type, member.linkname = tarfile.SYMTYPE, node.target
    elif node.hard is not None:
        member.type, member.linkname = tarfile.LNKTYPE, "." + node.hard
    return member


def status_of(packages: Iterable[tuple[str, str, str]], *, architecture: str = "amd64") -> str:
    """A dpkg status file of *packages*: name, version and the `Status` field."""
    return "\n".join(
        f"Package: {name}\nStatus: {status}\nArchitecture: {architecture}\n"
        f"Version: {version}\nDescription: a package\n of {name}\n"
        for name, version, status in packages
    )


WAAGENT_CONF = """\
# Microsoft Azure Linux Agent Configuration
Provisioning.Agent=auto
Extensions.Enabled=y
# HttpProxy.Host=None
AutoUpdate.Enabled=n
"""
_UNITS = "/etc/systemd/system"
_VENDOR = "/usr/lib/systemd/system"


def a_tree(spec: ImageSpec, lock: Lock) -> Tree:
    """An image of *lock* that breaks no rule; the locked files are left to the test."""
    held = {name for step in lock.steps if step.name != BASE for name in step.pins}
    packages = [
        (one.name, one.version, f"{'hold' if one.name in held else 'install'} ok installed")
        for one in lock.packages
    ]
    return {
        "/bin": link("usr/bin"),
        "/etc": folder(),
        "/etc/hostname": text("localhost\n"),
        "/etc/hosts": text("127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
        "/etc/imagebake/manifest.json": Node(image_manifest(spec, lock, lock_sha256=lock.sha256)),
        "/etc/machine-id": text("", 0o444),
        "/etc/os-release": link("../usr/lib/os-release"),
        "/etc/passwd": text(
            "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/bin/false\n"
        ),
        "/etc/shadow": text("root:*:20000:0:99999:7:::\nsshd:!:20000::::::\n", 0o640),
        "/etc/group": text("root:x:0:\nnogroup:x:65534:\n"),
        "/etc/resolv.conf": link("../run/systemd/resolve/stub-resolv.conf"),
        f"{_UNITS}/apt-daily.timer": link("/dev/null"),
        f"{_UNITS}/multi-user.target.wants/walinuxagent.service": link(
            f"{_VENDOR}/walinuxagent.service"
        ),
        "/etc/waagent.conf": text(WAAGENT_CONF),
        "/lib": link("usr/lib"),
        "/tmp": folder(0o1777),  # noqa: S108 - a path of the image
        "/usr/bin/sudo": Node(b"\x7fELF\0", 0o4755),
        "/usr/lib/os-release": text(f'NAME="Debian"\nVERSION_CODENAME={lock.suite}\n'),
        f"{_VENDOR}/apt-daily.timer": text("[Timer]\n"),
        f"{_VENDOR}/walinuxagent.service": text("[Service]\n"),
        "/var/lib/dbus/machine-id": link("/etc/machine-id"),
        "/var/lib/dpkg/info/sudo.list": text("/.\n/bin\n/bin/sudo\n"),
        "/var/lib/dpkg/status": text(status_of(packages)),
        "/var/lib/waagent": folder(0o700),
        "/var/log/dpkg.log": text(""),
    }
