"""The files of others, each read once, and what is wrong with them."""

from __future__ import annotations

import posixpath

from imagebake.audit.languages.bicep import BicepFile, parse_bicep
from imagebake.audit.languages.evaluate import EvaluationBudget
from imagebake.audit.languages.hcl import HclFile, parse_hcl
from imagebake.audit.languages.json_reader import Flaw, Reading, read_json
from imagebake.audit.languages.nodes import Literal, Node, ObjectValue, UnknownValue
from imagebake.audit.model import TemplateFiles
from imagebake.audit.source import SourceText

CALL_DEPTH_MAX = 10
CALLS_MAX = 5_000


class TemplateLibrary:
    """Reads through *files*, and remembers.

    *called* are the files that another one calls; *flaws* is what cannot be understood.
    """

    def __init__(self, files: TemplateFiles) -> None:
        self.files = files
        self.called: set[str] = set()
        self.flaws: dict[str, tuple[SourceText, tuple[Flaw, ...]]] = {}
        self.calls = 0
        self.budget = EvaluationBudget()
        self._bicep: dict[str, BicepFile | None] = {}
        self._json: dict[str, tuple[SourceText, Reading] | None] = {}
        self._hcl: dict[str, HclFile | None] = {}

    def bicep(self, path: str) -> BicepFile | None:
        """The Bicep file at *path*."""
        if path not in self._bicep:
            source = self.files.read(path)
            file = parse_bicep(source) if source else None
            self._bicep[path] = file
            if file:
                self._note(file.source, file.flaws)
        return self._bicep[path]

    def document(self, path: str) -> tuple[SourceText, Reading] | None:
        """The JSON document at *path*."""
        if path not in self._json:
            source = self.files.read(path)
            self._json[path] = (source, read_json(source)) if source else None
            if found := self._json[path]:
                self._note(found[0], found[1].flaws)
        return self._json[path]

    def hcl(self, path: str) -> HclFile | None:
        """The Terraform file at *path*."""
        if path not in self._hcl:
            source = self.files.read(path)
            file = parse_hcl(source) if source else None
            self._hcl[path] = file
            if file:
                self._note(file.source, file.flaws)
        return self._hcl[path]

    def folder(self, path: str) -> tuple[HclFile, ...]:
        """The Terraform files of a folder."""
        return tuple(file for one in self.files.folder(path) if (file := self.hcl(one)))

    def begin(self) -> None:
        """Begin with a file that nobody calls: what it may call and cost starts anew."""
        self.calls = 0
        self.budget = EvaluationBudget()

    def refusal(self, path: str, source: SourceText, via: tuple[str, ...]) -> str:
        """Why the module at *path* is not followed from *source*; empty where it is.

        Without a bound on calls, ten files that call each other ten times would never end.
        """
        callers = {source.path, *(one.rsplit(":", 2)[0] for one in via)}
        if path in callers or path in {posixpath.dirname(one) or "." for one in callers}:
            return "modules call one another in a circle"
        self.calls += 1
        if len(via) >= CALL_DEPTH_MAX or self.calls > CALLS_MAX:
            return "modules call one another too often"
        return ""

    def _note(self, source: SourceText, flaws: tuple[Flaw, ...]) -> None:
        if flaws:
            self.flaws[source.path] = (source, flaws)


def relative_to(source: SourceText, path: str) -> str:
    """The path that a file names, seen from where that file is."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source.path), path))


_HOLE = "${…}"


def embedded_document(node: Node | None) -> Node | None:
    """The value that *node* is, or the JSON that it is the text of; None where it is neither.

    What nobody knows in the text is null, where it stands for more than a part of a text.
    """
    if isinstance(node, ObjectValue):
        return node
    text = node.value if isinstance(node, Literal) else getattr(node, "text", None)
    if not isinstance(node, Literal | UnknownValue) or not isinstance(text, str):
        return None
    if not text.lstrip().startswith("{"):
        return None
    source = SourceText(node.source.path, text, _start(node, text))
    reading = read_json(source)
    if reading.flaws and _HOLE in text:
        reading = read_json(SourceText(source.path, text.replace(_HOLE, "null"), source.start))
    return reading.root


def _start(node: Literal | UnknownValue, text: str) -> int:
    """The line of the file that the text begins on.

    Of a text over several lines, its first line is looked for where the text is.
    """
    line = node.source.place(node.at)[0]
    first = next((one.strip() for one in text.splitlines() if one.strip()), "")
    if not first:
        return line
    found = node.source.text.find(first, node.at)
    if found < 0:
        return line
    blank = next(number for number, one in enumerate(text.splitlines()) if one.strip())
    return node.source.place(found)[0] - blank
