"""Pages that can be followed: their commands, what these print, and what happens meanwhile.

A block of `sh` is commands. A block without a language below it is what they print: each of
its lines must be among theirs, `…` stands for what the page leaves out. What a reader
does not see is said in comments:

    <!-- meanwhile: NAME -->     the test does NAME, which the text tells of
    <!-- file: PATH -->          the next block is the whole of PATH; `append` adds to its end
    <!-- elsewhere: WHY -->      the next block is not for here
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_PIECE = re.compile(
    r"^<!-- (?P<what>meanwhile|file|append|elsewhere): (?P<name>.+?) -->$"
    r"|^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ENDS = re.compile(r"# ends with (\d+)")
_VERSION = re.compile(r"\b20\d\d\.\d{3,4}\.\d+\b")
_MOVING: Mapping[str, re.Pattern[str]] = {
    "DIGEST": re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b"),
    "SECONDS": re.compile(r"\b\d+\.\d+ s\b"),
    "BYTES": re.compile(r"\b\d+(\.\d+)? ([KMG]iB|B)(?!\w)"),
    "AGE": re.compile(r"\b\d+ (s|min|h|d)\b"),
    "DATE": re.compile(r"\b20\d\d-\d\d-\d\d(T\S+\+00:00)?"),
    "COUNT": re.compile(r"\b\d{3,}\b(?!\.)"),
}
"""What differs from one day or machine to the next."""


class Kind(StrEnum):
    """What a piece of a page asks for."""

    COMMANDS = "commands"
    OUTPUT = "output"
    MEANWHILE = "meanwhile"
    FILE = "file"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page that something is done for; *name* is a path or an event."""

    kind: Kind
    text: str = ""
    name: str = ""
    line: int = 0


def pieces(text: str) -> Iterator[Piece]:
    """What a reader of the page *text* does, in order."""
    waiting: tuple[str, str] | None = None
    follows = False
    for match in _PIECE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        what, language, body = match["what"], match["language"], match["body"]
        if what == Kind.MEANWHILE:
            yield Piece(Kind.MEANWHILE, name=match["name"], line=line)
        elif what:
            waiting = (what, match["name"])
        elif waiting:
            if waiting[0] != "elsewhere":
                yield Piece(Kind(waiting[0]), body, waiting[1], line)
            waiting, follows = None, False
        elif language == "sh":
            yield Piece(Kind.COMMANDS, body, line=line)
            follows = True
        elif not language and follows:
            yield Piece(Kind.OUTPUT, body, line=line)
            follows = False


@dataclass(slots=True)
class Reader:
    """Does what a page says in *root*; *meanwhile* is what may happen in the text.

    Image versions of the page stand for those that *versions* gives, oldest first: the first
    one that the page names is the oldest.
    """

    root: Path
    environment: Mapping[str, str]
    versions: Callable[[], list[str]]
    meanwhile: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    printed: str = ""

    def follow(self, page: Path) -> None:
        """Do everything that *page* says, and hold what is printed against what it shows."""
        text = page.read_text(encoding="utf-8")
        named = sorted(set(_VERSION.findall(text)), key=_numbers)
        for piece in pieces(text):
            self._do(piece, f"{page.name}:{piece.line}", named)

    def _do(self, piece: Piece, where: str, named: list[str]) -> None:
        if piece.kind is Kind.MEANWHILE:
            self.meanwhile[piece.name]()
        elif piece.kind in (Kind.FILE, Kind.APPEND):
            with (self.root / piece.name).open("a" if piece.kind is Kind.APPEND else "w") as file:
                file.write(piece.text)
        elif piece.kind is Kind.COMMANDS:
            known = dict(zip(named, self.versions(), strict=False))
            self.printed = "".join(
                self._run(_VERSION.sub(lambda match: known.get(match[0], match[0]), line), where)
                for line in piece.text.replace("\\\n", "").splitlines()
                if line and not line.startswith("#")
            )
        else:
            known = dict(zip(self.versions(), named, strict=False))
            told = _VERSION.sub(lambda match: known.get(match[0], match[0]), self.printed)
            there = [_still(line) for line in told.splitlines()]
            shown = [line for line in piece.text.splitlines() if line.strip() not in ("", "…")]
            missing = [line for line in shown if not any(map(_pattern(line).fullmatch, there))]
            assert not missing, f"{where}: nothing printed {missing}\n{self.printed}"

    def _run(self, line: str, where: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.root,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        wanted = int(match[1]) if (match := _ENDS.search(line)) else 0
        assert done.returncode == wanted, f"{where}: {line}: {done.returncode}\n{done.stdout}"
        return done.stdout


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(re.escape(_still(line)).replace("…", ".*"))


def _still(line: str) -> str:
    """*line* without what moves, and with as few spaces as can be."""
    for name, pattern in _MOVING.items():
        line = pattern.sub(name, line)
    return " ".join(line.split())
