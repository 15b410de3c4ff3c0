"""Template files: read from disk below given roots, and parsed once."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from imagebake.audit.languages.bicep import BicepFile, parse_bicep
from imagebake.audit.languages.evaluate import EvaluationBudget
from imagebake.audit.languages.hcl import HclFile, parse_hcl
from imagebake.audit.languages.nodes import (
    Literal,
    Node,
    ObjectValue,
    ParsedJson,
    UnknownValue,
    read_json,
)
from imagebake.audit.source import SourceText
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.json_reader import Flaw

CALL_DEPTH_MAX = 10
CALLS_MAX = 5_000


class TemplateLibrary:
    """Reads *files* and caches the parsed ones.

    *called_files* are those that another one calls as a module. *flaws* are the syntax errors of
    the files read so far, by path.
    """

    def __init__(self, files: TemplateFiles) -> None:
        self.files = files
        self.called_files: set[str] = set()
        self.flaws: dict[str, tuple[SourceText, tuple[Flaw, ...]]] = {}
        self.call_count = 0
        self.budget = EvaluationBudget()
        self._bicep: dict[str, BicepFile | None] = {}
        self._json: dict[str, tuple[SourceText, ParsedJson] | None] = {}
        self._hcl: dict[str, HclFile | None] = {}

    def bicep(self, path: str) -> BicepFile | None:
        """Return the Bicep file at *path*."""
        if path not in self._bicep:
            source = self.files.read(path)
            file = parse_bicep(source) if source else None
            self._bicep[path] = file
            if file:
                self._note(file.source, file.flaws)
        return self._bicep[path]

    def document(self, path: str) -> tuple[SourceText, ParsedJson] | None:
        """Return the JSON document at *path*."""
        if path not in self._json:
            source = self.files.read(path)
            self._json[path] = (source, read_json(source)) if source else None
            if found := self._json[path]:
                self._note(found[0], found[1].flaws)
        return self._json[path]

    def hcl(self, path: str) -> HclFile | None:
        """Return the Terraform file at *path*."""
        if path not in self._hcl:
            source = self.files.read(path)
            file = parse_hcl(source) if source else None
            self._hcl[path] = file
            if file:
                self._note(file.source, file.flaws)
        return self._hcl[path]

    def folder(self, path: str) -> tuple[HclFile, ...]:
        """Return the Terraform files of a folder."""
        return tuple(file for name in self.files.folder(path) if (file := self.hcl(name)))

    def begin(self) -> None:
        """Reset the limits on calls and evaluation, before a file that no other one calls."""
        self.call_count = 0
        self.budget = EvaluationBudget()

    def refusal(self, path: str, source: SourceText, via: tuple[str, ...]) -> str:
        """Return why the module at *path* is not followed from *source*; empty where it is.

        Without a limit on calls, ten files that call each other ten times would never end.
        """
        callers = {source.path, *(call.rsplit(":", 2)[0] for call in via)}
        if path in callers or path in {posixpath.dirname(caller) or "." for caller in callers}:
            return "modules call one another in a circle"
        # A circle of modules ends above; this bounds call graphs that branch without a circle.
        self.call_count += 1
        if len(via) >= CALL_DEPTH_MAX or self.call_count > CALLS_MAX:
            return "modules call one another too often"
        return ""

    def _note(self, source: SourceText, flaws: tuple[Flaw, ...]) -> None:
        if flaws:
            self.flaws[source.path] = (source, flaws)


def relative_to(source: SourceText, path: str) -> str:
    """Resolve *path* as written in *source*."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source.path), path))


_UNKNOWN_PART = "${…}"


def embedded_document(node: Node | None) -> Node | None:
    """Return *node* if it is an object, or the JSON object that its text holds; else None.

    Unknown parts of the text become null, where that makes it JSON.
    """
    if isinstance(node, ObjectValue):
        return node
    text = node.value if isinstance(node, Literal) else getattr(node, "text", None)
    if not isinstance(node, Literal | UnknownValue) or not isinstance(text, str):
        return None
    if not text.lstrip().startswith("{"):
        return None
    source = SourceText(node.source.path, text, _first_line(node, text))
    reading = read_json(source)
    if reading.flaws and _UNKNOWN_PART in text:
        reading = read_json(
            SourceText(source.path, text.replace(_UNKNOWN_PART, "null"), source.start)
        )
    return reading.root


def _first_line(node: Literal | UnknownValue, text: str) -> int:
    """Return the line of the file that the text begins on.

    A heredoc begins behind its marker, so its first line is searched for.
    """
    line = node.source.position(node.at)[0]
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if not first:
        return line
    found = node.source.text.find(first, node.at)
    if found < 0:
        return line
    blank = next(number for number, line in enumerate(text.splitlines()) if line.strip())
    return node.source.position(found)[0] - blank


FILE_SIZE_MAX = 16 << 20
"""Limit of the size of a template in bytes."""


_VALUES = re.compile(r"terraform\.tfvars|.*\.auto\.tfvars")


class DiskFiles:
    """Files on disk below *roots*; a link or path that leads out of them is not followed.

    *wrong* collects the files that cannot be read, by path.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.roots = tuple(root.resolve() for root in roots)
        self.wrong: dict[str, Diagnostic] = {}

    def read(self, path: str) -> SourceText | None:
        """Return the text of the file at *path*; None where it cannot be read."""
        content = self.content(path)
        if content is None:
            return None
        try:
            return SourceText(path, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            before = content[: error.start].decode("utf-8", "replace")
            source = SourceText(path, before)
            self.wrong[path] = source.diagnostic(
                len(before), "J004", f"the byte 0x{content[error.start]:02x} is not UTF-8"
            )
            return None

    def content(self, path: str) -> bytes | None:
        """Return the bytes of the file at *path*; None where it may not or cannot be read."""
        place = Path(path)
        try:
            real = place.resolve()
            # Templates name files: links and `..` must not lead to the user's other files.
            if not any(real.is_relative_to(root) for root in self.roots) or not real.is_file():
                return None
            if real.stat().st_size > FILE_SIZE_MAX:
                self.wrong[path] = SourceText(path, "").diagnostic(
                    0, "J004", f"it is larger than {FILE_SIZE_MAX >> 20} MiB, and no template is"
                )
                return None
            return real.read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or "its path is none"
            self.wrong[path] = SourceText(path, "").diagnostic(
                0, "J004", f"it cannot be read: {why}"
            )
            return None

    def folder(self, path: str) -> tuple[str, ...]:
        """List the Terraform files of a folder, and the files that set its variables."""
        place = Path(path or ".")
        try:
            if not any(place.resolve().is_relative_to(root) for root in self.roots):
                return ()
            names = sorted(child.name for child in place.iterdir())
        except (OSError, ValueError, RuntimeError):
            return ()
        wanted = [name for name in names if name.endswith(".tf") or _VALUES.fullmatch(name)]
        return tuple(os.path.normpath(place / name) for name in wanted)


class TemplateFiles(Protocol):
    """Access to the files that other files name."""

    def read(self, path: str) -> SourceText | None:
        """Return the text of the file at *path*; None where there is none that may be read."""

    def folder(self, path: str) -> tuple[str, ...]:
        """List the Terraform files of a folder; none where there is no such folder."""
