"""Git: the current commit, and files below a directory at a revision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import process

_FILES = ("100644", "100755")
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit, seen from the directory *root* anywhere in its repository.

    *name* is the revision as the user gave it. Paths are relative to *root*.
    """

    root: Path
    name: str
    commit: str

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:_SHORT]})"

    def changed(self, folders: Iterable[str]) -> frozenset[str]:
        """Return the files below *folders* that differ from the commit or are untracked."""
        places = [f"./{folder}" for folder in folders]
        tracked = ("diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z")
        unknown = ("ls-files", "--others", "--exclude-standard", "-z")
        found = _names(self.root, *tracked, self.commit, "--", *places)
        return frozenset(found) | frozenset(_names(self.root, *unknown, "--", *places))

    def files(self, folders: Iterable[str]) -> dict[str, str]:
        """Return the regular files below *folders* at the commit, with their object ids."""
        places = [f"./{folder}/" for folder in folders]
        found = {}
        for row in _names(self.root, "ls-tree", "-r", "-z", self.commit, "--", *places):
            about, _, name = row.partition("\t")
            mode, _, identity = about.split()
            if mode in _FILES and ".." not in PurePosixPath(name).parts:
                found[name] = identity
        return found

    def contents(self, identities: Iterable[str]) -> Iterator[bytes]:
        """Return the content of each object, in the given order."""
        wanted = "".join(f"{identity}\n" for identity in identities).encode()
        batch = _git(self.root, "cat-file", "--batch", stdin=wanted)
        at = 0
        while at < len(batch):
            start = batch.index(b"\n", at) + 1
            end = start + int(batch[at:start].split()[2])
            yield batch[start:end]
            at = end + 1


def base_of(root: Path, name: str) -> Revision:
    """Return the merge base of HEAD and the revision *name*.

    Commits that were added to *name* meanwhile are so left out. Where the merge base is
    unknown, as in a shallow clone, it is the revision itself. Raises `UsageError` where there
    is no such revision, or no repository.
    """
    asked = process.run(
        ["git", "-C", root, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"],
        check=False,
    )
    if asked.code:
        raise UsageError(
            f"git knows no revision {name!r} in {root}", hint=_last_words(asked) or "git fetch"
        )
    commit = asked.text.split()[-1]
    common = process.run(["git", "-C", root, "merge-base", commit, "HEAD"], check=False)
    return Revision(root, name, common.text.strip() if not common.code else commit)


def _names(root: Path, *words: str) -> list[str]:
    text = _git(root, *words).decode(errors="surrogateescape")
    return [name for name in text.split("\0") if name]


def _git(root: Path, *words: str, stdin: bytes | None = None) -> bytes:
    return process.run(["git", "-C", root, *words], stdin=stdin).stdout


def _last_words(outcome: process.ProcessResult) -> str:
    lines = outcome.stderr.decode(errors="replace").strip().splitlines()
    # Below a mount point git adds where it stopped to look after what is wrong.
    reasons = [line for line in lines if line.startswith("fatal:")]
    return (reasons or lines or [""])[-1]


def head_commit(root: Path) -> str | None:
    """Return the commit of the repository at *root*; None where it is no repository."""
    outcome = process.run(["git", "-C", root, "rev-parse", "HEAD"], check=False)
    return None if outcome.code else outcome.text.strip()
