"""What PowerShell makes of a text: the part of its tokenizer that our literals need."""

from __future__ import annotations

import re

import tree_sitter
import tree_sitter_powershell

QUOTES = "'\u2018\u2019\u201a\u201b"
"""Each of them begins and ends a text, and two of them are one inside it."""

_CHARACTER = re.compile(r"\[char\]0x([0-9a-f]{4})")
_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def literal_value(literal: str) -> str:
    """The text that *literal* is to PowerShell; raises `ValueError` if it is more than that."""
    inner = literal
    if literal.startswith("(") and literal.endswith(")"):
        inner = literal[1:-1]
    units, at = bytearray(), 0
    while True:
        part, at = _operand(inner, at)
        units += part
        if at == len(inner):
            break
        if not inner.startswith(" + ", at):
            raise ValueError(f"{inner[at:]!r} is outside of every text")
        if inner is literal:
            raise ValueError(f"{literal!r} is a sum without brackets")
        at += 3
    return units.decode("utf-16-be")


def _operand(text: str, at: int) -> tuple[bytes, int]:
    """The UTF-16 of the text or character that begins at *at*, and where it ends."""
    if found := _CHARACTER.match(text, at):
        if not at:
            raise ValueError("a sum that begins with a character is a number")
        return bytes.fromhex(found[1]), found.end()
    if text[at : at + 1] not in tuple(QUOTES):
        raise ValueError(f"{text[at:]!r} begins no text")
    value, at = "", at + 1
    while at < len(text):
        if text[at] not in QUOTES:
            value, at = value + text[at], at + 1
        elif text[at + 1 : at + 2] in tuple(QUOTES):
            value, at = value + text[at], at + 2
        else:
            return value.encode("utf-16-be"), at + 1
    raise ValueError(f"{text!r} never ends")


def complaints(script: str) -> list[str]:
    """Where *script* is no PowerShell, by line; nothing where it is."""
    found: list[str] = []
    waiting = [_PARSER.parse(script.encode()).root_node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            text = (node.text or b"").decode(errors="replace").partition("\n")[0]
            found.append(f"line {node.start_point.row + 1}: {text!r}")
        elif node.has_error:
            waiting += node.children
    return sorted(found)
