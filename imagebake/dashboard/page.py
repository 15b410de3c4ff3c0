"""The dashboard as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.dashboard.beats import beats
from imagebake.dashboard.model import Concern, Dashboard, Gap, GateSeen
from imagebake.dashboard.tables import images, incidents, moves, quotas, runbooks
from imagebake.heartbeat.model import GOLDEN
from imagebake.kernel.pages.html import STYLE, Markup, document, element, markup
from imagebake.kernel.pages.parts import BAD, LOOK, NONE, WELL, breakable, section, sign
from imagebake.kernel.text.times import ago, clock, number

DASHBOARD_STYLE = """\
:root { --look: #8a5300; --track: #dde1e6; }
@media (prefers-color-scheme: dark) { :root { --look: #f2b84b; --track: #343a41; } }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { max-width: 80rem; padding: 1.5rem 1.25rem 3rem; line-height: 1.45;
  overflow-wrap: anywhere; }
a { color: inherit; text-underline-offset: .2em; text-decoration-color: var(--soft); }
a:hover { text-decoration-thickness: .14em; }
:focus-visible { outline: .18rem solid currentcolor; outline-offset: .15rem; border-radius: .2rem; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .3rem .6rem; }
h1 { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem .8rem; font-size: 1.75rem;
  letter-spacing: -.01em; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem; }
h3 { margin: 0; font-size: 1rem; }
.verdict { font-size: 1rem; padding: .2rem .9rem; letter-spacing: 0; }
.verdict .sign { color: inherit; }
.verdict.well { background: var(--good); } .verdict.look { background: var(--look); }
.verdict.bad { background: var(--bad); } .verdict.none { background: var(--soft); }
.asof p { margin: 0; }
.asof dl { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; margin: 0; font-size: inherit; }
.asof dl div { display: flex; gap: .4rem; }
.asof dd { text-align: left; }
nav ul { display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; list-style: none; margin: .9rem 0 0;
  padding: .6rem 0; border-block: 1px solid var(--line); }
#attention h2 { margin-top: 1.5rem; }
.concerns { list-style: none; margin: 0 0 1rem; padding: 0; }
.concerns li { margin: .3rem 0; overflow-wrap: anywhere; }
.concerns a { display: block; text-decoration: none; }
.concerns a:hover { text-decoration: underline; }
.aside ul { margin: .25rem 0 0; padding-left: 1.2rem; }
.sign { color: inherit; }
.sign .mark { font-weight: 700; }
.sign.well .mark { color: var(--good); } .sign.look .mark { color: var(--look); }
.sign.bad .mark { color: var(--bad); } .sign.none .mark { color: var(--soft); }
.verdict .sign .mark { color: inherit; }
.concerns .sign, td .sign { display: inline-grid; grid-template-columns: 1.1em auto;
  max-width: 100%; }
#incidents th .cell { min-width: 8rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(13.5rem, 1fr)); margin-top: 1.25rem; }
.tile { border-radius: .25rem; overflow-wrap: anywhere; }
.tile h3 { font-size: .9rem; font-weight: 600; color: var(--soft); }
.tile .big { font-size: 1.6rem; margin: .1rem 0 .3rem; }
.tile p { font-size: .9rem; }
.tile.well { border-color: var(--good); } .tile.look { border-color: var(--look); }
.tile.bad { border-color: var(--bad); } .tile.none { border-color: var(--soft); }
.tile.well .big { color: var(--good); } .tile.look .big { color: var(--look); }
.tile.bad .big { color: var(--bad); } .tile.none .big { color: var(--soft); }
.empty { color: var(--soft); border: 1px dashed var(--line); border-radius: .25rem;
  padding: .9rem 1rem; margin: 0; }
.line { display: block; }
.soft.line { font-size: .85rem; }
table { font-size: .92rem; margin-bottom: 1.25rem; }
caption { text-align: left; color: var(--soft); font-size: .85rem; padding-bottom: .35rem; }
th, td { padding: .5rem .9rem .5rem 0; overflow-wrap: break-word; }
.cell { max-width: 12rem; }
th .cell { max-width: 18rem; }
.cell.words { max-width: none; min-width: 8rem; overflow-wrap: anywhere; }
tr.group th { overflow-wrap: anywhere; }
main > section { overflow-x: auto; }
thead th { font-size: .8rem; font-weight: 600; color: var(--soft); padding-block: .25rem;
  overflow-wrap: normal; }
tbody th { font-weight: 500; }
td { font-variant-numeric: tabular-nums; }
time { white-space: nowrap; }
tr.group th { padding-top: 1.1rem; border-bottom-color: var(--soft); font-weight: 400; }
tr.group strong { font-size: 1.02rem; }
details.image { border-top: 1px solid var(--line); padding: .6rem 0; }
details.image > table { margin-bottom: .25rem; }
details.image > table { margin-top: .6rem; }
summary h3 { display: inline; margin-right: .5rem; }
svg.share { width: 100%; max-width: 9rem; height: .55rem; margin-top: .25rem; }
svg.beats { width: 100%; min-width: 12rem; height: 2.5rem; }
svg .track { fill: var(--track); }
svg .under { fill: var(--good); } svg .over { fill: var(--look); }
svg .limit { stroke: var(--ink); stroke-width: 1.5; vector-effect: non-scaling-stroke; fill: none; }
svg .ground { stroke: var(--line); vector-effect: non-scaling-stroke; fill: none; }
svg .hit { fill: var(--good); } svg .miss { fill: var(--bad); }
svg .line { stroke: var(--ink); stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round;
  vector-effect: non-scaling-stroke; fill: none; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .75rem; }
footer p { margin: 0; }
@media screen and (max-width: 52rem) {
  body { padding-inline: 1rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .6rem; }
  .tile { padding: .6rem .75rem; } .tile .big { font-size: 1.3rem; }
  .cards, .cards caption, .cards tbody, .cards tr, .cards th, .cards td { display: block; }
  .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap; }
  .cards tr { padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .cards tr.group { padding: 1.1rem 0 0; border-bottom-color: var(--soft); }
  .cards th, .cards td { border: 0; padding: .15rem 0; }
  .cards tr.group th { padding: 0 0 .4rem; }
  .cards tbody tr:not(.group) > th { font-weight: 600; }
  .cards td { display: grid; grid-template-columns: 5.6rem minmax(0, 1fr); gap: .6rem;
    align-items: baseline; }
  .cards td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  .cell, th .cell { max-width: 18rem; }
.cell.words { max-width: none; min-width: 0; overflow-wrap: anywhere; }
  .concerns .sign > *, td .sign > * { min-width: 0; }
  svg.beats { min-width: 0; }
}
@media screen and (max-width: 24rem) { .tiles { grid-template-columns: 1fr; } }
@media print {
  @page { size: landscape; margin: 12mm; }
  nav, .skip { display: none; }
  main > section { overflow-x: visible; }
  .tiles { grid-template-columns: repeat(4, 1fr); break-inside: avoid; }
  h2 { margin-top: 1.5rem; }
  table { font-size: .85rem; }
  details.image::details-content { content-visibility: visible; }
  h2, caption, thead, tr.group, summary { break-after: avoid; }
  a { text-decoration: none; }
}
"""
"""The style sheet that follows the common one."""


SECTIONS = (
    ("incidents", "Incidents"),
    ("beats", "Beats"),
    ("images", "Images and rings"),
    ("moves", "Rollouts"),
    ("runbooks", "Runbooks"),
    ("quotas", "Limits"),
)
VERDICTS = {WELL: "all is well", LOOK: "needs a look", BAD: "trouble", NONE: "not known"}
_CLOUDS = {"azure": "Azure", "local": "the emulator on this machine"}
_MADE = (
    "Made by ",
    " from the gallery and the records of one state directory; merge those of others first.",
)
_SHOWN = 8
"""So many concerns are told at the top."""


def page(seen: Dashboard) -> str:
    """The whole dashboard as one HTML document."""
    state = verdict(seen)
    title = f"Golden images: {VERDICTS[state]}"
    skip = element("a", "To what is shown", href="#main", class_="skip")
    main = element(
        "main",
        _attention(seen),
        _tiles(seen),
        incidents(seen),
        beats(seen),
        images(seen),
        moves(seen),
        runbooks(seen),
        quotas(seen),
        id="main",
    )
    body = (skip, _header(seen, state), main, _footer(seen))
    return document(title, body, STYLE + DASHBOARD_STYLE)


def verdict(seen: Dashboard) -> str:
    """The state of all of it, in one word."""
    if any(one.grave for one in seen.concerns):
        return BAD
    if seen.concerns or seen.gaps:
        return LOOK if seen.seen else NONE
    return WELL


def _header(seen: Dashboard, state: str) -> Markup:
    pill = element("span", sign(state, VERDICTS[state]), class_=f"verdict {state}")
    where = element("p", f"Gallery {seen.gallery} in {_CLOUDS.get(seen.cloud, seen.cloud)}. ")
    links = (element("li", element("a", text, href=f"#{name}")) for name, text in SECTIONS)
    return element(
        "header",
        element("h1", "Golden images ", pill),
        element("div", where, _as_of(seen), class_="soft asof"),
        element("nav", element("ul", *links), aria_label="Sections"),
    )


def _as_of(seen: Dashboard) -> Markup:
    """When the page was made, and how old what it shows is."""
    read = markup((clock(seen.seen), f", {ago(seen.seen, seen.at)}")) if seen.seen else "never"
    last = seen.last_beat
    beat = markup((clock(last), f", {ago(last, seen.at)}")) if last else "none"
    told = (("Page made", clock(seen.at)), ("Gallery read", read), ("Last beat", beat))
    parts = (markup((element("dt", name), element("dd", value))) for name, value in told)
    return element("dl", *(element("div", one) for one in parts), " (times are UTC)")


def _attention(seen: Dashboard) -> Markup:
    """What somebody should look at, and which parts are missing."""
    concerns = seen.concerns
    lines = [element("li", _concern(one)) for one in concerns[:_SHOWN]]
    if len(concerns) > _SHOWN:
        lines.append(element("li", f"and {number(len(concerns) - _SHOWN, 'thing')} more, below"))
    parts: list[str] = [element("ul", *lines, class_="concerns")] if lines else []
    if not lines and not seen.gaps:
        parts.append(element("p", sign(WELL, "Nothing needs anybody."), class_="lead"))
    if seen.gaps:
        parts.append(_gaps(seen))
    return section("attention", "What needs attention", *parts)


def _concern(one: Concern) -> Markup:
    text = sign(BAD if one.grave else LOOK, breakable(one.text))
    return element("a", text, href=f"#{one.section}")


def _gaps(seen: Dashboard) -> Markup:
    lines = (element("li", *_gap(one, seen)) for one in seen.gaps)
    head = element("strong", "What is missing on this page")
    return element("div", head, element("ul", *lines), class_="aside", role="note")


def _gap(one: Gap, seen: Dashboard) -> Iterator[str]:
    yield element("strong", f"{one.part}: ")
    yield one.why
    if one.seen:
        yield "; shown as of "
        yield clock(one.seen)
        yield f", {ago(one.seen, seen.at)}"


def _tiles(seen: Dashboard) -> Markup:
    tiles = (_gate(seen.gate), _ages(seen), _hits(seen), _incidents(seen))
    return element("div", *tiles, class_="tiles")


def _tile(state: str, title: str, big: str, *lines: str, name: str = "") -> Markup:
    told = (element("p", one) for one in lines if one)
    inner = (element("h3", title), element("p", sign(state, big), class_="big"), *told)
    attributes = {"id": name} if name else {}
    return element("section", *inner, class_=f"tile {state}", **attributes)


def _gate(one: GateSeen) -> Markup:
    states = {"open": WELL, "closed": BAD}
    until = markup(("until ", clock(one.until), " UTC")) if one.until else ""
    who = f"{one.owner} can say more" if one.owner else ""
    why = one.why or "versions may be promoted and retired"
    return _tile(states.get(one.state, LOOK), "Gate", one.state, why, until, who, name="gate")


def _ages(seen: Dashboard) -> Markup:
    count = number(len(seen.images), "image")
    if seen.seen is None:
        return _tile(NONE, "Ages", "not known", count)
    rings = [ring for one in seen.images for ring in one.rings or () if ring.current]
    old = [one for one in seen.images if one.too_old]
    proved = sum(one.proof == "passed" for one in rings)
    lines = (f"of {count}" if old else count, f"{proved} of {number(len(rings), 'ring')} proved")
    if not rings:
        return _tile(NONE, "Ages", "none current", count)
    if old:
        return _tile(LOOK, "Ages", f"{len(old)} too old", *lines)
    return _tile(WELL, "Ages", "in time", *lines)


def _hits(seen: Dashboard) -> Markup:
    told = [one.figures for one in seen.regions if one.figures and one.label == GOLDEN]
    if not told:
        return _tile(NONE, "Beats", "none", "of 30 days")
    missed = sum(one.last_good != one.last for one in told)
    silent = sum(one.figures is None for one in seen.regions)
    count, good = sum(one.beats for one in told), sum(one.beats - one.failed for one in told)
    images, regions = {one.image for one in told}, {one.region for one in told}
    lines = (
        f"the last of {number(len(images), 'image')} in {number(len(regions), 'region')}",
        f"in 30 days: {good:,} of {count:,} hit",
        f"{number(silent, 'place')} never beaten" if silent else "",
    )
    if missed:
        return _tile(BAD, "Beats", f"{missed} missed", *lines)
    return _tile(WELL, "Beats", "all hit", *lines)


def _incidents(seen: Dashboard) -> Markup:
    count = len(seen.open_incidents)
    if not count and not seen.last_beat:
        return _tile(NONE, "Incidents", "not known", "nothing was beaten")
    over = f"{len(seen.incidents) - count:,} over in 30 days"
    if count:
        regions = ", ".join(sorted({one.region for one in seen.open_incidents}))
        return _tile(BAD, "Incidents", f"{count} open", f"in {regions}", over)
    return _tile(WELL, "Incidents", "none open", over)


def _footer(seen: Dashboard) -> Markup:
    made = element("p", _MADE[0], element("code", "./inv dashboard"), _MADE[1], class_="soft")
    return element("footer", made, element("p", "As of ", clock(seen.at), " UTC.", class_="soft"))
