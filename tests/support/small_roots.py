"""Small root file systems with the agent that Debian packages, from this machine's archive."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from imagebake.kernel.host import files
from imagebake.kernel.host.system_packages import architecture
from imagebake.lock.apt_sources import read_configuration, read_sources, select, source_file

AGENTS = {"bookworm": "2.7.3.0", "trixie": "2.12.0.2"}
"""The agent's version in each suite that we judge by."""

_PACKAGES = "waagent,openssl,iproute2,curl,ca-certificates,procps,gdisk"


def agent_root(suite: str, folder: Path) -> Path:
    """The root file system of *suite* in *folder*; made when it is not there yet."""
    root = folder / suite
    with files.file_lock(folder / f"{suite}.lock"):
        if not root.exists():
            partial = folder / f"{suite}.part"
            shutil.rmtree(partial, ignore_errors=True)
            _make(suite, partial)
            partial.rename(root)
    return root


def unpacked_agent(suite: str, folder: Path) -> Path:
    """What the agent's package of *suite* has, of a release that nothing else is taken from."""
    there = folder / f"agent-{suite}"
    with files.file_lock(folder / f"agent-{suite}.lock"):
        if not there.exists():
            partial = folder / f"agent-{suite}.part"
            shutil.rmtree(partial, ignore_errors=True)
            _unpack(suite, partial)
            (partial / "root").rename(there)
    return there


def _unpack(suite: str, folder: Path) -> None:
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    sources = select(read_sources(read_configuration().sources), suite, architecture())
    (folder / "one.sources").write_text(source_file(sources))
    told = {
        "State::Lists": "lists",
        "State::status": "status",
        "Cache": "cache",
        "Etc::sourcelist": "one.sources",
        "Etc::sourceparts": "parts",
        "Etc::preferencesparts": "parts",
    }
    (folder / "apt.conf").write_text(
        "".join(f'Dir::{name} "{folder / path}";\n' for name, path in told.items())
        + 'APT::Sandbox::User "root";\nAcquire::Check-Valid-Until "false";\n'
    )
    environment = {"APT_CONFIG": str(folder / "apt.conf"), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    for words in (("update", "-qq"), ("download", "-qq", "waagent")):
        subprocess.run(["apt-get", *words], cwd=folder, env=environment, check=True)
    package = next(folder.glob("waagent_*.deb"))
    subprocess.run(["dpkg-deb", "--extract", package, folder / "root"], check=True)


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
