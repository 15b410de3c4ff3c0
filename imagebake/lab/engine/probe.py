"""Probe whether this machine can build, and name the command that fixes it if not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.host import namespaces, process
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine.store import LayerStore

_PROGRAMS = {"mmdebstrap": "mmdebstrap", "tar": "tar", "unshare": "util-linux"}
_ROOTLESS = {"newuidmap": "uidmap"}
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


@dataclass(frozen=True, slots=True)
class Problem:
    """An obstacle to building on this machine, and the command that removes it."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class BuildCapability:
    """Whether builds run as `root` or `rootless`; none runs while there are *problems*."""

    mode: str
    problems: tuple[Problem, ...]

    @property
    def can_build(self) -> bool:
        """Whether a build would reach its first step."""
        return not self.problems


def probe(folder: Path) -> BuildCapability:
    """Try the namespaces and mounts of a step in *folder*, the store's directory."""
    rootless = namespaces.rootless()
    programs = _PROGRAMS | (_ROOTLESS if rootless else {})
    problems = [
        Problem(f"{program} is not installed", f"apt-get install {package}")
        for program, package in programs.items()
        if process.find(program) is None
    ]
    if not problems and (refusal := _try_a_step(folder)):
        problems.append(Problem(refusal, namespace_fix(rootless=rootless)))
    return BuildCapability("rootless" if rootless else "root", tuple(problems))


def _try_a_step(folder: Path) -> str:
    """Run a step that does nothing; return the refusal, or ''."""
    store = LayerStore(folder.absolute())
    with store.temporary_tree("probe") as attempt:
        skeleton = attempt / "skeleton"
        for name in ("dev", "proc", "run", "sys", "tmp"):
            (skeleton / name).mkdir(parents=True)
        (attempt / "payload").write_bytes(b"probe\n")
        sandbox = Sandbox(
            lowers=(skeleton,),
            upper=attempt / "root",
            work=attempt / "work",
            at=attempt / "at",
            payload=attempt / "payload",
            put="/tmp/probe",  # noqa: S108
        )
        try:
            code, output = namespaces.call(sandbox)
        except namespaces.SandboxFailed as error:
            return error.message
        return output if code else ""


def namespace_fix(*, rootless: bool) -> str:
    """Return the usual fix where the kernel refuses namespaces."""
    if not rootless:
        return "run the container with --privileged, or build on a machine that is not one"
    if _APPARMOR.is_file() and _APPARMOR.read_text().strip() == "1":
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    return "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"
