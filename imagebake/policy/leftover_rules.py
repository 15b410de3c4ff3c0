"""Rules about leftovers of a build in an image: P330 to P349."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.inspection.contents import FileKind
from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import ImageFacts
from imagebake.policy.paths import absent, empty
from imagebake.policy.rule import Breach, rule

_AGENT_STATE = "/var/lib/waagent"
_RESTAGED = re.compile(r"WALinuxAgent-\d[\d.]*(/.*)?|[A-Za-z0-9.]+__\d[\d.]*\.zip")
_GRANT = re.compile(r"^\s*(?P<who>[^\s#%+@][^\s]*)\s+\S+\s*=.*\bNOPASSWD\b", re.MULTILINE)
_LOCAL = re.compile(r"\b(?:file|copy|cdrom):", re.IGNORECASE)
_TRUSTED = re.compile(r"\btrusted\s*[=:]\s*yes\b|\ballow-insecure\s*[=:]\s*yes\b", re.IGNORECASE)
_PRIVATE = re.compile(
    r"https?://(?:[^\s/@]*@)?(?P<host>localhost|127\.[\d.]+|10\.[\d.]+|192\.168\.[\d.]+"
    r"|172\.(?:1[6-9]|2\d|3[01])\.[\d.]+|169\.254\.[\d.]+|\[::1\])(?=[:/\s]|$)"
)
_SET_ID, _WORLD_WRITABLE, _STICKY = 0o6000, 0o002, 0o1000
_GENERALISE = "Azure: generalise a VM before creating an image"


@rule(
    "P330",
    "The guest agent's directory is empty, but for what was restaged",
    why="it holds certificates and settings of the build machine, and the agent would trust them",
    source="WALinuxAgent DeprovisionHandler.del_dirs",
    fix="generalise: sudo waagent -force -deprovision+user, then restage the pinned agent",
)
def agent_directory_is_clean(facts: ImageFacts) -> Iterator[Breach]:
    """The directory and the official zips of a pinned agent are allowed."""
    for entry in facts.contents.below(_AGENT_STATE):
        name = entry.path[len(_AGENT_STATE) + 1 :]
        if entry.kind is not FileKind.DIRECTORY and not _RESTAGED.fullmatch(name):
            yield Breach(entry.path, "it is in the image")


no_extension_logs = absent(
    "P331",
    "The guest agent has not logged anything",
    "/var/log/azure/*",
    "/var/log/waagent*",
    why="it tells of the build machine; support would read another machine's story",
    source="WALinuxAgent DeprovisionHandler",
    fix="generalise: sudo waagent -force -deprovision+user",
)


@rule(
    "P332",
    "Nothing temporary is left",
    why="it takes room on every machine, and has no use there",
    source=_GENERALISE,
    fix="remove it at the end of the customizer that made it",
    severity=Severity.WARNING,
)
def nothing_temporary_is_left(facts: ImageFacts) -> Iterator[Breach]:
    """Empty directories are harmless."""
    for folder in ("/tmp", "/var/tmp"):  # noqa: S108 - paths of the image, not of this machine
        for entry in facts.contents.below(folder):
            if entry.kind is not FileKind.DIRECTORY:
                yield Breach(entry.path, "it is in the image")


@rule(
    "P333",
    "No account becomes root without a password",
    why="an account that the builder had, or that is made later under its name, gets it",
    source="sudoers(5)",
    fix="remove the file from /etc/sudoers.d; the platform grants its own account",
)
def no_account_becomes_root(facts: ImageFacts) -> Iterator[Breach]:
    """Groups are allowed: the machine decides on their members."""
    for path, text in facts.contents.texts.items():
        if path.startswith("/etc/sudoers.d/"):
            for match in _GRANT.finditer(text):
                yield Breach(path, f"{match['who']} becomes root without a password")


@rule(
    "P334",
    "apt's sources work on a machine, and are verified",
    why="a source of the build network fails there, and an unverified one takes anything",
    source="sources.list(5)",
    fix="remove the source at the end of the customizer that wrote it",
)
def apt_sources_are_sound(facts: ImageFacts) -> Iterator[Breach]:
    """Local paths, private addresses, and trust without a signature are breaches."""
    for path, text in facts.contents.texts.items():
        if not path.startswith("/etc/apt/sources.list"):
            continue
        for line in (line for line in text.splitlines() if not line.lstrip().startswith("#")):
            if _LOCAL.search(line):
                yield Breach(path, "it names a path of the build machine")
            if _TRUSTED.search(line):
                yield Breach(path, "it trusts a source without a signature")
            if match := _PRIVATE.search(line):
                yield Breach(path, f"it names {match['host']}")


@rule(
    "P335",
    "Only packages bring programs that run as another account",
    why="every account that runs it has that account's rights, and no update will ever fix it",
    source="CIS benchmarks, audit of SUID and SGID executables",
    fix="take the bit away: sudo chmod u-s,g-s FILE",
)
def set_id_programs_are_owned(facts: ImageFacts) -> Iterator[Breach]:
    """Files that belong to no package are checked."""
    for path, entry in facts.contents.files.items():
        if entry.kind is FileKind.FILE and entry.mode & _SET_ID and path not in _owned(facts):
            yield Breach(path, f"its mode is {entry.mode:04o}, and no package owns it")


@rule(
    "P336",
    "Nothing is world-writable",
    why="any account could change what another one runs or reads",
    source="CIS benchmarks, world writable files",
    fix="take the bit away: sudo chmod o-w FILE; a directory also does with chmod +t",
)
def nothing_is_world_writable(facts: ImageFacts) -> Iterator[Breach]:
    """A directory may be, with the sticky bit: then accounts cannot remove others' files."""
    for path, entry in facts.contents.files.items():
        if not entry.mode & _WORLD_WRITABLE or path.startswith(("/dev/", "/proc/", "/sys/")):
            continue
        open_folder = entry.kind is FileKind.DIRECTORY and not entry.mode & _STICKY
        if entry.kind is FileKind.FILE or open_folder:
            yield Breach(path, f"its mode is {entry.mode:04o}")


no_clock_drift = absent(
    "P337",
    "The image remembers no clock's drift",
    "/var/lib/chrony/*",
    "/var/lib/ntp/ntp.drift",
    "/var/lib/ntpsec/ntp.drift",
    "/etc/adjtime",
    why="it is the drift of the build machine's clock",
    source=_GENERALISE,
    fix="remove the file",
)

no_installation_ids = empty(
    "P338",
    "No program in the image has made itself an identity",
    "/etc/docker/key.json",
    "/var/lib/docker/engine-id",
    "/etc/nvme/host*id",
    "/etc/nvme/hostnqn",
    "/var/lib/systemd/credential.secret",
    "/etc/opt/microsoft/azuremonitoragent/config-cache/*",
    "/var/opt/microsoft/azuremonitoragent/*",
    "/etc/opt/microsoft/mdatp/mdatp_onboard.json",
    "/var/opt/microsoft/mdatp/wdavstate",
    why="every machine would be the same one to the service behind the program",
    source="AgentBaker's image tests; the programs' documentation on images",
    fix="remove the file; the program makes another at its first start",
)


def _owned(facts: ImageFacts) -> frozenset[str]:
    return facts.contents.owned
