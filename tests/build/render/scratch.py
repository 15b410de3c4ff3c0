"""A root of its own for one script: this machine's programs, and everything else empty."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

_FOLDERS = ("dev", "etc", "home", "opt", "proc", "root", "run", "tmp", "usr", "var")
_MERGED = ("bin", "lib", "lib64", "sbin")
_ENTER = """\
set -eu
mount --bind /usr usr
mount -t proc proc proc
mount -t tmpfs dev dev
for node in null zero full random urandom; do : >dev/$node; mount --bind /dev/$node dev/$node; done
[ -z "$1" ] || { mkdir -p run/imagebake/mirror; mount --bind -o ro "$1" run/imagebake/mirror; }
exec chroot . /usr/bin/env -i PATH=/usr/bin:/bin sh -eu -s
"""


@dataclass(frozen=True, slots=True)
class Scratch:
    """The root at *folder*, with *mirror* where the engine has it."""

    folder: Path
    mirror: Path | None = None

    @classmethod
    def make(cls, folder: Path, mirror: Path | None = None) -> Scratch:
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True)
        for name in _MERGED:
            (folder / name).symlink_to(f"usr/{name}")
        alternatives = folder / "etc/alternatives"
        alternatives.mkdir()
        (alternatives / "awk").symlink_to(Path("/etc/alternatives/awk").readlink())
        return cls(folder, mirror)

    def write(self, path: str, content: str = "", mode: int = 0o644) -> None:
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run *script* there as root, with namespaces of its own and no network."""
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c",
             _ENTER, "enter", str(self.mirror or "")],
            input=script, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def tree(self) -> dict[str, str]:
        """Every path below the root, with its mode and what it holds."""
        return {
            "/" + str(path.relative_to(self.folder)): _described(path)
            for path in sorted(self.folder.rglob("*"))
        }


def _described(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    mode = stat.filemode(path.stat().st_mode)
    return mode if path.is_dir() else f"{mode} {path.read_bytes()!r}"
