"""What the sections of the dashboard are made of: signs, tables that become cards, empty ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from imagebake.kernel.pages.html import Markup, element, markup

FEW = 3
"""So many images, at most, have everything in sight; more are folded where all is well."""
DASH = "\N{EN DASH}"
"""What stands where there is nothing to tell."""
WELL, LOOK, BAD, NONE = "well", "look", "bad", "none"
SIGNS = {WELL: "✓", LOOK: "!", BAD: "✗", NONE: DASH}
"""What stands before a word, so that its colour tells nothing alone."""
_JOINTS = re.compile(r"(?<=[./:_-])(?=[A-Za-z])|(?<=@)(?=\w)")
_WORDS = ("What failed", "Last failure", "Next", "Result", "Stopped", "What")
"""Columns with text that may be broken anywhere, because it can be long."""


def sign(state: str, text: str) -> Markup:
    """*text* with the sign of *state* before it."""
    mark = element("span", SIGNS[state], class_="mark", aria_hidden="true")
    return element("span", mark, " ", element("span", text), class_=f"sign {state}")


def section(name: str, title: str, *parts: str) -> Markup:
    """A section with its heading, to which the navigation leads."""
    head = element("h2", title, id=f"{name}-title")
    return element("section", head, *parts, id=name, aria_labelledby=f"{name}-title")


def stacked(*lines: str) -> Markup:
    """Lines of one cell, the first in full and the others soft."""
    first, *others = lines
    soft = (element("span", one, class_="soft line") for one in others if one)
    return markup((element("span", first, class_="line"), *soft))


def table(caption: str, header: Sequence[str], *groups: Iterable[Sequence[str]]) -> Markup:
    """A table, whose rows become cards where the screen is narrow.

    The first cell of a row is its heading. Each of *groups* is a body of its own; a row of
    one cell is the heading of its group.
    """
    head = element("tr", *(element("th", name, scope="col") for name in header))
    bodies = (element("tbody", *(_row(header, row) for row in rows)) for rows in groups)
    return element(
        "table", element("caption", caption), element("thead", head), *bodies, class_="cards"
    )


def breakable(text: str) -> Markup:
    """*text*, which may be broken behind its dots and the like; copied, it is as it was."""
    parts = (part for part in _JOINTS.split(text) if part)
    return Markup(str(element("wbr")).join(markup((part,)) for part in parts))


def folded(name: str, state: str, said: str, more: str, body: Markup, *, opened: bool) -> Markup:
    """One of many: its name and state in one line, with *body* below when it is *opened*."""
    told = element("span", more, class_="soft")
    summary = element("summary", element("h3", name), " ", sign(state, said), " ", told)
    attributes = {"open": ""} if opened else {}
    return element("details", summary, body, class_="image", **attributes)


def empty(text: str) -> Markup:
    """What stands where there is nothing yet."""
    return element("p", text, class_="empty")


def _row(header: Sequence[str], row: Sequence[str]) -> Markup:
    first, *others = row
    if not others:
        head = element("th", first, scope="rowgroup", colspan=str(len(header)))
        return element("tr", head, class_="group")
    cells = (
        element("td", element("div", cell, class_=_kind(name)), data_label=name)
        for name, cell in zip(header[1:], others, strict=True)
    )
    head = element("th", element("div", first, class_="cell"), scope="row")
    return element("tr", head, *cells)


def _kind(name: str) -> str:
    return "cell words" if name in _WORDS else "cell"
