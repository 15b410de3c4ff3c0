"""Small root file systems with the agent that Debian packages, from this machine's archive."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from imagebake.host import files
from imagebake.host.system import architecture
from imagebake.pins.machine import read_configuration
from imagebake.pins.sources import read_sources, select, source_file

AGENTS = {"bookworm": "2.7.3.0", "trixie": "2.12.0.2"}
"""The agent's version in each suite that we judge by."""

_PACKAGES = "waagent,openssl,iproute2,curl,ca-certificates,procps,gdisk"


def agent_root(suite: str, folder: Path) -> Path:
    """The root file system of *suite* in *folder*; made when it is not there yet."""
    root = folder / suite
    with files.locked(folder / f"{suite}.lock"):
        if not root.exists():
            partial = folder / f"{suite}.part"
            shutil.rmtree(partial, ignore_errors=True)
            _make(suite, partial)
            partial.rename(root)
    return root


def _make(suite: str, root: Path) -> None:
    sources = select(read_sources(read_configuration().sources), suite, architecture())
    subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=apt",
            "--format=directory",
            f"--include={_PACKAGES}",
            "--skip=output/dev",
            "--aptopt=Acquire::Check-Valid-Until false",
            "--aptopt=APT::Install-Recommends false",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            suite,
            str(root),
            "-",
        ],
        input=source_file(sources).encode(),
        check=True,
    )
    # It is this machine's, and the agent would believe it.
    (root / "etc/resolv.conf").unlink(missing_ok=True)
