"""The dashboard as one HTML page: the states, tiles and bars that its template shows."""

from __future__ import annotations

from dataclasses import dataclass

from imagebake.dashboard.beats import beats_by_image
from imagebake.dashboard.model import BAD, FEW, LOOK, NONE, WELL, Dashboard, ImageSummary
from imagebake.heartbeat.history import DAYS
from imagebake.heartbeat.model import GOLDEN
from imagebake.kernel.templating import render_page
from imagebake.kernel.text.times import number

VERDICTS = {WELL: "all is well", LOOK: "needs a look", BAD: "trouble", NONE: "unknown"}
SECTIONS = {
    "incidents": "Incidents",
    "beats": "Beats",
    "images": "Images and rings",
    "moves": "Rollouts",
    "runbooks": "Runbooks",
    "quotas": "Limits",
}
"""The links of the navigation: the id of a section, and its text."""
CLOUDS = {"azure": "Azure", "local": "the emulator on this machine"}
FAULTS = {"platform": "platform", "image": "our image", "unknown": "unknown"}
MOST_CONCERNS = 8
MOST_CLOSED = 20
"""Number of closed incidents shown."""
QUOTA_WARNING = 0.7
"""Share of a limit from which it is marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A state at a glance: what it is about, the state in a word, and details."""

    state: str
    title: str
    text: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareBar:
    """A bar of 100 units: *filled* of them, with the limit marked at *mark*."""

    style: str
    filled: float
    mark: float


def dashboard_page(seen: Dashboard) -> str:
    """Render the whole dashboard as one HTML document."""
    closed = [incident for incident in seen.incidents if incident.closed]
    return render_page(
        "dashboard.html.j2",
        seen=seen,
        state=verdict(seen),
        verdicts=VERDICTS,
        sections=SECTIONS,
        cloud=CLOUDS.get(seen.cloud, seen.cloud),
        faults=FAULTS,
        tiles=(_ages(seen), _hits(seen), _incidents(seen)),
        concerns=seen.concerns[:MOST_CONCERNS],
        more_concerns=len(seen.concerns) - MOST_CONCERNS,
        incidents=[*seen.open_incidents, *closed[:MOST_CLOSED]],
        older=len(closed) - MOST_CLOSED,
        beats=beats_by_image(seen),
        few=len(seen.images) <= FEW,
        image_state=image_state,
        share_bar=share_bar,
        quota_warning=QUOTA_WARNING,
        days=DAYS,
        golden=GOLDEN,
    )


def verdict(seen: Dashboard) -> str:
    """Return the gravest state of everything on the page."""
    if any(concern.grave for concern in seen.concerns):
        return BAD
    if seen.concerns or seen.gaps:
        return LOOK if seen.seen else NONE
    return WELL


def image_state(image: ImageSummary) -> tuple[str, str]:
    """Return the gravest state of the image's rings, and a word for it."""
    rings = image.rings or ()
    if any(ring.flaw for ring in rings):
        return BAD, "not good"
    if image.too_old:
        return LOOK, "too old"
    if not any(ring.current for ring in rings):
        return NONE, "nothing current"
    return WELL, "in time"


def share_bar(used: float, limit: float, mark: float = 1.0) -> ShareBar:
    """Lay out a bar for *used*; beyond *limit* times *mark* it changes its style.

    The bar stands for the limit, or for *used* where that is more.
    """
    full = max(used, limit) or 1.0
    return ShareBar(
        style="over" if used > limit * mark else "under",
        filled=round(100 * used / full, 1),
        # A mark at the very end would lie outside the picture by half its width.
        mark=round(min(100 * limit * mark / full, 99.5), 1),
    )


def _ages(seen: Dashboard) -> Tile:
    count = number(len(seen.images), "image")
    if seen.seen is None:
        return Tile(state=NONE, title="Ages", text="unknown", lines=(count,))
    rings = [ring for image in seen.images for ring in image.rings or () if ring.current]
    if not rings:
        return Tile(state=NONE, title="Ages", text="none current", lines=(count,))
    proved = sum(ring.proof == "passed" for ring in rings)
    proofs = f"{proved} of {number(len(rings), 'ring')} proved"
    if old := sum(bool(image.too_old) for image in seen.images):
        lines = (f"of {count}", proofs)
        return Tile(state=LOOK, title="Ages", text=f"{old} too old", lines=lines)
    return Tile(state=WELL, title="Ages", text="in time", lines=(count, proofs))


def _hits(seen: Dashboard) -> Tile:
    # Plain machines are the baseline: their misses say nothing about our images.
    golden = [region.figures for region in seen.regions if region.label == GOLDEN]
    figures = [region for region in golden if region]
    if not figures:
        return Tile(state=NONE, title="Beats", text="none", lines=(f"in {DAYS} days",))
    images = number(len({region.image for region in figures}), "image")
    regions = number(len({region.region for region in figures}), "region")
    count = sum(region.beats for region in figures)
    hit = count - sum(region.failed for region in figures)
    lines = [f"the last of {images} in {regions}", f"in {DAYS} days: {hit:,} of {count:,} hit"]
    if silent := len(golden) - len(figures):
        lines.append(f"{number(silent, 'place')} without beats")
    missed = sum(region.last_good != region.last for region in figures)
    state, text = (BAD, f"{missed} missed") if missed else (WELL, "all hit")
    return Tile(state=state, title="Beats", text=text, lines=tuple(lines))


def _incidents(seen: Dashboard) -> Tile:
    opened = seen.open_incidents
    if not opened and not seen.last_beat:
        return Tile(state=NONE, title="Incidents", text="unknown", lines=("no beats yet",))
    closed = f"{len(seen.incidents) - len(opened):,} closed in {DAYS} days"
    if opened:
        regions = ", ".join(sorted({incident.region for incident in opened}))
        lines = (f"in {regions}", closed)
        return Tile(state=BAD, title="Incidents", text=f"{len(opened)} open", lines=lines)
    return Tile(state=WELL, title="Incidents", text="none open", lines=(closed,))
