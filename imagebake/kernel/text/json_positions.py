"""Where each value of a JSON text stands, so that a complaint can point at it."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def places(text: str) -> dict[Path, int]:
    """The offset of every value in *text*, which is known to be JSON, by its path."""
    found: dict[Path, int] = {}
    path: list[str | int] = []
    objects: list[bool] = []
    keyed = False
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece in "}]":
            path.pop()
            objects.pop()
        elif piece == ",":
            if not objects[-1]:
                last = path[-1]
                path[-1] = last + 1 if isinstance(last, int) else last
            keyed = objects[-1]
        elif piece == ":":
            keyed = False
        elif keyed:
            path[-1] = piece[1:-1]
        else:
            found[tuple(path)] = match.start()
            if piece in "{[":
                keyed = piece == "{"
                objects.append(keyed)
                path.append("" if keyed else 0)
    return found


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The line and the column of *offset*, counted from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
