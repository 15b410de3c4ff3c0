"""Find out by doing what this machine can build, and what would mend it where it cannot."""

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
    """Something that keeps this machine from building, and the command that mends it."""

    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class BuildCapability:
    """How this machine builds, `root` or `rootless`; it cannot while there are *problems*."""

    mode: str
    problems: tuple[Problem, ...]

    @property
    def can_build(self) -> bool:
        """Whether a build would get as far as its first step."""
        return not self.problems


def probe(folder: Path) -> BuildCapability:
    """Try a step's namespaces and mounts in *folder*, where the store is or will be."""
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
    """What the machine says to a step that does nothing, or ''."""
    store = LayerStore(folder.absolute())
    with store.throw_away("probe") as attempt:
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
            code, said = namespaces.call(sandbox)
        except namespaces.SandboxFailed as error:
            return error.message
        return said if code else ""


def namespace_fix(*, rootless: bool) -> str:
    """What usually helps where namespaces are refused."""
    if not rootless:
        return "run the container with --privileged, or build on a machine that is not one"
    if _APPARMOR.is_file() and _APPARMOR.read_text().strip() == "1":
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    return "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER"
