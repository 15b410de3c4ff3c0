"""Markdown from untrusted texts: none of their characters is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_MENTION = re.compile(r"(?<!\w)@(?=\w)|#(?=\w)")


def plain(text: str) -> str:
    """Return *text* literally on one line, without links and mentions."""
    line = " ".join(text.split())
    quoted = re.sub(r"([\\`*_\[\]|~])", r"\\\1", escape(line, quote=False))
    return _MENTION.sub(lambda found: f"&#{ord(found[0])};", quoted)


def code(text: str) -> str:
    """Return *text* as inline code, even if it contains backticks."""
    line = " ".join(text.split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    room = " " if "`" in line else ""
    return f"{fence}{room}{line}{room}{fence}" if line else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def folded(summary: str, body: str) -> str:
    """Return *body* folded behind a summary line."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def fenced(text: str, language: str = "") -> str:
    """Return *text* as a code block whose fence cannot occur in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
