"""HTML that cannot be broken by what it is made of: text is escaped unless it is markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

VOID = ("meta", "wbr")
"""Elements that have no end."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a page of ours may do: look as it says itself, and nothing else."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Markup:
    """The element *name*; `class_` is spelled `class`, and `data_x` is `data-x`."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    if name in VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{markup(children)}</{name}>")


def markup(parts: Iterable[str]) -> Markup:
    """*parts* one after the other, escaped where they are text."""
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in parts))


def document(title: str, body: Iterable[str], style: str) -> str:
    """A whole page that needs nothing else; *style* is ours, and written as it is."""
    head = markup(
        (
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", title),
            element("style", Markup(style)),
        )
    )
    page = element("html", element("head", head), "\n", element("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n"
