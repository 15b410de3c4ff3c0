"""Ids of Azure's resources, as a spec spells them."""

from __future__ import annotations

import re

from imagebake.audit.languages.nodes import Node
from imagebake.audit.languages.templates import Notes

_WORDS = (
    *("subscriptions", "resourceGroups", "providers", "Microsoft.Compute", "Microsoft.Network"),
    *("Microsoft.ManagedIdentity", "galleries", "images", "versions", "virtualNetworks"),
    *("subnets", "userAssignedIdentities"),
)
_SPELLED = {word.lower(): word for word in _WORDS}


def spelled(text: str) -> str:
    """*text* with the words of an id spelled as Azure's own answers have them."""
    return "/".join(_SPELLED.get(part.lower(), part) for part in text.split("/"))


def whole_id(node: Node | None, pattern: re.Pattern[str], what: str, notes: Notes) -> str | None:
    """The id that *node* is, if *pattern* matches it whole; says so where not."""
    text = notes.text(node, what)
    if node is None or text is None:
        return None
    found = spelled(text)
    if pattern.fullmatch(found):
        return found
    hint = "a spec has whole ids: '/subscriptions/…/resourceGroups/…/providers/…'"
    notes.say("I114", node, f"{what} is no whole id", hint)
    return None
