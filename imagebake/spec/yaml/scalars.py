"""What an unquoted word means: JSON's words and numbers, and text for everything else."""

from __future__ import annotations

import re

_WORDS: dict[str, str | int | float | None] = {"": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,30})\.[0-9]{1,30}")


def resolve(text: str) -> str | int | float | None:
    """The value of the unquoted *text*.

    YAML 1.1 has more: `on`, `0123`, `1_000`, `1:30`, dates. Here they are the text that
    they look like.
    """
    if text[:1] in "-0123456789" and text:
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _DECIMAL.fullmatch(text) else text
    return _WORDS.get(text, text)
