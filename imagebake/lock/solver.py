"""Apt's solver in a root of its own, independent of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.errors import ArtifactError, LockError
from imagebake.kernel.host import process

_CHOICE = re.compile(r"^Inst (\S+?)(?::\S+)? (?:\[\S+\] )?\((\S+) .*\[(\S+)\]\)", re.MULTILINE)
_REMOVAL = re.compile(r"^Remv (\S+)", re.MULTILINE)
# From 1001 on apt takes the version even where it is a downgrade (apt_preferences(5)).
_PREFERRED = 1001
_NOT_INSTALLED = 127

# Nothing of this machine's configuration is read: `main` is empty, and so is `parts`. apt counts
# itself among the essential packages unless ForceEssential says otherwise.
_CONFIGURATION = """\
Dir "{root}";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
Dir::Etc::parts "{root}/etc/apt.conf.d";
Dir::Etc::main "/dev/null";
Dir::Log "{root}/log";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Immediate-Configure "false";
APT::Get::Show-User-Simulation-Note "false";
Acquire::Languages "none";
pkgCacheGen::ForceEssential ",";
Debug::NoLocking "true";
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """A package that apt would install."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Solver:
    """Computes what an installation adds to the packages installed so far.

    *root* is an empty directory, which the caller removes.
    """

    root: Path
    architecture: str

    def prepare(self, indexes: Sequence[bytes], pins: Mapping[str, str]) -> None:
        """Lay out the root: the indexes to choose from, and preferences for *pins*."""
        lists = self.root / "state" / "lists"
        for folder in (lists / "partial", self.root / "cache" / "archives" / "partial"):
            folder.mkdir(parents=True)
        etc = self.root / "etc"
        for name in ("apt.conf.d", "preferences.d", "sources.list.d"):
            (etc / name).mkdir(parents=True)
        sources = []
        for number, text in enumerate(indexes):
            # apt reads the list file that belongs to the source's name, and never opens the
            # address. The signature has been verified before.
            sources.append(f"deb [trusted=yes] file:/suite/{number} ./\n")
            (lists / f"_suite_{number}_._Packages").write_bytes(text)
        (etc / "sources.list").write_text("".join(sources))
        (etc / "preferences").write_text(
            "".join(
                f"Package: {name}\nPin: version {version}\nPin-Priority: {_PREFERRED}\n\n"
                for name, version in sorted(pins.items())
            )
        )
        (self.root / "status").touch()
        (self.root / "apt.conf").write_text(
            _CONFIGURATION.format(root=self.root, architecture=self.architecture)
        )

    def install(self, requests: Sequence[str]) -> tuple[Choice, ...]:
        """Return the packages that apt would install for *requests*, in apt's order.

        A request is `name` or `name=version`. Raises `LockError` with apt's own words when the
        requests conflict or an installed package would have to be removed.
        """
        outcome = process.run(
            ["apt-get", "--simulate", "--yes", "install", *requests],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                # The output is parsed, so it must not be translated.
                "LC_ALL": "C.UTF-8",
                "APT_CONFIG": str(self.root / "apt.conf"),
            },
            check=False,
        )
        if outcome.code == _NOT_INSTALLED:
            raise ArtifactError("apt-get is not installed", hint="./inv setup installs it")
        if outcome.code:
            raise LockError(_words(outcome))
        if removed := _REMOVAL.findall(outcome.text):
            raise LockError(f"{' '.join(requests)} would remove {', '.join(removed)}")
        return tuple(Choice(name, version) for name, version, _ in _CHOICE.findall(outcome.text))

    def installed(self, stanzas: Sequence[bytes]) -> None:
        """Mark the packages of *stanzas* as installed."""
        with (self.root / "status").open("ab") as file:
            for stanza in stanzas:
                file.write(stanza + b"\nStatus: install ok installed\n\n")


def _words(outcome: process.ProcessResult) -> str:
    """Return the end of apt's output, where it explains itself."""
    _, _, explained = outcome.text.partition("The following packages have unmet dependencies:\n")
    errors = outcome.stderr.decode(errors="replace").strip().splitlines()
    lines = [*explained.rstrip().splitlines(), *errors]
    return "apt cannot install these together\n" + "\n".join(f"  {line.strip()}" for line in lines)
