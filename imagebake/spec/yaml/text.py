"""Decoding of spec files: UTF-8 without invisible characters, at most 1 MiB."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.constrained import redacted
from imagebake.spec import codes
from imagebake.spec.yaml.nodes import Position, YamlSource

MAX_BYTES = 1 << 20
_BOM = "\ufeff"
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# Everything but visible text: with bidirectional controls and zero-width characters a reviewer
# could be shown another spec than the parser reads (CVE-2021-42574).
_INVISIBLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\u200a\u2010-\u2029\u202f-\u2065\u2070-\ud7ff\ue000-\ufefe"
    "\uff00-\ufffd\U00010000-\U000dffff\U000e0100-\U0010ffff]"
)
_TAB = re.compile(r"^[ ]*(\t[ \t]*)")


def read_bytes(path: Path, source: YamlSource) -> bytes | Diagnostic:
    """Return the content of *path*, or why it cannot be read; devices and pipes are not opened."""
    start = Position(source, 1, 1)
    try:
        if not path.is_file():
            what = "is not a regular file" if path.exists() else "does not exist"
            return start.complaint(codes.UNREADABLE, f"{source.path} {what}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not one"
        return start.complaint(codes.UNREADABLE, f"{source.path} cannot be read: {why}")
    if len(content) > MAX_BYTES:
        return start.complaint(
            codes.UNREADABLE, f"{source.path} is larger than 1 MiB, and no spec needs that"
        )
    return content


def decode(content: bytes, path: str) -> tuple[str, YamlSource, list[Diagnostic]]:
    """Return the text of *content*, its source for diagnostics, and the mistakes in it.

    The text is empty where it cannot be decoded. A byte order mark is reported and skipped.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _undecodable(content, error.start, path)
    marked = text.startswith(_BOM)
    text = text.removeprefix(_BOM)
    source = _source(text, path)
    wrong = list(_complaints(text, source))
    hopeless = bool(wrong)
    if marked:
        wrong.append(
            Position(source, 1, 1).complaint(
                codes.NOT_TEXT,
                "the file begins with a byte order mark",
                "save it as UTF-8 without one",
            )
        )
    return ("" if hopeless else text), source, wrong


def _source(text: str, path: str) -> YamlSource:
    """Return the lines of *text* with characters replaced that must not reach a terminal."""
    shown = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return YamlSource(path, tuple(_LINE_BREAK.split(redacted(shown) if "?" in shown else shown)))


def _undecodable(content: bytes, start: int, path: str) -> tuple[str, YamlSource, list[Diagnostic]]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        source = YamlSource(path, ())
        message = "the file is UTF-16, and a spec is UTF-8"
        return "", source, [Position(source, 1, 1).complaint(codes.NOT_TEXT, message, "convert it")]
    before = content[:start].decode("utf-8")
    source = _source(content.decode("utf-8", errors="replace"), path)
    lines = _LINE_BREAK.split(before)
    complaint = Position(source, len(lines), len(lines[-1]) + 1).complaint(
        codes.NOT_TEXT, f"the byte 0x{content[start]:02x} is not UTF-8", "save the file as UTF-8"
    )
    return "", source, [complaint]


def _complaints(text: str, source: YamlSource) -> Iterator[Diagnostic]:
    if _INVISIBLE.search(text):
        yield from _invisible(text, source)
    if "\t" in text:
        for number, line in enumerate(source.lines, 1):
            if match := _TAB.match(line):
                column, width = match.start(1) + 1, len(match[1])
                yield Position(source, number, column, width).complaint(
                    codes.TAB, "a tab indents this line", "indent with spaces"
                )


def _invisible(text: str, source: YamlSource) -> Iterator[Diagnostic]:
    for number, line in enumerate(_LINE_BREAK.split(text), 1):
        for match in _INVISIBLE.finditer(line):
            name = unicodedata.name(match[0], "a control character").lower()
            yield Position(source, number, match.start() + 1).complaint(
                codes.NOT_TEXT,
                f"U+{ord(match[0]):04X} ({name}) does not belong in a spec",
                "remove it; a reviewer cannot see it",
            )
