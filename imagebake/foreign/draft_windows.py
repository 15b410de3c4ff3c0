"""Steps that only Windows can take, as a spec says them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagebake.foreign.nodes import Node, Table, entry, items_of, text_of
from imagebake.foreign.templates import Notes
from imagebake.foreign.values import truth

KINDS = frozenset({"powershell", "windowsrestart", "windowsupdate"})
_TIMEOUT = re.compile(r"[1-9][0-9]{0,4}[smh]")
_MOST_UPDATES = 1000


def rights(item: Table, label: str, notes: Notes) -> dict[str, Any]:
    """How a PowerShell step runs, as far as it is not as usual."""
    found: dict[str, Any] = {
        key: True
        for key, field in (("elevated", "runElevated"), ("as_system", "runAsSystem"))
        if (flag := entry(item, field)) is not None and truth(flag)
    }
    codes = [
        code
        for one in items_of(entry(item, "validExitCodes"))
        if (code := notes.number(one, f"an exit code of {label}")) is not None
    ]
    return found | ({"exit_codes": codes} if codes else {})


def restart(item: Table, label: str, notes: Notes) -> Mapping[str, Any]:
    """A restart."""
    terms = _texts(
        item, label, {"command": "restartCommand", "check": "restartCheckCommand"}, notes
    )
    place = entry(item, "restartTimeout")
    timeout = notes.text(place, f"the time that {label} has")
    if place is not None and timeout and not _TIMEOUT.fullmatch(timeout):
        hint = "a number and 's', 'm' or 'h', such as '30m'"
        notes.say("I114", place, f"{timeout[:40]!r} is no time that a spec has", hint)
    elif timeout:
        terms["timeout"] = timeout
    return {"restart": terms}


def update(item: Table, label: str, notes: Notes) -> Mapping[str, Any]:
    """Windows Update."""
    terms = _texts(item, label, {"search": "searchCriteria"}, notes)
    filters = [
        text
        for one in items_of(entry(item, "filters"))
        if (text := _text(one, f"a filter of {label}", notes))
    ]
    if filters:
        terms["filters"] = filters
    limit = notes.number(entry(item, "updateLimit"), f"the limit of {label}")
    if limit is not None and 1 <= limit <= _MOST_UPDATES:
        terms["limit"] = limit
    return {"update": terms}


def _texts(item: Table, label: str, fields: Mapping[str, str], notes: Notes) -> dict[str, Any]:
    return {
        key: text
        for key, field in fields.items()
        if (text := _text(entry(item, field), f"{field} of {label}", notes))
    }


def _text(node: Node | None, what: str, notes: Notes) -> str | None:
    """One line without a secret in it."""
    text = notes.text(node, what)
    if node is None or text is None:
        return None
    if kind := notes.secret_in(text):
        hint = "revoke it; fetch it at run time with a managed identity"
        notes.say("I109", node, f"{what} has a secret in it: {kind}", hint)
        return None
    if not text.isprintable():
        notes.say(
            "I114", node, f"{what} cannot be in a spec", "one line without control characters"
        )
        return None
    return text


def is_windows(properties: Node | None, source: Mapping[str, Any]) -> bool:
    """Whether a template makes an image of Windows: by its source, or by its steps."""
    words = " ".join(str(source.get(key, "")) for key in ("publisher", "offer")).lower()
    steps = (
        *items_of(entry(properties, "customize")),
        *items_of(entry(properties, "validate", "inVMValidations")),
    )
    kinds = {(text_of(entry(step, "type")) or "").lower() for step in steps}
    return "windows" in words or bool(kinds & KINDS)
