"""The shipped Debian 12 image in a workspace of its own, to be baked again and again."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT, run, seconds

IMAGE = "debian-12-base"
MOVING = "jq"
"""The pin whose version changes from one bake to the next."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """A repository with two editions of one image, which differ in one pin; and its state."""

    folder: Path

    @property
    def root(self) -> Path:
        """The repository."""
        return self.folder / "site"

    @property
    def state(self) -> Path:
        """The state directory, whose mirror has everything."""
        return self.folder / "state"

    @property
    def environment(self) -> dict[str, str]:
        """What every command of ours is started with."""
        return {"IMAGEBAKE_ROOT": str(self.root), "IMAGEBAKE_STATE": str(self.state)}

    def imagebake(self, *words: str | Path) -> str:
        """Run imagebake."""
        return run([sys.executable, "-m", "imagebake", *words], **self.environment)

    def use(self, edition: str) -> None:
        """Let the spec and its lock be those of *edition*: `old` or `new`."""
        for path in (self.folder / edition).iterdir():
            shutil.copy(path, self.root / "image_specs" / path.name)

    def remember(self) -> None:
        """Keep what the emulator and the engine have now, for `go_back`."""
        _copy(self.state / "emulator", self.folder / "kept-emulator")
        (self.folder / "kept-layers").write_text(json.dumps(sorted(self._layers())))

    def go_back(self) -> None:
        """Have what was there at `remember`, and no layer that came afterwards."""
        _copy(self.folder / "kept-emulator", self.state / "emulator")
        self._drop(self._layers() - set(json.loads((self.folder / "kept-layers").read_text())))

    def forget_layers(self) -> None:
        """Have the base, and no layer upon it."""
        shutil.rmtree(self.state / "emulator", ignore_errors=True)
        kept = ("base", "scaffold")
        bases = {name for name in self._layers() if self._describe(name)["kind"] in kept}
        self._drop(self._layers() - bases)

    def forget_everything(self) -> None:
        """Have the mirror, and nothing else."""
        shutil.rmtree(self.state / "emulator", ignore_errors=True)
        shutil.rmtree(self.state / "engine", ignore_errors=True)

    def bake(self) -> float:
        """The seconds that one bake takes, as a whole process."""
        return seconds(lambda: self.imagebake("bake", IMAGE))

    @property
    def base(self) -> Path:
        """The root of the base."""
        found = [name for name in self._layers() if self._describe(name)["kind"] == "base"]
        return self.state / "engine" / "layers" / found[0] / "root"

    def _layers(self) -> set[str]:
        return {path.name for path in (self.state / "engine" / "layers").iterdir()}

    def _describe(self, name: str) -> dict[str, str]:
        path = self.state / "engine" / "layers" / name / "layer.json"
        described: dict[str, str] = json.loads(path.read_bytes())
        return described

    def _drop(self, layers: set[str]) -> None:
        for name in layers:
            shutil.rmtree(self.state / "engine" / "layers" / name)
            (self.state / "engine" / "content" / f"{name}.json").unlink(missing_ok=True)


@contextlib.contextmanager
def a_workshop() -> Iterator[Workshop]:
    """A workshop whose mirror is full, in a folder that is gone afterwards."""
    own = ROOT / ".imagebake"
    own.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=own) as folder:
        shop = Workshop(Path(folder))
        (shop.root / "image_specs").mkdir(parents=True)
        shutil.copytree(ROOT / "image_specs" / "base", shop.root / "image_specs" / "base")
        shutil.copy(ROOT / "image_specs" / f"{IMAGE}.yaml", shop.root / "image_specs")
        if (own / "mirror").is_dir():
            shop.state.mkdir()
            run(["cp", "-al", own / "mirror", shop.state / "mirror"])
        _edition(shop, "new", newest=True)
        _edition(shop, "old", newest=False)
        shop.forget_everything()
        yield shop


def _edition(shop: Workshop, name: str, *, newest: bool) -> None:
    """Lock with the newest versions there are of all pins, or the oldest of the moving one."""
    for _ in range(2):
        told = _lock(shop)
        if not told:
            break
        _pin(shop, {pin: there[-1] for pin, there in told.items()})
    if not newest:
        _pin(shop, {MOVING: "0"})
        oldest, *newer = _lock(shop)[MOVING]
        if not newer:
            raise SystemExit(f"the archive has one version of {MOVING}: nothing to change")
        _pin(shop, {MOVING: oldest})
        _lock(shop)
    shop.imagebake("bake", IMAGE)  # downloads everything
    kept = shop.folder / name
    kept.mkdir()
    for path in (shop.root / "image_specs").glob(f"{IMAGE}.*"):
        shutil.copy(path, kept)


def _lock(shop: Workshop) -> dict[str, list[str]]:
    """Lock; where pins are gone from the archive, the versions that there are instead."""
    done = subprocess.run(
        [sys.executable, "-m", "imagebake", "lock", IMAGE],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT), **shop.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^  (\S+) \S+: there is (.+)$", done.stderr, re.MULTILINE)
    if done.returncode and not found:
        raise SystemExit(done.stderr)
    return {name: versions.split(", ") for name, versions in found}


def _pin(shop: Workshop, versions: dict[str, str]) -> None:
    for path in (shop.root / "image_specs").rglob("*.yaml"):
        text = path.read_text()
        for name, version in versions.items():
            pattern = rf"((?:package|agent): {re.escape(name)}\n    version: ).*"
            text = re.sub(pattern, rf'\g<1>"{version}"', text)
        path.write_text(text)


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
