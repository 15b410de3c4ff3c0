"""The record of one bake: a line when it begins, a line when it ends."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.model.due import Attempt


def line(event: str, at: dt.datetime, facts: Mapping[str, Any]) -> bytes:
    """One line of a record: what happened, when (UTC), and what is to be known of it."""
    told = {"event": event, "at": at.astimezone(dt.UTC).isoformat(timespec="seconds"), **facts}
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def read_attempt(lines: Iterable[str]) -> Attempt | None:
    """The bake that a record tells of; None for what is no record of ours.

    A line that a crash cut short is passed over, as is what a later version may add.
    """
    events = [event for text in lines if (event := _event(text))]
    begun = next((event for event in events if event.get("event") == "begun"), None)
    if begun is None:
        return None
    ended = next((event for event in events if event.get("event") == "ended"), {})
    try:
        return Attempt(
            image=str(begun["image"]),
            bake_key=str(begun["bake_key"]),
            begun=dt.datetime.fromisoformat(str(begun["at"])),
            outcome=str(ended.get("outcome", "")),
        )
    except (KeyError, ValueError):
        return None


def _event(text: str) -> dict[str, Any] | None:
    try:
        event = json.loads(text)
    except json.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None
