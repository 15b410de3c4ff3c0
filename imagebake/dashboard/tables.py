"""The dashboard's tables: images and rings, incidents, what moved, runbooks, limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from imagebake.dashboard import pictures
from imagebake.dashboard.model import (
    BakeSeen,
    Dashboard,
    ImageSeen,
    IncidentSeen,
    Move,
    QuotaSeen,
    RingSeen,
    RunbookSeen,
)
from imagebake.kernel.pages.html import Markup, element, markup
from imagebake.kernel.pages.parts import (
    BAD,
    DASH,
    FEW,
    LOOK,
    NONE,
    WELL,
    breakable,
    empty,
    folded,
    section,
    sign,
    stacked,
    table,
)
from imagebake.kernel.text.times import ago, clock, number, span

SHOWN = 20
"""So many incidents that are over are shown."""
_WARNING = 0.7
"""At this share of a limit somebody should know."""
_RINGS = ("Ring", "Current", "Since", "Age", "Proof", "Where", "On it", "Next")
_INCIDENTS = ("Where", "State", "Since", "Lasted", "What failed", "Fault", "Stopped")
_FAULTS = {"platform": "platform", "image": "our image", "unknown": "nobody can tell"}


def images(seen: Dashboard) -> Markup:
    """Every image, and what its rings have; many are folded where all is well."""
    title = "Images and rings"
    if seen.seen is None:
        return section("images", title, empty("What the rings have is not known: see above."))
    if len(seen.images) > FEW:
        return section("images", title, *(_folded(one, seen.at) for one in seen.images))
    groups = (_image(one, seen.at) for one in seen.images)
    return section("images", title, table("Every ring of every image", _RINGS, *groups))


def _folded(one: ImageSeen, now: dt.datetime) -> Markup:
    rings = one.rings or ()
    states = (
        (BAD, "not good", any(ring.flaw for ring in rings)),
        (LOOK, "too old", bool(one.too_old)),
        (NONE, "nothing current", not any(ring.current for ring in rings)),
        (WELL, "in time", True),
    )
    state, said = next((state, said) for state, said, so in states if so)
    current = ", ".join(dict.fromkeys(ring.current for ring in rings if ring.current))
    rows = ((ring.name, *_ring(ring, one.age_objective, now)) for ring in rings)
    body = table(f"{one.name}: {one.description} · {one.owner}", _RINGS, rows)
    return folded(one.name, state, said, current, body, opened=state in {BAD, LOOK})


def _image(one: ImageSeen, now: dt.datetime) -> Iterator[tuple[str, ...]]:
    yield (stacked(element("strong", one.name), f"{one.description} · {one.owner}"),)
    for ring in one.rings or ():
        yield (ring.name, *_ring(ring, one.age_objective, now))


def _ring(ring: RingSeen, objective: int, now: dt.datetime) -> Iterator[str]:
    before = f"before: {ring.previous}" if ring.previous else ""
    yield stacked(ring.current, before) if ring.current else sign(NONE, "nothing yet")
    yield stacked(clock(ring.since), ago(ring.since, now)) if ring.since else DASH
    yield _age(ring.age_days, objective)
    yield _proof(ring.proof) if ring.current else DASH
    yield f"{ring.replicas[0]} of {number(ring.replicas[1], 'region')}"
    moved, members = ring.scale_sets
    yield stacked(f"{moved} of {number(members, 'scale set')}", f"{ring.users:,} in all")
    if ring.flaw:
        yield sign(BAD, ring.flaw)
    elif ring.held:
        yield sign(LOOK, f"held: {ring.held}")
    else:
        yield ring.upcoming or DASH


def _age(days: float | None, objective: int) -> str:
    if days is None:
        return DASH
    late = days > objective
    told = sign(LOOK if late else WELL, f"{days:.0f} of {objective} d{', too old' if late else ''}")
    title = f"{days:.0f} days old, objective {objective} days"
    return markup((told, pictures.share(days, float(objective), title=title)))


def _proof(told: str) -> Markup:
    return sign({"passed": WELL, "failed": BAD}.get(told, LOOK), told)


def incidents(seen: Dashboard) -> Markup:
    """Those that are open, then those that are over."""
    over = [one for one in seen.incidents if one.closed]
    shown = [*seen.open_incidents, *over[:SHOWN]]
    if not shown:
        said = "No incident in 30 days." if seen.last_beat else "None is known: nothing was beaten."
        return section("incidents", "Incidents", empty(said))
    parts = [
        table("Open incidents, and the last that are over", _INCIDENTS, _incidents(shown, seen.at))
    ]
    if len(over) > SHOWN:
        parts.append(element("p", f"{len(over) - SHOWN} older ones are left out.", class_="soft"))
    return section("incidents", "Incidents", *parts)


def _incidents(shown: list[IncidentSeen], now: dt.datetime) -> Iterator[tuple[str, ...]]:
    for one in shown:
        lasted = span(((one.closed or now) - one.began).total_seconds())
        at = f"at {one.host}" if one.host else "no host was named"
        stopped = markup(element("span", breakable(what), class_="line") for what in one.stopped)
        yield (
            stacked(element("strong", one.image), one.region),
            sign(WELL, "over") if one.closed else sign(BAD, "open"),
            stacked(clock(one.began), f"detected {_detected(one)}"),
            stacked(
                lasted if one.closed else f"{lasted} so far", number(one.misses, "miss", "misses")
            ),
            stacked(breakable(f"{one.phase}: {one.code}"), breakable(at), breakable(one.message)),
            _FAULTS.get(one.cause, one.cause),
            stopped or element("span", "nothing", class_="soft"),
        )


def _detected(one: IncidentSeen) -> str:
    """How long it took from the first miss until it was an incident."""
    seconds = (one.opened - one.began).total_seconds()
    return f"after {span(seconds)}" if seconds else "at once"


def moves(seen: Dashboard) -> Markup:
    """What rollouts did, and the last bakes."""
    parts = [
        table(
            "The last rollouts", ("When", "Image", "What", "Result", "Took"), map(_move, seen.moves)
        )
        if seen.moves
        else empty("No rollout is recorded here.")
    ]
    if seen.bakes:
        parts.append(table("The last bakes", ("When", "Image", "Result"), map(_bake, seen.bakes)))
    return section("moves", "Rollouts and bakes", *parts)


def _move(one: Move) -> tuple[str, ...]:
    steps = number(one.steps, "step") + (f", {number(one.calls, 'call')}" if one.calls else "")
    objective = ""
    if one.objective_seconds is not None:
        met = "met" if one.objective_met else "missed"
        objective = f"objective {span(one.objective_seconds)}: {met}"
    took = _waiting(one) if one.refused else stacked(span(one.seconds), steps, objective)
    return (clock(one.began), breakable(one.image), breakable(one.title), _came_of(one), took)


def _waiting(one: Move) -> Markup:
    """What a refusal kept from being done, and for how long that was tried."""
    tried = f"tried {one.times} times in {span(one.seconds)}" if one.times > 1 else "tried once"
    return stacked(f"{number(one.steps, 'step')} waiting", tried)


def _came_of(one: Move) -> Markup:
    if one.refused:
        return stacked(sign(LOOK, "refused"), one.refused)
    if one.stopped:
        return stacked(sign(BAD, "stopped"), one.stopped)
    if one.failed:
        return sign(LOOK, f"{number(one.failed, 'scale set')} failed")
    late = one.objective_met is False
    return sign(LOOK, "done, late") if late else sign(WELL, "done")


def _bake(one: BakeSeen) -> tuple[str, ...]:
    state = {"baked": WELL, "unchanged": WELL, "": LOOK}.get(one.outcome, BAD)
    return (clock(one.begun), one.image, sign(state, one.outcome or "no end is recorded"))


def runbooks(seen: Dashboard) -> Markup:
    """Every answer, and when it was rehearsed last."""
    header = ("Runbook", "Rehearsed", "Took", "Result")
    rows = (_runbook(one, seen.at) for one in seen.runbooks)
    body = table("Runbooks and their last rehearsal here", header, rows)
    return section("runbooks", "Runbooks", body if seen.runbooks else empty("There is none."))


def _runbook(one: RunbookSeen, now: dt.datetime) -> tuple[str, ...]:
    name = stacked(element("strong", one.name), one.title)
    goal = span(one.objective_seconds)
    if one.rehearsed is None or one.seconds is None:
        return (
            name,
            stacked("never here", f"its page: {one.page}"),
            f"of {goal}",
            sign(NONE, "not rehearsed"),
        )
    took = f"{span(one.seconds)} of {goal}"
    bar = pictures.share(one.seconds, one.objective_seconds, title=f"{took} that it may take")
    result = stacked(sign(BAD, "failed"), one.why) if one.why else sign(WELL, "in time")
    when = stacked(clock(one.rehearsed), ago(one.rehearsed, now))
    return (name, when, markup((took, bar)), result)


def quotas(seen: Dashboard) -> Markup:
    """How much of Azure's limits is used."""
    if not seen.quotas:
        return section("quotas", "Limits", empty("Not known while the gallery was never read."))
    body = table(
        "What is used of Azure's limits", ("What", "Used", "State"), map(_quota, seen.quotas)
    )
    return section("quotas", "Limits", body)


def _quota(one: QuotaSeen) -> tuple[str, ...]:
    used = f"{one.used:,} of {one.limit:,}"
    title = f"{used} {one.kind}; the warning is at {_WARNING:.0%}"
    bar = pictures.share(one.used, float(one.limit), mark=_WARNING, title=title)
    where = one.where.rpartition("/images/")[2].replace("/versions/", "@")
    state = sign(LOOK, "near the limit") if one.warns else sign(WELL, "far from it")
    return (stacked(one.kind, where), markup((used, bar)), state)
