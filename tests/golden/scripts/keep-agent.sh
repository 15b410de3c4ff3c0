sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
main() {
  printf '%s  %s\n' 004872f3cabcb65958c808b3e2624a9ce6cf991fcff47431a5d73a3742ee3560 /opt/imagebake/agent/WALinuxAgent-2.15.0.1.zip | sha256sum --check --quiet --strict - \
    || fail "the agent's zip is not what the lock says"
  rm -rf -- /opt/imagebake/agent/WALinuxAgent-2.15.0.1
  python3 -I - /opt/imagebake/agent/WALinuxAgent-2.15.0.1.zip /opt/imagebake/agent/WALinuxAgent-2.15.0.1 unpack <<'IMAGEBAKE_UNPACK'
"""Unpack the zip of a goal-state agent, or verify that a folder is what it would unpack to.
Usage: unpack.py ZIP FOLDER unpack|verify. Nothing is written for a zip that could leave the
folder, hold a link, or be no agent.
"""
from __future__ import annotations
import json
import stat
import sys
import zipfile
from pathlib import Path, PurePosixPath
LARGEST = 1 << 28
def main(package: str, folder: Path, act: str) -> None:
    """Do one or the other."""
    with zipfile.ZipFile(package) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in entries:
            refuse_unsafe(entry)
        if sum(entry.file_size for entry in entries) > LARGEST:
            raise SystemExit("imagebake: the agent's zip is too large")
        files = {entry.filename: archive.read(entry) for entry in entries}
    refuse_no_agent(files)
    if act == "unpack":
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_dir()
    }
    if found != files:
        raise SystemExit(f"imagebake: {folder} is not what is in the agent's zip")
def refuse_unsafe(entry: zipfile.ZipInfo) -> None:
    """Only plain files, below the folder."""
    name = entry.filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    parts = PurePosixPath(name).parts
    plain = kind in {0, stat.S_IFREG} and "\\" not in name and name == "/".join(parts)
    if not plain or ".." in parts or name.startswith("/"):
        raise SystemExit(f"imagebake: the agent's zip has {name!r}, which is no plain file in it")
def refuse_no_agent(files: dict[str, bytes]) -> None:
    """The daemon reads the command that it runs from the manifest."""
    try:
        told = json.loads(files["HandlerManifest.json"])
        first = told[0] if isinstance(told, list) else told
        words = first["handlerManifest"]["enableCommand"].split()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        words = []
    if not {word for word in words if word.startswith("bin/")} & {*files}:
        raise SystemExit("imagebake: the zip is no agent: its manifest names no program in bin/")
if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
IMAGEBAKE_UNPACK
}
main </dev/null
IMAGEBAKE_AS_ROOT
