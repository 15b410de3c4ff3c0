"""A whole bake from nothing but the mirror, against the bare tools that do the work in it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from benchmarks.measure import Contest, report, run, seconds
from benchmarks.workshop import IMAGE, Workshop, a_workshop

HOOK = """\
set -eu
printf '#!/bin/sh\\nexit 101\\n' >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"
mkdir -p "$1/mnt/mirror"; mount --bind {mirror} "$1/mnt/mirror"
printf '%s\\n' {sources} >"$1/etc/apt/sources.list"
chroot "$1" apt-get -q update
DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -q -y --no-install-recommends \\
  -o Dpkg::Options::=--force-unsafe-io install {packages}
umount "$1/mnt/mirror"
"""


def main() -> None:
    """Measure both, each from the mirror alone."""
    with a_workshop() as shop:
        shop.use("old")
        report(
            [
                Contest(
                    "cold bake, warm mirror",
                    lambda: _ours(shop),
                    lambda: _bare(shop),
                    "mmdebstrap and apt-get install of the same packages",
                    1.25,
                )
            ],
            runs=3,
        )


def _ours(shop: Workshop) -> float:
    shop.forget_everything()
    return shop.bake()


def _bare(shop: Workshop) -> float:
    """One mmdebstrap to a directory, then one apt-get install of all pins, from our bundles."""
    out = shop.folder / "bare"
    base, *others = _bundles(shop)
    lock = json.loads((shop.root / "image_specs" / f"{IMAGE}.lock.json").read_text())
    first, *steps = lock["steps"]
    include = ",".join(f"{one['name']}={one['version']}" for one in first["packages"])
    pins = [
        f"{one['name']}={one['version']}"
        for step in steps
        for one in step["packages"]
        if one["name"] in step["pins"]
    ]
    sources = [f"deb [trusted=yes] file:///mnt/mirror/bundles/{path.name} ./" for path in others]
    hook = shop.folder / "hook"
    hook.write_text(
        HOOK.format(
            mirror=shlex.quote(str(shop.state / "mirror")),
            sources=shlex.join(sources),
            packages=shlex.join(pins),
        )
    )
    words = (
        *("mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", "--quiet"),
        *('--aptopt=APT::Sandbox::User "root"', f"--include={include}"),
        *(f'--customize-hook=sh {hook} "$1"', lock["suite"], out),
        f"deb [trusted=yes] copy:{base} ./",
    )
    took = seconds(lambda: run(words, TMPDIR=str(shop.folder)))
    shutil.rmtree(out)
    return took


def _bundles(shop: Workshop) -> list[Path]:
    """The bundles that the lock's steps install from, the base's first."""
    template = shop.imagebake("render", IMAGE)
    folder = shop.state / "mirror" / "bundles"
    named = [path for path in folder.iterdir() if path.name in template]
    sizes = {path: sum(1 for _ in path.iterdir()) for path in folder.iterdir()}
    unnamed = [path for path in folder.iterdir() if path not in named]
    return [max(unnamed, key=lambda path: sizes[path]), *named]


if __name__ == "__main__":
    main()
