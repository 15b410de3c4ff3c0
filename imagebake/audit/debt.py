"""Read templates of others from the disk, and say what their machines owe."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from imagebake.audit.findings import DebtReport, Gap
from imagebake.audit.library import Library
from imagebake.audit.source import Source
from imagebake.audit.survey import survey
from imagebake.inspection.secrets import find_secrets
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import UsageError
from imagebake.spec.catalogue.replacements import replacement

LARGEST = 16 << 20
"""No template is larger (bytes)."""

_SUFFIXES = (".json", ".bicep", ".tf")
_UNREAD = ".tf.json"
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "venv"})
_TEMPLATE = re.compile(rb"(?i)microsoft\.(?:compute|virtualmachineimages|resources)/")
_VALUES = re.compile(r"terraform\.tfvars|.*\.auto\.tfvars")


class DiskFiles:
    """Files below *roots*, which nothing that is read leads out of."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(root.resolve() for root in roots)
        self.wrong: dict[str, Diagnostic] = {}

    def read(self, path: str) -> Source | None:
        """The text of the file at *path*; what is wrong with the file is noted."""
        content = self.content(path)
        if content is None:
            return None
        try:
            return Source(path, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8", "replace")
            source = Source(path, before)
            self.wrong[path] = source.complaint(
                len(before), "J004", f"the byte 0x{content[error.start]:02x} is not UTF-8"
            )
            return None

    def content(self, path: str) -> bytes | None:
        """The bytes of the file at *path*, if it is one that may be read."""
        place = Path(path)
        try:
            real = place.resolve()
            if not any(real.is_relative_to(root) for root in self.roots) or not real.is_file():
                return None
            if real.stat().st_size > LARGEST:
                self.wrong[path] = Source(path, "").complaint(
                    0, "J004", f"it is larger than {LARGEST >> 20} MiB, and no template is"
                )
                return None
            return real.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or "its path is none"
            self.wrong[path] = Source(path, "").complaint(0, "J004", f"it cannot be read: {why}")
            return None

    def folder(self, path: str) -> tuple[str, ...]:
        """The Terraform files of a folder, and those that set its variables."""
        place = Path(path or ".")
        try:
            if not any(place.resolve().is_relative_to(root) for root in self.roots):
                return ()
            names = sorted(one.name for one in place.iterdir())
        except (OSError, ValueError, RuntimeError):
            return ()
        wanted = [one for one in names if one.endswith(".tf") or _VALUES.fullmatch(one)]
        return tuple(os.path.normpath(place / name) for name in wanted)


def debt(paths: Sequence[str], *, here: Path) -> DebtReport:
    """What the templates at *paths*, files and folders, owe.

    Raises `UsageError` for a path that is not there. Files that others name are read as
    well, if they are below *here* or a folder that was named.
    """
    roots = [here, *(place if place.is_dir() else place.parent for place in map(Path, paths))]
    files = DiskFiles(roots)
    wanted = [found for path in paths for found in _templates(path, files)]
    library = Library(files)
    report = survey([path for path in wanted if not path.endswith(_UNREAD)], library, _advice)
    gaps = (*report.gaps, *(_unread(path) for path in wanted if path.endswith(_UNREAD)))
    malformed = (*report.malformed, *files.wrong.values())
    whole = replace(report, gaps=tuple(sorted(gaps)), malformed=tuple(sorted(malformed)))
    return _without_secrets(whole, files)


def _unread(path: str) -> Gap:
    return Gap(path=path, line=1, column=1, what="Terraform in JSON", why="it is not read")


def _advice(publisher: str, kind: str) -> tuple[str, bool]:
    found = replacement(publisher, kind)
    return str(found), found.identity


def _templates(path: str, files: DiskFiles) -> Iterator[str]:
    """The files that *path* stands for; JSON that is no template is passed over in folders."""
    place = Path(path)
    if place.is_file():
        if not path.endswith(_SUFFIXES):
            raise UsageError(
                f"{path} is no template", hint="they end in .json, .bicep or .tf; or name a folder"
            )
        yield os.path.normpath(path)
        return
    if not place.is_dir():
        raise UsageError(f"there is no {path}", hint="./inv debt PATH: a file or a folder")
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and one not in _PASSED_OVER
        )
        for name in sorted(names):
            found = os.path.normpath(f"{folder}/{name}")
            known = name.endswith(_SUFFIXES) and (
                not name.endswith(".json")
                or name.endswith(_UNREAD)
                or _TEMPLATE.search(files.content(found) or b"")
            )
            if known:
                yield found


def _without_secrets(report: DebtReport, files: DiskFiles) -> DebtReport:
    """*report* without the lines that have a secret in them."""
    paths = {debt.path for debt in report.debts} | {one.path for one in report.malformed}
    secret = {
        (path, leak.line)
        for path in paths
        for leak in find_secrets(path, files.content(path) or b"")
    }
    return replace(
        report,
        debts=tuple(
            replace(one, source="") if (one.path, one.line) in secret else one
            for one in report.debts
        ),
        malformed=tuple(
            replace(one, source="") if (one.path, one.line) in secret else one
            for one in report.malformed
        ),
    )
