"""Control data of Debian packages, read without dpkg."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from pathlib import Path

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host import process

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_LARGEST_CONTROL = 16 << 20


def control(path: Path) -> dict[str, str]:
    """Return the fields of the package's control file in order, with continuation lines.

    Raises `ArtifactError` where *path* is not a Debian package.
    """
    return parse_stanza(_control_text(path))


def parse_stanza(text: str) -> dict[str, str]:
    """Return the fields of one deb822 stanza in order; a continued value keeps its lines."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line.rstrip()
        elif ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def _control_text(path: Path) -> str:
    try:
        member, packed = _control_member(path)
        # Ubuntu packs with zstd since 21.10, and Python 3.11 cannot unpack that.
        if member.endswith(".zst"):
            return process.run(["dpkg-deb", "--info", path, "control"]).text
        with tarfile.open(fileobj=io.BytesIO(_unpack(member, packed)), mode="r:") as archive:
            for entry in archive:
                if entry.name.removeprefix("./") == "control" and entry.isfile():
                    file = archive.extractfile(entry)
                    return file.read().decode() if file else ""
    except (tarfile.TarError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise ArtifactError(f"{path.name} is not a Debian package: {error}") from error
    raise ArtifactError(f"{path.name} is not a Debian package: it has no control file")


def _control_member(path: Path) -> tuple[str, bytes]:
    """Return the name and packed content of the archive member with the control file."""
    with path.open("rb") as file:
        if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
            raise ValueError("it does not start as one")
        while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
            name = header[:16].decode("ascii").strip().rstrip("/")
            size = int(header[48:58])
            if name.startswith("control.tar"):
                if size > _LARGEST_CONTROL:
                    raise ValueError("its control member is too large")
                return name, file.read(size)
            # Members of an ar archive begin at even offsets.
            file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError("it has no control member")


def _unpack(member: str, packed: bytes) -> bytes:
    """Unpack at most the allowed size of a control member, whatever its header claims."""
    if member.endswith(".xz"):
        content = lzma.LZMADecompressor().decompress(packed, _LARGEST_CONTROL)
    elif member.endswith(".gz"):
        # 31: a gzip header, and the largest window.
        content = zlib.decompressobj(wbits=31).decompress(packed, _LARGEST_CONTROL)
    else:
        content = packed
    return content
