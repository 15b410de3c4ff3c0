"""Where the clients are installed: below the state directory, once for each of their locks."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.host.files import file_lock

HERE = Path(__file__).parent
AZ_LOCK = HERE / "az" / "requirements.lock"
JS_FILES = (HERE / "js" / "package.json", HERE / "js" / "package-lock.json")
SHOWN = 2000


class CannotInstall(Exception):
    """A client could not be installed; the message is what the installer said last."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Clients in *folder*; what is there is used, and what was begun and not ended, begun anew."""

    folder: Path

    def az(self) -> Path:
        """The Azure command line, from the lock, in an environment of its own."""
        return self.made("az", (AZ_LOCK,), _install_az) / "venv" / "bin" / "az"

    def js(self) -> Path:
        """A directory whose `node_modules` are those of the lock."""
        return self.made("js", JS_FILES, _install_js)

    def made(self, name: str, locks: Sequence[Path], install: Callable[[Path], None]) -> Path:
        """The directory that *install* has filled, now or before, from these *locks*."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in locks)).hexdigest()
        place = self.folder / f"{name}-{digest[:12]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with file_lock(self.folder / f"{name}.lock"):
            if not (place / "complete").exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                install(place)
                (place / "complete").touch()
        return place


def _install_az(place: Path) -> None:
    venv.create(place / "venv", with_pip=True)
    pip = (place / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet")
    _run((*pip, "--no-deps", "--require-hashes", "--requirement", AZ_LOCK), cwd=place)


def _install_js(place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall("npm is not installed; Node.js 20 or newer brings it")
    for path in JS_FILES:
        shutil.copy(path, place)
    _run((npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"), cwd=place)


def _run(command: Sequence[str | Path], *, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotInstall((done.stderr or done.stdout).strip()[-SHOWN:])
