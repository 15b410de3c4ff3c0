"""Scalars of YAML: the value of an unquoted text, and texts in their quotes."""

from __future__ import annotations

import json
import re

_WORDS: dict[str, str | int | float | None] = {"": None, "null": None, "true": True, "false": False}
# Up to 18 digits, so that every integer fits into 64 bits.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,30})\.[0-9]{1,30}")


def resolve(text: str) -> str | int | float | None:
    """Return the value of the unquoted *text*: JSON's words and numbers, else text.

    YAML 1.1 has more: `on`, `0123`, `1_000`, `1:30`, dates. Here they stay texts.
    """
    if text[:1] in "-0123456789" and text:
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _DECIMAL.fullmatch(text) else text
    return _WORDS.get(text, text)


_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9._~/+@%=-]|:(?=[A-Za-z0-9/._~+-]))*")
_NUMBER = re.compile(
    r"[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9_]+(?::[0-9_]+)+(?:\.[0-9_]*)?|0[xob][0-9a-fA-F_]+"
)
_WORD = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|none")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def quote_scalar(text: str, style: str | None = None) -> str:
    """Return *text* in quotes of *style*, or unquoted where every YAML reader takes it for text."""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style == '"' or not is_plain(text):
        return json.dumps(text, ensure_ascii=False)
    return text


def is_plain(text: str) -> bool:
    """Return whether *text* needs no quotes in any position."""
    if not _PLAIN.fullmatch(text) or _NUMBER.fullmatch(text) or _WORD.fullmatch(text):
        return bool(_DAY.fullmatch(text))
    return isinstance(resolve(text), str)


def quote_sentence(text: str) -> str:
    """Return a sentence unquoted where it can end a line so, else quoted."""
    words = text.split(" ")
    if all(words) and all(map(_is_word, words)) and is_plain(words[0].rstrip(",")):
        return text
    return quote_scalar(text)


def _is_word(word: str) -> bool:
    return (
        bool(re.fullmatch(r"[A-Za-z0-9][^\s:#'\"\[\]{}&*!|>%@`\\]*", word)) and word.isprintable()
    )
