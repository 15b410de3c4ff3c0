"""Make a base root file system from exact packages, and the scaffold mounted over it.

A scaffold holds files that a step finds in its root and the image never contains. It is mounted
between the base and the first step's layer, and left out when the image is read: a step's own
change to such a file wins, and there is nothing to clean up.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import sha256_json
from imagebake.kernel.host import namespaces, process
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine.errors import Cancelled, EngineFailed
from imagebake.lab.engine.log import Sink
from imagebake.lab.engine.recipe import BaseRecipe

_ROOM = 3 << 30
"""Free memory from which mmdebstrap works in a tmpfs."""
_TAIL = 20

_BUILD = """\
set -eu
at=$1 out=$2
shift 2
if [ "$TMPFS" = 1 ]; then mount -t tmpfs -o mode=755,size=90% base "$at"; fi
mkfifo "$at/pipe"
(
    tar -x -f - -C "$out" --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*'
    cat > /dev/null # tar stops at the mark of the end, and mmdebstrap still writes behind it
) < "$at/pipe" &
TMPDIR=$at mmdebstrap "$@" > "$at/pipe"
wait $!
mkdir -p "$out/dev" "$out/proc" "$out/sys" "$out/run"
rm -f "$out"/etc/ssh/ssh_host_* "$out/etc/resolv.conf" "$out/var/lib/dbus/machine-id"
rm -f "$out/etc/apt/sources.list" "$out"/etc/apt/sources.list.d/0000*
rm -f "$out"/etc/apt/apt.conf.d/99mmdebstrap "$out"/var/cache/ldconfig/aux-cache
: > "$out/etc/machine-id"
: > "$out/etc/apt/sources.list"
printf 'localhost\\n' > "$out/etc/hostname"
chmod 644 "$out/etc/machine-id" "$out/etc/apt/sources.list" "$out/etc/hostname"
"""
"""Unpacks while mmdebstrap still packs; removes what it took from this machine at the end."""


def make_base(
    recipe: BaseRecipe,
    attempt: Path,
    *,
    mirror: Path | None,
    log: Sink,
    cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """Fill `root` of *attempt* as *recipe* says; return the metadata to store with it."""
    if process.find("mmdebstrap") is None:
        raise EngineFailed(
            "mmdebstrap is not installed, and a base is made with it",
            hint="./inv setup installs what is missing",
        )
    command = ("/bin/sh", "-c", _BUILD, "base", str(attempt / "at"), str(attempt / "root"))
    sandbox = Sandbox(
        argv=(*command, *_arguments(recipe, mirror)),
        env={
            "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": str(recipe.epoch),
            "TMPFS": "1" if _memory_available() > _ROOM else "0",
        },
        chroot=False,
        network=recipe.bundle is None,
    )
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        print(line, file=log, flush=True)

    try:
        code = namespaces.run(sandbox, on_line=on_line, stop=cancelled)
    except namespaces.Stopped as error:
        raise Cancelled from error
    except namespaces.SandboxFailed as error:
        raise EngineFailed(error.message, step="base", hint=error.hint) from error
    if code:
        output = "\n".join(lines[-_TAIL:])
        raise EngineFailed(
            f"the base of {recipe.suite} could not be made: mmdebstrap ended with {code}\n{output}",
            code="BaseFailed",
            step="base",
            output=output,
        )
    return {"kind": "base", "recipe": recipe.to_json()}


def _arguments(recipe: BaseRecipe, mirror: Path | None) -> list[str]:
    arguments = [
        "--mode=root",
        "--variant=apt",
        "--format=tar",
        "--skip=output/dev",
        f"--architectures={recipe.architecture}",
        '--aptopt=APT::Sandbox::User "root"',
    ]
    if recipe.packages:
        arguments.append("--include=" + ",".join(recipe.packages))
    if recipe.bundle is not None:
        if mirror is None:
            raise EngineFailed("the base names a bundle, and there is no mirror to find it in")
        folder = mirror / "bundles" / recipe.bundle
        if not (folder / "Packages").is_file():
            raise EngineFailed(f"the mirror has no bundle {recipe.bundle}", code="BaseFailed")
        # The bundle is named by its digest, which the lock records: no signature is needed.
        repository = f"deb [trusted=yes] copy:{urllib.parse.quote(str(folder))} ./"
        return [*arguments, recipe.suite, "-", repository]
    arguments += [f"--aptopt={line}" for line in machine_apt_options()]
    return [*arguments, recipe.suite, "-", *map(str, recipe.source_files)]


def machine_apt_options() -> tuple[str, ...]:
    """Return this machine's apt options for reaching archives, as lines of apt.conf."""
    wanted = (
        "Acquire::Check-Valid-Until ",
        "Acquire::Check-Date ",
        "Acquire::http::",
        "Acquire::https::",
    )
    dump = process.run(["apt-config", "dump"], check=False).text
    return tuple(
        line for line in dump.splitlines() if line.startswith(wanted) and not line.endswith(' "";')
    )


def _memory_available() -> int:
    rows = Path("/proc/meminfo").read_text().splitlines()
    kib = next((row.split()[1] for row in rows if row.startswith("MemAvailable:")), "0")
    return int(kib) * 1024


USER = "packer"
"""The build user's name in Azure Image Builder."""

# invoke-rc.d starts no service of a build root where this exits 101 (policy-rc.d).
_POLICY = """\
#!/bin/sh
exit 101
"""
_SUDOERS = f"""\
Defaults env_keep += "SOURCE_DATE_EPOCH"
Defaults !lecture
{USER} ALL=(ALL) NOPASSWD: ALL
"""
_HOSTS = """\
127.0.0.1 localhost
127.0.1.1 imagebake
::1 localhost ip6-localhost ip6-loopback
"""
_APT = """\
APT::Sandbox::User "root";
Acquire::Languages "none";
Dpkg::Use-Pty "0";
"""
_RESOLVERS = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
"""This machine's resolver configuration; systemd-resolved's stub listens on loopback only."""

Files = dict[str, tuple[int, bytes]]


def scaffold_files(recipe: BaseRecipe, *, network: bool) -> Files:
    """Return the files of a scaffold by path: mode and content."""
    found: Files = {
        "usr/sbin/policy-rc.d": (0o755, _POLICY.encode()),
        f"etc/sudoers.d/{USER}": (0o440, _SUDOERS.encode()),
        "etc/hosts": (0o644, _HOSTS.encode()),
        "etc/hostname": (0o644, b"imagebake\n"),
        "etc/resolv.conf": (0o644, b""),
        "etc/dpkg/dpkg.cfg.d/imagebake": (0o644, b"force-unsafe-io\n"),
        "etc/apt/apt.conf.d/99imagebake": (0o644, _APT.encode()),
    }
    if network:
        found["etc/resolv.conf"] = (0o644, _resolver())
        options = "\n".join(machine_apt_options())
        found["etc/apt/apt.conf.d/99imagebake"] = (0o644, f"{_APT}{options}\n".encode())
    for number, path in enumerate(recipe.source_files):
        name = f"etc/apt/sources.list.d/imagebake{number}{path.suffix}"
        found[name] = (0o644, path.read_bytes())
    return found


def scaffold_digest(content: Files) -> str:
    """Return the digest of a scaffold, its key in the store."""
    return sha256_json({path: [mode, text.hex()] for path, (mode, text) in content.items()})


def write_scaffold(content: Files, attempt: Path) -> dict[str, Any]:
    """Write a scaffold to `root` of *attempt*."""
    for path, (mode, text) in content.items():
        target = attempt / "root" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        target.chmod(mode)
    return {"kind": "scaffold"}


def _resolver() -> bytes:
    for name in _RESOLVERS:
        path = Path(name)
        if path.is_file():
            return path.read_bytes()
    return b""
