"""What an action leaves behind, so that whoever takes it can see that nothing else changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagebake.azure.model.gallery import (
    TAG_CLAIM,
    TAG_HOLD,
    TAG_OVERRIDE,
    TAG_OVERRODE_FREEZE,
    TAG_RETIRED,
    TAG_REVOKED,
    TAG_REVOKED_REASON,
    TAG_RING,
    GalleryVersion,
    written_time,
)
from imagebake.rollout.model.actions import (
    Action,
    CopyTags,
    Guard,
    Hide,
    Hold,
    MarkCurrent,
    Override,
    OverrideFreeze,
    Publish,
    Retire,
    Revoke,
    Show,
    Unhold,
    Unretire,
)

OURS = "imagebake-"
_LONGEST_TAG = 256


def set_tags(action: Action) -> dict[str, str]:
    """The tags that *action* sets, each no longer than ARM lets them be."""
    match action:
        case MarkCurrent():
            tags = {TAG_RING + action.ring: written_time(action.at)}
        case Revoke():
            tags = {
                TAG_REVOKED: f"{written_time(action.at)} {action.ring}",
                TAG_REVOKED_REASON: action.reason,
            }
        case Override():
            tags = {TAG_OVERRIDE + action.ring: f"{written_time(action.at)} {action.reason}"}
        case OverrideFreeze():
            tags = {TAG_OVERRODE_FREEZE: f"{written_time(action.at)} {action.reason}"}
        case Hold():
            tags = {TAG_HOLD: f"{written_time(action.at)} {action.reason}"}
        case CopyTags():
            tags = dict(action.tags)
        case Retire():
            tags = {TAG_RETIRED: written_time(action.at)}
        case _:
            tags = {}
    return {name: text[:_LONGEST_TAG] for name, text in tags.items()}


def removed_tags(action: Action) -> frozenset[str]:
    """The tags that *action* takes away."""
    match action:
        case CopyTags():
            return action.gone
        case Unhold():
            return frozenset({TAG_HOLD})
        case Unretire():
            return frozenset({TAG_RETIRED})
        case _:
            return frozenset()


def version_after(action: Action, version: GalleryVersion) -> GalleryVersion:
    """*version* once *action*, which is about it, has been taken."""
    gone = removed_tags(action)
    kept = {name: text for name, text in version.tags.items() if name not in gone}
    version = replace(version, tags=kept | set_tags(action))
    match action:
        case Publish():
            regions = {name: version.regions.get(name, "Unknown") for name in action.replicas}
            return _shown(
                replace(version, regions=regions, replicas=action.replicas),
                frozenset(regions) - action.hidden,
            )
        case Show() | Hide():
            return _shown(version, action.shown)
        case Retire():
            return _shown(replace(version, end_of_life=action.end_of_life), frozenset())
        case Unretire():
            return replace(version, end_of_life=None)
        case Guard():
            return replace(version, guarded=action.on)
        case _:
            return version


def _shown(version: GalleryVersion, regions: frozenset[str]) -> GalleryVersion:
    return replace(version, hidden=not regions, excluded=frozenset(version.regions) - regions)


def unexpected_changes(planned: GalleryVersion, found: GalleryVersion) -> tuple[str, ...]:
    """What of *found* a plan that was made for *planned* did not know of, in words.

    How far a replication is, claims, and tags of other people do not matter to a plan.
    """
    before, now = _facts(planned), _facts(found)
    return tuple(
        f"{name} was {before.get(name, 'not there')} and is {now.get(name, 'not there')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def _facts(version: GalleryVersion) -> Mapping[str, Any]:
    end = version.end_of_life
    tags = {
        f"tag {name}": repr(text)
        for name, text in version.tags.items()
        if name.startswith(OURS) and not name.startswith(TAG_CLAIM)
    }
    return tags | {
        "its state": version.state if version.state in _BROKEN else "usable",
        "what has replicas of it": ", ".join(sorted(version.regions)),
        "what shows it": ", ".join(sorted(version.shown)) or "nothing",
        "its end of life": written_time(end) if end else "none",
        "its guard": "on" if version.guarded else "off",
    }


_BROKEN = frozenset({"Failed", "Deleting"})
