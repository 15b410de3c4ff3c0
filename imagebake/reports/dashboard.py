"""The dashboard as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.heartbeat.model import GOLDEN
from imagebake.kernel.pages.html import STYLE, Markup, document, element, markup
from imagebake.kernel.pages.parts import BAD, LOOK, NONE, WELL, breakable, section, sign
from imagebake.kernel.pages.times import ago, clock, number
from imagebake.model.dashboard import Concern, Dashboard, Gap, GateSeen
from imagebake.reports.dashboard_beats import beats
from imagebake.reports.dashboard_style import DASHBOARD_STYLE
from imagebake.reports.dashboard_tables import images, incidents, moves, quotas, runbooks

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
