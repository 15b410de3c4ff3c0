"""PowerShell for templates: every value is a literal that nothing in it can leave."""

from __future__ import annotations

import re

from imagebake.render.fragment import CONTROL, Fragment

_ASCII_RUN = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")


def powershell_text(value: object) -> str:
    """Write *value* (a text or a number) as one literal of PowerShell, in ASCII alone.

    PowerShell ends a quoted text at five characters, four of which are curly quotes, and
    Windows PowerShell reads a script without a byte order mark in the machine's own code
    page. So no character beyond ASCII is written: it becomes `[char]0x2019`, joined to the
    texts around it. Raises `ValueError` for a control character, and `TypeError` for
    anything that is neither a text nor a number.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a {type(value).__name__} is not a literal of PowerShell")
    text = str(value)
    if found := CONTROL.search(text):
        raise ValueError(f"{text!r} has the control character {found.group()!r}")
    if isinstance(value, int):
        return text if value >= 0 else f"({text})"
    parts = [part for run in _ASCII_RUN.findall(text) for part in _literals(run)]
    if not parts:
        return "''"
    if len(parts) == 1 and parts[0].startswith("'"):
        return parts[0]
    # A sum that begins with a text is a text, whatever is added to it.
    first = [] if parts[0].startswith("'") else ["''"]
    return f"({' + '.join([*first, *parts])})"


def _literals(run: str) -> list[str]:
    """The literals of a run of characters that are all ASCII, or all beyond it."""
    if run.isascii():
        doubled = run.replace("'", "''")
        return [f"'{doubled}'"]
    units = run.encode("utf-16-be")
    return [f"[char]0x{units[at : at + 2].hex()}" for at in range(0, len(units), 2)]


def here_string(text: str) -> Fragment:
    """Write *text* as a here-string that PowerShell leaves alone; its lines stay readable.

    The newline at the end of *text* is not part of it. Raises `ValueError` where a line of
    it would end it early, or where Windows PowerShell might read another character.
    """
    body = text.removesuffix("\n")
    if found := CONTROL.search(body.replace("\n", "")):
        raise ValueError(f"the text has the control character {found.group()!r}")
    for line in body.split("\n"):
        if not line.isascii():
            raise ValueError(f"the line {line!r} is not ASCII, and may be read as another")
        if line.startswith("'@"):
            raise ValueError(f"the line {line!r} ends the here-string")
    return Fragment(f"@'\n{body}\n'@")
