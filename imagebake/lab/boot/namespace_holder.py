"""The process that holds a machine's namespaces: file systems, process ids, control groups.

A program of its own, started by path from `namespaces.py` with one JSON argument, so it imports
nothing of this package. The *guard* makes control groups and namespaces, and lives while its
standard input is open: the kernel closes that when the parent dies, however it dies. Then the guard
kills the *init*, process 1 inside, with which the kernel kills all other processes and drops the
mounts there, and removes the control groups, which nothing else would.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

# linux/sched.h, linux/mount.h and linux/prctl.h; Python has no constants for these.
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWPID = 0x20000000
_WORLD = _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1
_GROUPS = Path("/sys/fs/cgroup")
_STAGE = Path("/run/imagebake")
_DELEGATED = "systemd-run --user --scope -p Delegate=yes ./inv validate IMAGE, or as root"
_PATIENCE = 5.0
_TICK = 0.02

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Hold the namespaces that the argument describes until standard input ends."""
    config: dict[str, Any] = json.loads(sys.argv[1])
    # A session of its own: an interrupt from the terminal must not reach it.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[Path] = []
    hint = ""
    try:
        if config["groups"]:
            hint = _DELEGATED
            groups += _make_groups(config["name"])
            hint = ""
        _check(_libc.unshare(_WORLD), "unshare")
        ready, theirs = os.pipe()
        init = os.fork()
        if not init:
            _init(config, theirs)
        os.close(theirs)
        trouble = os.read(ready, 4096).decode()
        answer = {"pid": init, "groups": [str(group) for group in groups], "trouble": trouble}
        _answer(answer)
        while os.read(0, 4096):
            pass
        os.kill(init, signal.SIGKILL)
        os.waitpid(init, 0)
    except OSError as error:
        _answer({"trouble": error.strerror or str(error), "hint": hint})
    finally:
        for group in groups:
            _remove(group)
    return 0


def _init(config: dict[str, Any], ready: int) -> NoReturn:
    """Run as process 1: mount, then reap orphans until killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # Inherited by its children, these would keep the parent's pipes open.
    null = os.open("/dev/null", os.O_RDWR)
    try:
        _mount_all(config)
    except OSError as error:
        os.write(ready, (error.strerror or str(error)).encode())
    for number in (0, 1, 2):
        os.dup2(null, number)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.close(ready)
    while True:
        signal.pause()


def _mount_all(config: dict[str, Any]) -> None:
    """Mount the file systems inside; all that is written there goes with the last process."""
    layers = [os.open(layer, os.O_PATH | os.O_DIRECTORY) for layer in config["layers"]]
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("run", "/run", "tmpfs", 0, "mode=755")
    for part in ("upper", "work", "root"):
        (_STAGE / part).mkdir(parents=True)
    (_STAGE / "upper").chmod(0o755)
    if layers:
        # By descriptor: later mounts may hide the paths of the layers.
        lower = ":".join(f"/proc/self/fd/{layer}" for layer in layers)
        options = f"lowerdir={lower},upperdir={_STAGE}/upper,workdir={_STAGE}/work"
        # Unprivileged overlayfs keeps its attributes in user.*, not in trusted.*.
        options += ",userxattr" if _in_user_namespace() else ""
        _mount("overlay", str(_STAGE / "root"), "overlay", 0, options)
    _mount("tmp", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")  # noqa: S108 - a mount
    for layer in layers:
        os.close(layer)


def _in_user_namespace() -> bool:
    """Whether this is root of a user namespace only: then overlayfs marks deletions differently."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", str(2**32 - 1)]


def _make_groups(name: str) -> list[Path]:
    """Make a control group below our own in every hierarchy that systemd manages processes with."""
    made = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        hierarchy = {"name=systemd": _GROUPS / "systemd", "": _unified()}.get(controllers)
        if hierarchy is None or not hierarchy.is_dir():
            continue
        group = hierarchy / path.lstrip("/") / name
        try:
            group.mkdir()
        except OSError as error:
            raise OSError(error.errno, f"no control group can be made in {group.parent}") from error
        made.append(group)
    return made


def _unified() -> Path:
    # Where systemd runs in hybrid mode, v2 is mounted below the v1 hierarchies.
    hybrid = _GROUPS / "unified"
    return hybrid if hybrid.is_dir() else _GROUPS


def _remove(group: Path) -> None:
    """Remove a group and those in it, as soon as the kernel has released their processes."""
    end = time.monotonic() + _PATIENCE
    while group.exists() and time.monotonic() < end:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        if group.exists():
            time.sleep(_TICK)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount {kind or source} at {target}")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _answer(document: dict[str, Any]) -> None:
    # The parent may have ended already.
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
