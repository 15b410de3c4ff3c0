"""A workspace and a state directory of a test's own, and imagebake as a person starts it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
IMAGE = "tiny"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT = (
    "boot",
    (
        "sudo sh -ec 'cd /usr/lib; mkdir -p shim grub/x86_64-efi-signed grub/arm64-efi-signed;"
        " for file in /boot/vmlinuz-6.1.0-1 /boot/initrd.img-6.1.0-1 shim/shimx64.efi.signed"
        " shim/shimaa64.efi.signed grub/x86_64-efi-signed/grubx64.efi.signed"
        " grub/arm64-efi-signed/grubaa64.efi.signed; do echo pretended > $file; done'"
    ),
)
"""A customizer that pretends to bring a kernel, so that there is a disk to export."""

GREET = ("greet", "echo hello | sudo tee /etc/greeting")

DEAD = "http://127.0.0.1:9"
"""Nobody listens there."""

SPEC = """\
name: tiny
description: As little as can be baked
owner: example-team
source: {{publisher: Debian, offer: debian-test, sku: small-gen2, version: 0.1.0}}
local:
  suite: {suite}
  packages: [sudo, systemd-sysv, iproute2]
gallery:
  definition: tiny
  identifier: {{publisher: example, offer: tests, sku: tiny}}
  generation: V2
  security: TrustedLaunchSupported
  architecture: {architecture}
pins:
  - {{package: jq, version: "{version}"}}
regions: [{{name: westeurope}}]
"""


@dataclass(frozen=True, slots=True)
class Bakery:
    """One repository and one state directory; *settings* are variables for every command."""

    root: Path
    state: Path
    settings: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    @property
    def spec(self) -> Path:
        return self.root / "image_specs" / f"{IMAGE}.yaml"

    @property
    def lock(self) -> Path:
        return self.root / "image_specs" / f"{IMAGE}.lock.json"

    def environment(self) -> dict[str, str]:
        named = {"ROOT": str(self.root), "STATE": str(self.state), **self.settings}
        given = {f"IMAGEBAKE_{name.upper()}": value for name, value in named.items()}
        return {"PATH": PATH, "HOME": str(self.root), "PYTHONPATH": str(PROJECT), **given}

    def command(self, *words: str | Path) -> list[str]:
        """A command line; the image is too small to boot, so nothing boots it here."""
        unproved = ["--no-proof"] if words[0] in ("bake", "validate") else []
        return [self.python, "-m", "imagebake", *map(str, words), *unproved]

    def run(self, *words: str | Path, ends: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must be with the exit code *ends*."""
        done = subprocess.run(
            self.command(*words),
            env=self.environment(),
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == ends, f"{words} ended with {done.returncode}\n{done.stderr}"
        return done

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start a command that says its progress to the one pipe with its results."""
        return subprocess.Popen(
            self.command(*words),
            env=self.environment(),
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def json(self, *words: str | Path) -> Any:  # noqa: ANN401 - whatever it prints
        """What a command prints with `--json`, while nothing else is said."""
        done = self.run(*words, "--json")
        assert done.stderr == ""
        return json.loads(done.stdout)

    def bake(self) -> dict[str, Any]:
        """Bake, and return what is said of the one image."""
        (image,) = self.json("bake", IMAGE)["images"]
        return dict(image)

    def versions(self) -> list[dict[str, Any]]:
        """The versions that there are, the newest first."""
        return list(self.json("versions", IMAGE)[IMAGE])

    def customize(self, *steps: tuple[str, str]) -> None:
        """Give the spec customizers of one line each, in place of those it had."""
        kept = self.spec.read_text().partition("customizers:")[0]
        lines = [f"  - {{name: {name}, inline: [{json.dumps(line)}]}}" for name, line in steps]
        self.spec.write_text("\n".join([kept + "customizers:", *lines, ""]))

    def layers(self) -> set[str]:
        """The keys of the layers in the engine's store."""
        return {path.name for path in (self.state / "engine" / "layers").glob("*")}

    def half_made(self) -> list[str]:
        """What lies in the engine's store that is no layer."""
        return [path.name for path in (self.state / "engine" / "tmp").glob("*")]

    def remembered(self) -> str:
        """A digest of everything the emulator knows, as SQL."""
        database = self.state / "emulator" / "arm.sqlite3"
        script = "import sqlite3,sys; print(*sqlite3.connect(sys.argv[1]).iterdump(), sep='\\n')"
        told = subprocess.run(
            [sys.executable, "-c", script, database], check=True, capture_output=True
        )
        return hashlib.sha256(told.stdout).hexdigest()

    def logs(self) -> list[str]:
        return sorted(path.name for path in (self.state / "emulator" / "packerlogs").glob("*"))


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file below *folder*: its mode and its content's digest."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leftovers(folder: Path) -> dict[int, str]:
    """Processes that *folder* still concerns: by what they were told, or what they have mounted."""
    word = str(folder).encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            told = (entry / "cmdline").read_bytes()
            if word in told or word in (entry / "mountinfo").read_bytes():
                found[int(entry.name)] = told.replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
    return found


def await_silence(folder: Path) -> None:
    """See that nothing of *folder* runs or is mounted, once the kernel has killed what it must."""
    for pid in leftovers(folder):
        waiting = ["tail", f"--pid={pid}", "--follow", "/dev/null"]
        subprocess.run(waiting, check=False, timeout=20)
    assert leftovers(folder) == {}


def newest_offered(message: str) -> str:
    """The newest version that a refused lock says there is."""
    found = re.search(r"jq 0: there is (.+)", message)
    assert found, message
    return found[1].split(", ")[-1]


def copy(source: Path, target: Path, *how: str) -> None:
    """Copy a tree with everything about it; `-l` makes hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", *how, source, target], check=True)


def os_release() -> Mapping[str, str]:
    rows = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    return {name: value.strip('"') for name, _, value in rows}
