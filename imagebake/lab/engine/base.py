"""Make a base: a root file system of exact packages that knows nothing of its maker."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imagebake.kernel.host import namespaces, process
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine.errors import Cancelled, EngineFailed
from imagebake.lab.engine.log import Sink
from imagebake.lab.engine.recipe import BaseRecipe

_ROOM = 3 << 30
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
"""Unpacks while mmdebstrap still packs; what it took from this machine goes at the end."""


def make_base(
    recipe: BaseRecipe,
    attempt: Path,
    *,
    mirror: Path | None,
    log: Sink,
    cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """Fill `root` of *attempt* as *recipe* says; returns what to remember about it."""
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

    def said(line: str) -> None:
        lines.append(line)
        print(line, file=log, flush=True)

    try:
        code = namespaces.run(sandbox, on_line=said, stop=cancelled)
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
        repository = f"deb [trusted=yes] copy:{urllib.parse.quote(str(folder))} ./"
        return [*arguments, recipe.suite, "-", repository]
    arguments += [f"--aptopt={line}" for line in machine_apt_options()]
    return [*arguments, recipe.suite, "-", *map(str, recipe.source_files)]


def machine_apt_options() -> tuple[str, ...]:
    """What this machine's apt is told about reaching archives, as lines of apt.conf."""
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
