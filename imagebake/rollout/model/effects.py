"""Predict the effect of an action on a version, to detect changes made by others."""

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
    BlockDeletion,
    CopyTags,
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
"""ARM's limit for the value of a tag, in characters."""


def set_tags(action: Action) -> dict[str, str]:
    """Return the tags that *action* sets, each cut to ARM's limit of 256 characters."""
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
    """Return the names of the tags that *action* removes."""
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
    """Return *version* as it is once *action*, whose subject it is, has been carried out."""
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
        case BlockDeletion():
            return replace(version, guarded=action.on)
        case _:
            return version


def _shown(version: GalleryVersion, regions: frozenset[str]) -> GalleryVersion:
    return replace(version, hidden=not regions, excluded=frozenset(version.regions) - regions)


def unexpected_changes(planned: GalleryVersion, found: GalleryVersion) -> tuple[str, ...]:
    """List the differences of *found* from *planned* that matter to a plan, in words.

    Replication progress, claims and tags of other tools do not matter.
    """
    before, now = _facts(planned), _facts(found)
    return tuple(
        f"{name}: {before.get(name, 'absent')} → {now.get(name, 'absent')}"
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
        "state": version.state if version.state in _BROKEN else "usable",
        "regions with replicas": ", ".join(sorted(version.regions)),
        "regions where latest includes it": ", ".join(sorted(version.shown)) or "none",
        "end of life": written_time(end) if end else "none",
        "deletion block": "on" if version.guarded else "off",
    }


_BROKEN = frozenset({"Failed", "Deleting"})
