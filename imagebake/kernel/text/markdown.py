"""Markdown from texts that anybody may have written: nothing in them is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_MENTION = re.compile(r"(?<!\w)@(?=\w)|#(?=\w)")


def plain(text: str) -> str:
    """*text* as it stands, in one line; it links nothing and mentions nobody."""
    line = " ".join(text.split())
    quoted = re.sub(r"([\\`*_\[\]|~])", r"\\\1", escape(line, quote=False))
    return _MENTION.sub(lambda found: f"&#{ord(found[0])};", quoted)


def code(text: str) -> str:
    """*text* as code, in one line, even where it has backticks."""
    line = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    room = " " if "`" in line else ""
    return f"{fence}{room}{line}{room}{fence}" if line else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def folded(summary: str, body: str) -> str:
    """*body* behind one line that opens it."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def fenced(text: str, language: str = "") -> str:
    """*text* as a block of code that nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
