"""What the engine's tests build with: a bundle, engines, templates, and a look at images."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe

BUNDLE = "b" * 64
PACKAGES = ("sudo", "systemd-sysv", "iproute2")
MORE = ("jq", "iputils-ping", "cron", "libcap2-bin")
"""Packages that the base does not have and steps install: one starts a service, one has a
capability in its postinst."""

SOURCE = {
    "type": "PlatformImage",
    "publisher": "Debian",
    "offer": "debian",
    "sku": "test",
    "version": "1.0.0",
}

INSTALL = """\
sudo sh -e -c '
mkdir -p /run/l/partial
echo "deb [trusted=yes] copy:/run/imagebake/mirror/bundles/{bundle} ./" > /run/s.list
O="-o Dir::Etc::SourceList=/run/s.list -o Dir::Etc::SourceParts=/dev/null"
O="$O -o Dir::State::Lists=/run/l"
apt-get $O -qq update
DEBIAN_FRONTEND=noninteractive apt-get $O -qq -y --no-install-recommends install {packages}
'
"""

FORGET_LOGS = """\
cat > /tmp/DeprovisioningScript.sh <<'END'
find /var/log -type f -delete
END
"""


def output(*command: str) -> str:
    """What *command* prints; a failure is an error."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def suite() -> str:
    rows = dict(
        line.split("=", 1)
        for line in Path("/etc/os-release").read_text().splitlines()
        if "=" in line
    )
    return rows["VERSION_CODENAME"].strip('"')


def architecture() -> str:
    return output("dpkg", "--print-architecture").strip()


def make_bundle(folder: Path, apt: Path) -> None:
    """Download the base and a few packages, with what they need, into a flat repository."""
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    options = [
        f"-oDir::State={apt}",
        f"-oDir::State::lists={apt}/lists",
        f"-oDir::State::status={apt}/status",
        f"-oDir::Cache={apt}",
        f"-oDir::Cache::archives={apt}/archives",
        "-oAPT::Install-Recommends=false",
        "-oAPT::Sandbox::User=root",
    ]
    output("apt-get", *options, "-qq", "update")
    wanted = ["?essential", "?priority(required)", "apt", *PACKAGES, *MORE]
    output("apt-get", *options, "-qq", "-y", "--download-only", "install", *wanted)
    folder.mkdir(parents=True)
    stanzas = []
    for deb in sorted((apt / "archives").glob("*.deb")):
        content = deb.read_bytes()
        (folder / deb.name).write_bytes(content)
        control = output("dpkg-deb", "-f", str(deb)).strip()
        digest = hashlib.sha256(content).hexdigest()
        stanzas.append(
            f"{control}\nFilename: ./{deb.name}\nSize: {len(content)}\nSHA256: {digest}\n"
        )
    (folder / "Packages").write_text("\n".join(stanzas))


def versions(folder: Path) -> dict[str, str]:
    """The version of each package of a bundle."""
    found = {}
    for stanza in (folder / "Packages").read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        found[fields["Package"]] = fields["Version"]
    return found


def install(*packages: str) -> str:
    """A line that installs *packages* from the bundle."""
    return INSTALL.format(bundle=BUNDLE, packages=" ".join(packages))


def copy(source: Path, target: Path) -> None:
    """Copy a tree; a hard link would change the status of the file that another test reads."""
    output("cp", "-a", "--reflink=auto", str(source), str(target))


def no_fetch(uri: str, sha256: str | None) -> bytes:
    raise AssertionError(f"nothing should be fetched, and {uri} ({sha256}) was")


def an_engine(store: Path, mirror: Path | None, recipe: BaseRecipe, **more: Any) -> Engine:  # noqa: ANN401
    marketplace = BaseMarketplace(store / "marketplace")
    marketplace.register(SOURCE, recipe)
    fields: dict[str, Any] = {"fetch": no_fetch, **more}
    return Engine(folder=store, mirror=mirror, marketplace=marketplace, **fields)


def recipe_of(engine: Engine) -> BaseRecipe:
    """The base that *engine* offers as `SOURCE`."""
    found = engine.marketplace.find(SOURCE)
    assert found
    return found


def shell(name: str, *lines: str) -> dict[str, Any]:
    return {"type": "Shell", "name": name, "inline": list(lines)}


def template(customize: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"properties": {"source": SOURCE, "customize": list(customize), **more}}


def build(
    engine: Engine,
    customize: Sequence[Mapping[str, Any]],
    *,
    log: Path,
    on_state: Callable[[str], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Build a template of *customize*."""
    described = template(customize, **more)
    return engine.build(described, log=log, on_state=on_state, cancelled=cancelled)


@dataclass(frozen=True)
class Entry:
    """A member of an image's tar."""

    info: tarfile.TarInfo
    content: bytes


def contents(engine: Engine, record: Mapping[str, Any]) -> dict[str, Entry]:
    """Everything in an image, by path without its leading dot."""
    found = {}
    with engine.open_tar(record) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() else None
            found[member.name.removeprefix(".")] = Entry(member, file.read() if file else b"")
        while stream.read(1 << 20):
            pass
    return found


def processes(word: str) -> list[int]:
    """The processes of this machine whose command line has *word* in it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def mounts(word: str) -> list[str]:
    """The mounts that this machine sees and that have *word* in them."""
    return [row for row in Path("/proc/self/mounts").read_text().splitlines() if word in row]


def program(
    engine: Engine,
    customize: Sequence[Mapping[str, Any]],
    *,
    python: str = sys.executable,
    **more: str,
) -> tuple[str, ...]:
    """The command line of `program.py` that builds with *engine*'s mirror and recipe."""
    recipe = recipe_of(engine)
    told = {
        "store": str(engine.folder),
        "mirror": str(engine.mirror),
        "source": SOURCE,
        "recipe": recipe.to_json(),
        "customize": customize,
        **more,
    }
    return (python, "-B", str(Path(__file__).with_name("program.py")), json.dumps(told))
