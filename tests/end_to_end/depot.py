"""An archive of our own with real packages, which can move on while a test looks at it."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.host.debs import parse_stanza
from tests.end_to_end.bakery import Bakery, os_release
from tests.support.archive import Archive, Key
from tests.support.file_server import Server, serving

SUITE = os_release().get("VERSION_CODENAME", "")


@dataclass(frozen=True, slots=True)
class Depot:
    """The archive, its server, and the apt source file that leads there."""

    archive: Archive
    server: Server
    sources: Path

    def publish(self) -> None:
        date = email.utils.format_datetime(dt.datetime.now(dt.UTC), usegmt=True)
        self.archive.publish(date=date)

    def supersede(self, name: str, version: str, scratch: Path) -> None:
        """Replace package *name* by the same one under another *version*."""
        package = self._package(name)
        old = self.archive.folder / package["Filename"]
        subprocess.run(["dpkg-deb", "--raw-extract", old, scratch], check=True)
        control = scratch / "DEBIAN" / "control"
        was = f"Version: {package['Version']}\n"
        control.write_text(control.read_text().replace(was, f"Version: {version}\n"))
        new = old.with_name(f"{name}_{version}.deb")
        command: list[str | Path] = ["dpkg-deb", "--build", "--root-owner-group", scratch, new]
        subprocess.run(command, check=True, capture_output=True)
        shutil.rmtree(scratch)
        self.remove(name)
        self._list(package | {"Version": version}, new)

    def remove(self, name: str) -> None:
        self.archive.remove(name, suite=SUITE)

    def add(self, stanza: str, file: Path) -> None:
        """List the package of *stanza*, whose *file* is beside it in a bundle."""
        place = self.archive.folder / "pool" / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.link(file, place)
            fields = {key: " ".join(text.split()) for key, text in parse_stanza(stanza).items()}
            self._list(fields, place)

    def _list(self, fields: dict[str, str], file: Path) -> None:
        content = file.read_bytes()
        found = {
            "Filename": str(file.relative_to(self.archive.folder)),
            "Size": str(len(content)),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }
        self.archive.suites.setdefault(SUITE, []).append(fields | found)

    def _package(self, name: str) -> dict[str, str]:
        return next(one for one in self.archive.suites[SUITE] if one["Package"] == name)


@contextlib.contextmanager
def a_depot(seed: Bakery, folder: Path, key: Key) -> Iterator[Depot]:
    """An archive with every package of *seed*'s mirror, published."""
    folder.mkdir()
    with serving(folder) as server:
        depot = Depot(Archive(folder, key), server, folder / "depot.sources")
        for bundle in sorted((seed.state / "mirror" / "bundles").glob("*/Packages")):
            for stanza in bundle.read_text().strip().split("\n\n"):
                name = parse_stanza(stanza)["Filename"].removeprefix("./")
                depot.add(stanza, bundle.parent / name)
        depot.publish()
        depot.sources.write_text(depot.archive.sources(server.url))
        yield depot
