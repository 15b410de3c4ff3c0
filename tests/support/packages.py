"""Debian packages made from nothing, byte for byte the same every time."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping

PACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".xz": lzma.compress,
    "": bytes,
}


def control_text(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def a_deb(fields: Mapping[str, str], *, suffix: str = ".xz", name: str = "./control") -> bytes:
    """A package with *fields* as its control file, and nothing in it."""
    control = PACK[suffix](_tar({name: control_text(fields).encode()}))
    return ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{suffix}": control,
            "data.tar.gz": PACK[".gz"](_tar({})),
        }
    )


def ar(members: Mapping[str, bytes]) -> bytes:
    archive = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        archive += header.encode() + content + b"\n" * (len(content) % 2)
    return archive


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
