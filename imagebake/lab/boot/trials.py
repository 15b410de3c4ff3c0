"""The first boots of a proof, and the negative controls: scenarios and changes to the image."""

from __future__ import annotations

import contextlib
import enum
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from imagebake.kernel.errors import ImagebakeError, UsageError
from imagebake.lab.boot.scenario import Scenario, StartMethod
from imagebake.lab.fabric.fabric_settings import (
    FabricExtension,
    GatewayMode,
    GoalState,
    GoalStateSource,
    StoreMode,
)
from imagebake.lab.proof_result import ProofRequirements
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import ExtensionPin

BOOT = "boot"
"""The trial that is a whole boot; all others run the agent alone."""

_DEAD = {
    "hang": (StoreMode.BLACK_HOLE, GatewayMode.SAME),
    "hang-502": (StoreMode.BLACK_HOLE, GatewayMode.BAD_GATEWAY),
    "hang-healthy": (StoreMode.BLACK_HOLE, GatewayMode.HEALTHY),
    "403": (StoreMode.FORBIDDEN, GatewayMode.SAME),
    "404": (StoreMode.NOT_FOUND, GatewayMode.SAME),
    "409": (StoreMode.PUBLIC_ACCESS_DENIED, GatewayMode.SAME),
    "409-healthy": (StoreMode.PUBLIC_ACCESS_DENIED, GatewayMode.HEALTHY),
    "reset": (StoreMode.RESET, GatewayMode.SAME),
    "slow": (StoreMode.SLOW, GatewayMode.SAME),
    "truncated": (StoreMode.TRUNCATED, GatewayMode.SAME),
    "wrong-bytes": (StoreMode.WRONG_BYTES, GatewayMode.SAME),
    "up": (StoreMode.UP, GatewayMode.SAME),
}
_FAST_TRACK = {"hang-fasttrack": "hang", "409-fasttrack": "409"}
_FAST_TRACK_SINCE = (2, 8)
# Seconds above the budget, so that a machine just over it is measured and not cut off.
_MARGIN = 2.0
_LINGER, _BOOT_LINGER = 0.5, 2.0
_FORBEARANCE, _BOOT_FORBEARANCE, _CONTROL_FORBEARANCE = 2.0, 10.0, 0.5
_CONTROL_PATIENCE = 20.0
_AZURE_HOSTS = ("imagebake1.blob.core.windows.net", "imagebake2.z01.blob.storage.azure.net")
"""Hosts as Azure's own: a cache must answer for them, and not for a mirror that the spec names."""
_STAND_IN = FabricExtension(publisher="Imagebake.Proof", type="Control", version="1.0.0")


class ImageChange(enum.StrEnum):
    """A change to the image before it boots."""

    NOTHING = "nothing"
    STRIPPED = "without what imagebake does, and with its extensions by download"
    PLANTED = "with a planted download"


def trials(spec: ImageSpec, demand: ProofRequirements) -> tuple[Scenario, ...]:
    """Return the first boots that decide, the whole boot first.

    An image without the guest agent has only that one: nothing else would run. The channel of a
    goal state matters only if there is an extension in it, and only to agents that take goal states
    from HostGAPlugin: older ones compare it with the wire server's, and follow that.
    """
    wanted = tuple(map(_extension, spec.cached))
    patience = demand.budget_seconds + _MARGIN
    boot = Scenario(
        name=BOOT,
        means=StartMethod.BOOT,
        store=StoreMode.BLACK_HOLE,
        goals=_goals(wanted, GoalStateSource.EXTENSIONS_CONFIG),
        restart=True,
        reboot=True,
        timers=True,
        services=demand.services,
        linger=_BOOT_LINGER,
        patience=patience,
        forbearance=_BOOT_FORBEARANCE,
    )
    if not demand.agent:
        return (boot,)
    ways = [(name, name, GoalStateSource.EXTENSIONS_CONFIG) for name in _DEAD]
    if wanted and _knows_fast_track(demand.agent):
        ways += [(name, dead, GoalStateSource.FAST_TRACK) for name, dead in _FAST_TRACK.items()]
    alone = (
        Scenario(
            name=name,
            means=StartMethod.AGENT,
            store=_DEAD[dead][0],
            gateway=_DEAD[dead][1],
            goals=_goals(wanted, source),
            restart=dead in _FAST_TRACK.values(),
            linger=_LINGER,
            patience=patience,
            forbearance=_FORBEARANCE,
        )
        for name, dead, source in ways
    )
    return (boot, *alone)


def select_trials(scenarios: Sequence[Scenario], name: str) -> tuple[Scenario, ...]:
    """Return the trial called *name*, or all for an empty name; raises `UsageError`."""
    if not name:
        return tuple(scenarios)
    found = tuple(trial for trial in scenarios if trial.name == name)
    if not found:
        names = ", ".join(trial.name for trial in scenarios)
        raise UsageError(f"there is no scenario {name!r} for this image", hint=f"it has: {names}")
    return found


def negative_control_of(spec: ImageSpec, demand: ProofRequirements) -> tuple[Scenario, ImageChange]:
    """Return the shortest scenario, and the change to the image, that must fail."""
    if not demand.agent:
        return planted_scenario(), ImageChange.PLANTED
    asked = tuple(map(_extension, spec.extensions)) or (_STAND_IN,)
    scenario = Scenario(
        name="control",
        means=StartMethod.AGENT,
        store=StoreMode.PUBLIC_ACCESS_DENIED,
        goals=(GoalState(extensions=asked),),
        patience=_CONTROL_PATIENCE,
        forbearance=_CONTROL_FORBEARANCE,
    )
    return scenario, ImageChange.STRIPPED


def _knows_fast_track(agent: str) -> bool:
    numbers = tuple(int(part) for part in agent.split(".") if part.isdigit())
    return numbers >= _FAST_TRACK_SINCE


def planted_scenario() -> Scenario:
    """Return a boot of an image with a planted download."""
    return Scenario(
        name="planted",
        means=StartMethod.BOOT,
        store=StoreMode.RESET,
        patience=_CONTROL_PATIENCE,
        forbearance=_CONTROL_FORBEARANCE,
    )


def _goals(wanted: tuple[FabricExtension, ...], source: GoalStateSource) -> tuple[GoalState, ...]:
    """First a machine without extensions, as it is created; then one with them."""
    if not wanted:
        return (GoalState(),)
    return (GoalState(), GoalState(extensions=wanted, source=source))


def _extension(pin: ExtensionPin) -> FabricExtension:
    """Return the extension of a goal state; a cached one at hosts such as Azure's."""
    plain = FabricExtension(publisher=pin.publisher, type=pin.type, version=pin.version)
    return replace(plain, hosts=_AZURE_HOSTS) if pin.package else plain


PLANTED = "imagebake-planted.service"
"""The unit of the planted download."""
PLANTED_HOST = "planted.imagebake.test"
"""The host of its first request; the second one uses an address, without DNS."""

_CONF = "etc/waagent.conf"
_UNITS = "etc/systemd/system"
_OURS = ("opt/imagebake", "etc/cloud/cloud.cfg.d/90-imagebake.cfg")
_STATE = "var/lib/waagent"
_PLANTED_SCRIPT = "etc/imagebake-planted.sh"
_PLANTED_LINES = f"""\
for there in {PLANTED_HOST} 198.51.100.7; do
    exec 3<>"/dev/tcp/$there/80" &&
        printf 'GET /agent.deb HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' "$there" >&3 && cat <&3
done
"""
_PLANTED_UNIT = f"""\
[Unit]
Description=A download that the offline proof must notice
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=-/bin/bash /{_PLANTED_SCRIPT}
TimeoutStartSec=10
"""


def apply_change(change: ImageChange, root: Path, *, masked: Iterable[str]) -> None:
    """Apply *change* to the image at *root*; see `strip` for *masked*."""
    if change is ImageChange.STRIPPED:
        strip(root, masked=masked)
    if change is ImageChange.PLANTED:
        plant(root)


def strip(root: Path, *, masked: Iterable[str]) -> None:
    """Remove imagebake's protection against downloads from the image at *root*.

    The agent may update itself again; the preinstalled agent, the packages and the cache are
    removed; and the units in *masked*, which download on a first boot, are unmasked.
    """
    for name in _OURS:
        _remove(_inside(root, name))
    state = _inside(root, _STATE)
    if state.is_dir():
        for path in state.iterdir():
            _remove(path)
    units = _inside(root, _UNITS)
    for path in units.iterdir() if units.is_dir() else ():
        ours = path.name.startswith("imagebake-")
        if ours or (path.name in masked and _is_mask(path)):
            _remove(path)
        elif path.name.endswith(".d") and path.is_dir() and not path.is_symlink():
            for drop_in in path.glob("*imagebake*"):
                _remove(drop_in)
    conf = _inside(root, _CONF)
    if conf.is_file():
        conf.write_text(_loosened(conf.read_text(encoding="utf-8")), encoding="utf-8")


def plant(root: Path) -> None:
    """Add a unit that downloads to the image at *root*."""
    units = _inside(root, _UNITS)
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    _inside(root, _PLANTED_SCRIPT).write_text(_PLANTED_LINES, encoding="ascii")
    (units / PLANTED).write_text(_PLANTED_UNIT, encoding="ascii")
    with contextlib.suppress(FileExistsError):
        (wants / PLANTED).symlink_to(f"../{PLANTED}")


def _loosened(text: str) -> str:
    ours = ("AutoUpdate.", "HttpProxy.")
    kept = [line for line in text.splitlines() if not line.strip().startswith(ours)]
    lines = (*kept, "AutoUpdate.Enabled=y", "AutoUpdate.UpdateToLatestVersion=y", "")
    return "\n".join(lines)


def _is_mask(path: Path) -> bool:
    return path.is_symlink() and str(path.readlink()) == "/dev/null"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _inside(root: Path, name: str) -> Path:
    """Return the path of *name* in the image; refuse a symbolic link of the image on the way."""
    path = root
    for part in name.split("/"):
        path = path / part
        # A part that does not exist yet leads nowhere.
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISLNK(path.lstat().st_mode):
                raise ImagebakeError(f"/{name} of the image leads through a link at {part!r}")
    return path
