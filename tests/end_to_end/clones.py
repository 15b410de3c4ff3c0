"""A clone of the repository whose base is as small as can boot, and its archive."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import email.utils
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from imagebake.kernel.host.debs import parse_stanza
from imagebake.kernel.host.files import file_lock
from imagebake.kernel.host.system_packages import architecture
from imagebake.lock.apt_sources import read_configuration, read_sources, select, source_file
from tests.end_to_end.bakery import PATH, PROJECT, Bakery, await_silence
from tests.support.archive import Archive, Key
from tests.support.boot_root import SUITE
from tests.support.file_server import serving
from tests.support.workflow_runner import shims

IMAGE = "debian-12-base"
TOOL, OLD, NEW = "lsof", "4.95.0-1", "4.95.0-1+deb12u1"
SECURITY = f"{SUITE}-security"
INV = """\
#!/bin/sh
case $1$UNPROVED in bakeyes | validateyes) set -- "$@" --no-proof ;; esac
exec {python} -m imagebake "$@"
"""
"""As the real one; where `UNPROVED` is `yes`, nothing is booted."""
LARGE = (
    *("linux-image-cloud-amd64", "grub-efi-amd64-signed", "shim-signed", "kmod", "e2fsprogs"),
    *("cloud-guest-utils", "fdisk", "apt-utils", "less", "locales"),
)
"""What nothing here needs to boot: the clone is left without."""


@dataclasses.dataclass(slots=True)
class Clone:
    """A repository as it is cloned, its remote, and an archive that gets a security fix."""

    bakery: Bakery
    archive: Archive
    fields: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.bakery.root

    def git(self, *words: str) -> None:
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=self.environment(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def environment(self, *, proved: bool = True) -> dict[str, str]:
        who = {"NAME": "A Person", "EMAIL": "person@imagebake.test"}
        roles = ("AUTHOR", "COMMITTER")
        named = {f"GIT_{role}_{name}": text for role in roles for name, text in who.items()}
        path = f"{self.root.parent / 'bin'}{os.pathsep}{PATH}"
        return (
            self.bakery.environment() | named | {"PATH": path, "UNPROVED": "" if proved else "yes"}
        )

    def versions(self) -> list[str]:
        """What has been baked, oldest first; nobody bakes ten a day here."""
        records = self.bakery.state / "mirror/records/imagebake" / IMAGE
        return sorted(path.name for path in records.glob("*"))

    def publish(self) -> None:
        date = email.utils.format_datetime(dt.datetime.now(dt.UTC), usegmt=True)
        self.archive.publish(date=date)

    def fix(self) -> None:
        """Publish the tool once more, with a version that only the security suite has."""
        bundles = self.bakery.state / "mirror" / "bundles"
        old = next(bundles.glob(f"*/{TOOL}_{OLD}_*.deb"))
        scratch = self.root.parent / "scratch"
        subprocess.run(["dpkg-deb", "--raw-extract", old, scratch], check=True)
        control = scratch / "DEBIAN" / "control"
        text = control.read_text().replace(f"Version: {OLD}\n", f"Version: {NEW}\n")
        control.write_text(text)
        new = self.archive.folder / "pool" / f"{TOOL}_{NEW}.deb"
        new.parent.mkdir()
        build: list[str | Path] = ["dpkg-deb", "--build", "--root-owner-group", scratch, new]
        undated = {"PATH": PATH, "SOURCE_DATE_EPOCH": "0"}
        subprocess.run(build, env=undated, check=True, capture_output=True)
        found = {
            "Filename": f"pool/{new.name}",
            "Size": str(new.stat().st_size),
            "SHA256": hashlib.sha256(new.read_bytes()).hexdigest(),
        }
        fields = {key: " ".join(words.split()) for key, words in parse_stanza(text).items()}
        self.archive.suites[SECURITY].append(fields | found)
        self.publish()

    def merge(self) -> None:
        """Merge what was pushed, as somebody does who has read it."""
        other = self.root.parent / "reviewer"
        self.git("clone", "--quiet", str(self.root.parent / "origin.git"), str(other))
        for words in (("merge", "--no-ff", "--quiet", f"origin/{TOOL}"), ("push", "--quiet")):
            self.git("-C", str(other), *words)


@contextlib.contextmanager
def a_clone(kept: Path, folder: Path, key: Key) -> Iterator[Clone]:
    """A clone in *folder*; *kept* has what earlier runs have built."""
    with file_lock(kept / "lock"), serving(folder / "archive") as server:
        archive = Archive(folder / "archive", key, suites={SECURITY: []})
        sources = select(read_sources(read_configuration().sources), SUITE, architecture())[:1]
        (folder / "apt.sources").write_text(
            f"{source_file(sources)}\n{archive.sources(server.url)}"
        )
        settings = {"archive": str(folder / "apt.sources")}
        made = Clone(Bakery(folder / "clone", _state(kept), settings), archive)
        made.publish()
        _write(made)
        yield made
        await_silence(made.bakery.state)


def _state(kept: Path) -> Path:
    """A state directory that knows nothing, with the layers and artifacts of earlier runs."""
    state = kept / "state"
    for name in ("emulator", "records", "versions", "mirror/records"):
        shutil.rmtree(state / name, ignore_errors=True)
    return state


def _write(clone: Clone) -> None:
    """Write the repository with the lock of its image, and push it."""
    specs = clone.root / "image_specs"
    shutil.copytree(PROJECT / "image_specs" / "base", specs / "base")
    shutil.copytree(PROJECT / "templates", clone.root / "templates")
    shutil.copy(PROJECT / ".gitignore", clone.root)
    base = specs / "base" / "debian.yaml"
    for name in LARGE:
        base.write_text(base.read_text().replace(f"    - {name}\n", ""))
    whole = (PROJECT / "image_specs" / f"{IMAGE}.yaml").read_text()
    head, _, _ = whole.partition("  - package:")
    (specs / f"{IMAGE}.yaml").write_text(f"{head}  - package: {TOOL}\n    version: {OLD}\n")
    inv = clone.root / "inv"
    inv.write_text(INV.format(python=clone.bakery.python))
    inv.chmod(0o755)
    shims(clone.root.parent / "bin", clone.bakery.python)
    clone.bakery.run("lock", IMAGE)
    clone.git("init", "--quiet", "--initial-branch", "main")
    clone.git("add", ".")
    clone.git("commit", "--quiet", "--message", "Begin")
    clone.git("clone", "--quiet", "--bare", ".", "../origin.git")
    clone.git("remote", "add", "origin", "../origin.git")
    clone.git("fetch", "--quiet", "origin")
    clone.git("branch", "--quiet", "--set-upstream-to", "origin/main")
