"""The customizers of one template: our bake against buildah's layers, on the same base."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Contest, processor_seconds, report, run, seconds
from benchmarks.workshop import IMAGE, Workshop, a_workshop
from imagebake.kernel.digest import sha256_bytes
from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.recipe import BaseMarketplace

FIRST, CHANGED, LAST = "mask-downloads", "install-packages", "write-deprovisioning-script"
"""The customizers from which nothing is cached: cold, with one changed pin, as preparation."""

BASE = "localhost/base"
BASE_FILE = """\
FROM scratch
ADD base.tar /
RUN useradd --create-home --shell /bin/bash --uid 1000 packer \\
 && printf 'packer ALL=(ALL) NOPASSWD: ALL\\n' >/etc/sudoers.d/packer \\
 && chmod 0440 /etc/sudoers.d/packer \\
 && printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 0755 /usr/sbin/policy-rc.d \\
 && printf 'force-unsafe-io\\n' >/etc/dpkg/dpkg.cfg.d/unsafe
USER packer
"""


@dataclass(slots=True)
class Buildah:
    """Builds in a storage of its own; the scripts are ours, byte for byte."""

    shop: Workshop
    templates: Mapping[str, Any]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def folder(self) -> Path:
        """Where its storage and its files are."""
        return self.shop.folder / "buildah"

    def prepare(self) -> None:
        """Import our base."""
        self.folder.mkdir()
        tar = self.folder / "base.tar"
        run(["tar", "-C", self.shop.base, "--numeric-owner", "--xattrs", "-cf", tar, "."])
        self._build(BASE_FILE, BASE)
        tar.unlink()

    def build(self, edition: str, *, fresh: str) -> None:
        """Build the customizers of *edition*; from the one called *fresh* on, nothing is cached."""
        lines = [f"FROM {BASE}"]
        scripts = self.folder / "scripts"
        scripts.mkdir(exist_ok=True)
        unique = f"-{next(self.numbers)}"
        seen = False
        for step in self.templates[edition]["properties"]["customize"]:
            seen = seen or step["name"] == fresh
            text = "\n".join(["#!/bin/sh -e", *step["inline"], ""])
            name = f"{step['name']}-{sha256_bytes(text.encode())[:12]}{unique if seen else ''}.sh"
            (scripts / name).write_text(text)
            lines.append(f"RUN /bin/sh -e /scripts/{name}")
        self._build("\n".join([*lines, ""]), f"localhost/{edition}", scripts)

    def _build(self, text: str, name: str, scripts: Path | None = None) -> None:
        (self.folder / "Containerfile").write_text(text)
        mirror = self.shop.state / "mirror"
        volumes = [f"--volume={mirror}:/run/imagebake/mirror:ro"] if scripts else []
        volumes += [f"--volume={scripts}:/scripts:ro"] if scripts else []
        self.buildah(
            *("build", "--layers", "--isolation=chroot", "--quiet", *volumes),
            *("--file", self.folder / "Containerfile", "--tag", name, self.folder),
        )

    def buildah(self, *words: str | Path) -> None:
        """Run buildah on its own storage."""
        places: list[str | Path] = [
            "--root",
            self.folder / "storage",
            "--runroot",
            self.folder / "run",
        ]
        run(["buildah", *places, "--storage-driver", "overlay", *words])


@dataclass(frozen=True, slots=True)
class Ours:
    """Builds the same templates with the engine, without what is no customizer of theirs."""

    shop: Workshop
    templates: Mapping[str, Any]

    def build(self, edition: str) -> float:
        """Build *edition*; the seconds from the first customizer to the end of the last step."""
        folder = self.shop.state / "engine"
        engine = Engine(
            folder=folder,
            mirror=self.shop.state / "mirror",
            marketplace=BaseMarketplace(folder / "marketplace"),
            fetch=lambda uri, _: Path(uri),
        )
        times: dict[str, float] = {}

        def note(state: str) -> None:
            times[state] = time.perf_counter()

        engine.build(
            self.templates[edition],
            log=self.shop.folder / "log",
            on_state=note,
            cancelled=lambda: False,
        )
        return times["Distributing"] - times["Customizing"]


def main() -> None:
    """Measure both, cold and with one changed pin."""
    if shutil.which("buildah") is None:
        raise SystemExit("this measures against buildah: apt-get install buildah")
    with a_workshop() as shop:
        templates = {}
        for edition in ("new", "old"):
            shop.use(edition)
            templates[edition] = json.loads(shop.imagebake("render", IMAGE))
            del templates[edition]["properties"]["validate"]
        shop.bake()
        shop.remember()
        with _storage(shop, templates) as peer:
            peer.prepare()
            peer.build("old", fresh=LAST)
            report(_contests(shop, Ours(shop, templates), peer))


def _contests(shop: Workshop, ours: Ours, peer: Buildah) -> list[Contest]:
    name = "buildah build --layers --isolation chroot"

    def cold() -> float:
        shop.forget_layers()
        return ours.build("old")

    def changed() -> float:
        shop.go_back()
        return ours.build("new")

    def peer_cold() -> None:
        peer.build("old", fresh=FIRST)

    def peer_changed() -> None:
        peer.build("new", fresh=CHANGED)

    return [
        Contest("one changed pin", changed, lambda: seconds(peer_changed), name, 0.6),
        Contest(
            "the same, processor time",
            lambda: processor_seconds(changed),
            lambda: processor_seconds(peer_changed),
            name,
            0.6,
        ),
        Contest("customizers, cold", cold, lambda: seconds(peer_cold), name, 0.65),
        Contest(
            "the same, processor time",
            lambda: processor_seconds(cold),
            lambda: processor_seconds(peer_cold),
            name,
            0.65,
        ),
    ]


@contextlib.contextmanager
def _storage(shop: Workshop, templates: Mapping[str, Any]) -> Iterator[Buildah]:
    peer = Buildah(shop, templates)
    try:
        yield peer
    finally:
        places: list[str | Path] = [
            "--root",
            peer.folder / "storage",
            "--runroot",
            peer.folder / "run",
        ]
        for words in (["rm", "--all"], ["rmi", "--all", "--force"]):
            subprocess.run(["buildah", *places, *words], check=False, capture_output=True)
        mounted = peer.folder / "storage" / "overlay"
        subprocess.run(["umount", mounted], check=False, capture_output=True)


if __name__ == "__main__":
    main()
