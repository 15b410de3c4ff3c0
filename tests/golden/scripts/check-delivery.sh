set -eu
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}
expect_content() {
  printf '%s  %s\n' "$1" "$2" | as_root sha256sum --check --quiet --strict - || fail "$2 has changed"
}
expect_line() {
  grep -Fqx -e "$2" -- "$1" || fail "$1 has no line $2"
}
expect_content 004872f3cabcb65958c808b3e2624a9ce6cf991fcff47431a5d73a3742ee3560 /opt/imagebake/agent/WALinuxAgent-2.15.0.1.zip
as_root python3 -I - /opt/imagebake/agent/WALinuxAgent-2.15.0.1.zip /opt/imagebake/agent/WALinuxAgent-2.15.0.1 verify <<'IMAGEBAKE_UNPACK'
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
as_root test -f /var/lib/waagent/WALinuxAgent-2.15.0.1/HandlerManifest.json || fail '/var/lib/waagent/WALinuxAgent-2.15.0.1 has not been restaged'
expect_content 99e9baad61d28a96044e6278c7bbadc49ece42ff9fbc09652943cd127f3850f4 /opt/imagebake/ext/Contoso.Demo.Hello__1.2.3.zip
expect_content 99e9baad61d28a96044e6278c7bbadc49ece42ff9fbc09652943cd127f3850f4 /var/lib/waagent/Contoso.Demo.Hello__1.2.3.zip
expect_content bc90a8cac3d712ebe6f3584074b6f165b55382bd86f3529dc7343b69e5fc2533 /opt/imagebake/restage.sh
expect_content 89ed5b9a31e6eb6d4851dba0c58a2f4e50e06e88636381c33e49152a65140d5d /opt/imagebake/cache.py
expect_content cd0bbb42fe8e38a2fc470ea32f084fe7866edaf40be68a5677842d1d376d6f3a /etc/systemd/system/imagebake-cache.service
expect_content 7b8c7dda79375bf6d7f834c1667168297c8a36a6afd9af9901f8cbc00b0586cf /etc/tmpfiles.d/imagebake-cache.conf
expect_content 2be49eaedfb6f3ec5475a6de940eef376d6e669fea879ffa7abed3f9a4943ff1 /etc/systemd/system/walinuxagent.service.d/10-imagebake-cache.conf
expect_content b9c7fe96e912b63584950baeacc2cd82e7d24dbdcf772943d3f1bcb6f0296c0b /opt/imagebake/cache.json
systemctl is-enabled --quiet -- imagebake-cache.service || fail 'imagebake-cache.service is not enabled'
expect_line /etc/waagent.conf HttpProxy.Host=127.0.0.1
expect_line /etc/waagent.conf HttpProxy.Port=3129
