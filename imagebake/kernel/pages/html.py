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


_LIGHT = """\
--ink: #1c2024; --soft: #565c63; --paper: #fff; --line: #d5d9de; --good: #177245; --bad: #b3261e;
  --store: #fdebc4; --identity: #dde5fb; --both: #f3d3dd; --card: #f5f7f9;"""
_DARK = """\
--ink: #e6e8ea; --soft: #a9b0b7; --paper: #14171a; --line: #3a4046; --good: #5fca92; --bad: #ff8a80;
  --store: #43350f; --identity: #1f2c55; --both: #4d2133; --card: #1d2126;"""

STYLE = f"""\
:root {{ color-scheme: light dark; {_LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 56rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.6rem; line-height: 1.3; margin: 0 0 .5rem; }}
h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; break-after: avoid; }}
.lead {{ font-size: 1.15rem; margin: 0 0 1rem; }}
.soft, figcaption {{ color: var(--soft); font-size: .9rem; }}
.verdict {{ display: inline-block; padding: .1rem .7rem; border-radius: 1rem; color:
  var(--paper); font-weight: 600; }}
.passed {{ background: var(--good); }}
.failed {{ background: var(--bad); }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }}
.tile {{ background: var(--card); padding: .75rem 1rem; border-top: .3rem solid; }}
.tile.good {{ border-color: var(--good); }}
.tile.bad {{ border-color: var(--bad); }}
.tile h2, .tile p {{ margin: 0; }}
.tile .big {{ font-size: 2.2rem; font-weight: 700; line-height: 1.2; }}
.tile.good .big {{ color: var(--good); }}
.tile.bad .big {{ color: var(--bad); }}
dl {{ display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: .5rem 0 0;
  font-size: .9rem; }}
dt {{ color: var(--soft); }}
dd {{ margin: 0; text-align: right; font-variant-numeric: tabular-nums; }}
.scroll {{ overflow-x: auto; }}
figure {{ margin: .5rem 0 1rem; }}
svg {{ width: 100%; display: block; }}
.narrow {{ display: none; }}
@media (max-width: 36rem) {{ .wide {{ display: none; }} .narrow {{ display: block; }} }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }}
.clock {{ white-space: nowrap; }}
.words {{ min-width: 9rem; overflow-wrap: anywhere; }}
.half {{ width: 50%; }}
td.number {{ font-variant-numeric: tabular-nums; }}
.key {{ display: inline-block; min-width: 1.5rem; min-height: 1.5rem; text-align: center;
  border: 1px solid var(--line); }}
.kept {{ color: var(--good); }}
.broken {{ color: var(--bad); }}
.aside {{ background: var(--card); padding: .75rem 1rem; border-left: .25rem solid var(--line);
  overflow-wrap: anywhere; }}
summary {{ cursor: pointer; }}
svg text {{ fill: var(--ink); font: 12px system-ui, sans-serif; }}
svg .small, svg .tick, svg .value {{ fill: var(--soft); font-size: 10.5px; }}
svg .tick {{ text-anchor: middle; }}
svg .value {{ text-anchor: end; }}
svg .lane {{ font-weight: 600; }}
svg .rule {{ stroke: var(--line); }}
svg .good {{ fill: var(--good); }}
svg .bad {{ stroke: var(--bad); stroke-width: 2.5; fill: none; }}
svg .plain {{ fill: var(--bad); }}
svg .golden {{ fill: var(--good); }}
svg .calm {{ fill: transparent; }}
.broken-store {{ background: var(--store); fill: var(--store); }}
.broken-identity {{ background: var(--identity); fill: var(--identity); }}
.broken-both {{ background: var(--both); fill: var(--both); }}
@media print {{
  :root {{ color-scheme: light; {_LIGHT} }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  body {{ max-width: none; padding: 0; font-size: 10pt; }}
  figure, tr, .tile, .aside, .scroll {{ break-inside: avoid; }}
  .tiles {{ grid-template-columns: 1fr 1fr; }}
}}
"""
"""The style sheet of every HTML report."""
