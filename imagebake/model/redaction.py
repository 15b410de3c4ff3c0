"""Taking secrets out of what others wrote, before people or files get it."""

from __future__ import annotations

import re

from imagebake.redaction import redact

_WORDS = re.compile(
    r"(?i)\b((?:(?:account|sharedaccess|access)[_-]?key|password|passwd|client[_-]?secret|secret"
    r"|sig)[=:]\s?|bearer )[^\s'\"&;,]{6,}"
)
_SHAPES = re.compile(
    r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{5,}"
    r"|\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{60,255}|npm_[A-Za-z0-9]{36})\b"
    r"|(?<![\w~.-])[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}"
    r"|(?<=://)[^\s/:@'\"<>]{1,64}:[^\s/@'\"<>]{4,128}(?=@)"
)


def redact_output(text: str) -> str:
    """As `redact`, and without what has the shape of a secret: output of other people's steps."""
    return _SHAPES.sub("…", _WORDS.sub(r"\1…", redact(text)))
