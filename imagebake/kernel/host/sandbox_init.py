"""The first process of a sandbox: makes the namespaces, mounts, and waits.

A program of its own, started by `namespaces.py` with one JSON argument, so it imports
nothing of ours and little of Python's: its start is most of what an empty step costs.
Three processes run it. The *launcher* unshares and can still be told to stop. The *init*
is process 1 of the new namespaces and stays outside the new root, because `systemctl`
takes a root that differs from process 1's as a sign not to start services. The *worker*
changes the root and becomes the step's program. Each dies with the one before it, and the
kernel kills whatever else runs in the namespaces when the init dies.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

Config = dict[str, Any]

_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
_CLONE_NEWPID, _CLONE_NEWNET = 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_QUIET = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 24
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_DROPPED = (16, 17, 22, 25, 27)
"""Capabilities that a step never has: modules, raw I/O, reboot, the clock, device nodes."""
_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = (
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
)

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Run the program of the configuration and exit with its exit code."""
    config: Config = json.loads(sys.argv[1])
    _die_with_parent()
    # The parent may have died before prctl took effect.
    if os.getppid() != config["parent"]:
        return 1
    os.setsid()
    os.set_inheritable(config["status"], False)  # noqa: FBT003 - its only argument
    try:
        _unshare(config)
    except OSError as error:
        return _cannot(config, error)
    # In the new PID namespace getppid() is 0, so a pipe tells whether the launcher still lives.
    alive, held = os.pipe()
    child = os.fork()
    if child:
        os.close(alive)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
        return _ended(os.waitpid(child, 0)[1])
    os.close(held)
    _die_with_parent()
    if select.select([alive], [], [], 0)[0]:
        os._exit(1)
    os._exit(_init(config))


def _init(config: Config) -> int:
    try:
        root = _mount_all(config)
        payload = _read_payload(config)
    except OSError as error:
        return _cannot(config, error)
    os.write(config["status"], b"+")
    worker = os.fork()
    if not worker:
        _become(config, root, payload)
    code = _reap(worker)
    if config["put"] and config["argv"]:
        # Another process of the new root removes the script: the step may have made links.
        cleaner = os.fork()
        if not cleaner:
            _forget(root, config["put"])
        _reap(cleaner)
    return code


def _reap(wanted: int) -> int:
    """Wait for *wanted*, and reap every orphan that ends before it."""
    while True:
        ended, status = os.wait()
        if ended == wanted:
            return _ended(status)


def _forget(root: str, script: str) -> NoReturn:
    os.chroot(root)
    with contextlib.suppress(OSError):
        Path(script).unlink()
    os._exit(0)


def _unshare(config: Config) -> None:
    flags = _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID
    flags |= 0 if config["network"] else _CLONE_NEWNET
    _check(_libc.unshare(flags), "unshare")
    # Or every mount below would propagate to the host.
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    if not config["network"]:
        _loopback_up()
    socket.sethostname("imagebake")


def _mount_all(config: Config) -> str:
    for source, target, writable in config["binds"]:
        _bind(source, target, writable=writable)
    if not config["at"]:
        _mount("proc", "/proc", "proc", _QUIET)
        return "/"
    root = _overlay(config)
    if config["chroot"]:
        _devices(root)
        _kernel_views(root, config)
    return root


def _overlay(config: Config) -> str:
    """Mount the layers; links in a tmpfs keep the option string short for any number of them."""
    at = config["at"]
    _mount("stage", at, "tmpfs", _MS_NOSUID, "mode=755,size=16m")
    os.chdir(at)
    Path("root").mkdir()
    lowers = config["lowers"]
    for number, lower in enumerate(lowers):
        Path(str(number)).symlink_to(lower)
    options = ["lowerdir=" + ":".join(map(str, range(len(lowers))))]
    if config["upper"]:
        Path("upper").symlink_to(config["upper"])
        Path("work").symlink_to(config["work"])
        options += ["upperdir=upper", "workdir=work", "volatile"]
    # In a user namespace overlayfs may only keep its marks in user.* attributes.
    if config["userxattr"]:
        options.append("userxattr")
    _mount("overlay", "root", "overlay", 0, ",".join(options))
    os.chdir("/")
    return f"{at}/root"


def _devices(root: str) -> None:
    _mount("dev", f"{root}/dev", "tmpfs", _MS_NOSUID, "mode=755,size=16m")
    # A user namespace must not call mknod, so the host's nodes are bound.
    for node in _NODES:
        Path(root, "dev", node).touch()
        _bind(f"/dev/{node}", f"{root}/dev/{node}", writable=True)
    for target, link in _LINKS:
        Path(root, "dev", link).symlink_to(target)
    Path(root, "dev/pts").mkdir()
    Path(root, "dev/shm").mkdir()
    options = "newinstance,ptmxmode=0666,mode=0620"
    try:
        # The user namespace may not have group 5 (tty).
        _mount("devpts", f"{root}/dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, options + ",gid=5")
    except OSError:
        _mount("devpts", f"{root}/dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, options)
    shm = f"{root}/dev/shm"  # noqa: S108 - where the new root has its shared memory
    _mount("shm", shm, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")


def _kernel_views(root: str, config: Config) -> None:
    _mount("proc", f"{root}/proc", "proc", _QUIET)
    _bind(f"{root}/proc/sys", f"{root}/proc/sys", writable=False)
    # Without a network of its own: only the owner of a network namespace may mount its sysfs.
    if config["network"]:
        _mount("/sys", f"{root}/sys", None, _MS_BIND | _MS_REC)
        _mount("none", f"{root}/sys", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _QUIET)
    else:
        _mount("sysfs", f"{root}/sys", "sysfs", _MS_RDONLY | _QUIET)
    _mount("run", f"{root}/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755")
    Path(root, "run/lock").mkdir()
    Path(root, "run/lock").chmod(0o1777)
    if config["mirror"]:
        mirror = Path(root, "run/imagebake/mirror")
        mirror.mkdir(parents=True)
        _bind(config["mirror"], str(mirror), writable=False)


def _read_payload(config: Config) -> bytes:
    return Path(config["payload"]).read_bytes() if config["payload"] else b""


def _become(config: Config, root: str, payload: bytes) -> NoReturn:
    """Execute the step's program; never returns."""
    try:
        if config["chroot"]:
            for capability in _DROPPED:
                _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
            os.chroot(root)
        os.chdir(config["directory"] if Path(config["directory"]).is_dir() else "/")
        _drop_to(config["user"])
        os.umask(0o022)
        if config["put"]:
            target = Path(config["put"])
            target.write_bytes(payload)
            target.chmod(int(config["mode"]))
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        if config["argv"]:
            _execute(config["argv"], config["env"])
        os._exit(0)
    except OSError as error:
        os.write(2, f"cannot start: {error.strerror}\n".encode())
        os._exit(127 if error.errno == errno.ENOENT else 126)


def _execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - this is the point
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a first line naming its interpreter is the shell's, as in Packer.
        os.execve("/bin/sh", ["/bin/sh", *argv], environment)  # noqa: S606


def _drop_to(user: str) -> None:
    """Switch to *user*, read from the new root's files: its libraries must not be loaded."""
    if user == "root":
        return
    rows = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    uid, gid = next(((int(row[2]), int(row[3])) for row in rows if row[0] == user), (-1, -1))
    if uid < 0:
        raise OSError(errno.ENOENT, f"the image has no user {user}")
    groups = [line.split(":") for line in Path("/etc/group").read_text().splitlines()]
    os.setgroups([gid, *(int(row[2]) for row in groups if user in row[3].split(","))])
    os.setgid(gid)
    os.setuid(uid)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = fcntl.ioctl(handle, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", request)[1]
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _bind(source: str, target: str, *, writable: bool) -> None:
    _mount(source, target, None, _MS_BIND)
    if not writable:
        flags = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _kept(target)
        _mount("none", target, None, flags)


def _kept(target: str) -> int:
    """Return the mount flags that a user namespace may not clear in a remount."""
    return os.statvfs(target).f_flag & _QUIET


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


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _cannot(config: Config, error: OSError) -> int:
    """Report that the sandbox failed, not the step."""
    os.write(config["status"], f"-{error.strerror or error}".encode())
    return 125


def _ended(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
