"""How a text is written into YAML, in the style of what stands around it."""

from __future__ import annotations

import json
import re

from imagebake.spec.yaml.scalars import resolve

_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9._~/+@%=-]|:(?=[A-Za-z0-9/._~+-]))*")
_NUMBER = re.compile(
    r"[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9_]+(?::[0-9_]+)+(?:\.[0-9_]*)?|0[xob][0-9a-fA-F_]+"
)
_WORD = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|none")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def written(text: str, style: str | None = None) -> str:
    """*text* in the quotes *style*, or without where every reader of YAML takes it for a text."""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style == '"' or not is_plain(text):
        return json.dumps(text, ensure_ascii=False)
    return text


def is_plain(text: str) -> bool:
    """Whether *text* needs no quotes, wherever it stands."""
    if not _PLAIN.fullmatch(text) or _NUMBER.fullmatch(text) or _WORD.fullmatch(text):
        return bool(_DAY.fullmatch(text))
    return isinstance(resolve(text), str)


def written_words(text: str) -> str:
    """A sentence, without quotes where it can stand for itself at the end of a line."""
    words = text.split(" ")
    if all(words) and all(map(_is_word, words)) and is_plain(words[0].rstrip(",")):
        return text
    return written(text)


def _is_word(word: str) -> bool:
    return (
        bool(re.fullmatch(r"[A-Za-z0-9][^\s:#'\"\[\]{}&*!|>%@`\\]*", word)) and word.isprintable()
    )
