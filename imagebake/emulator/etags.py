"""Entity tags: a number that every change of a resource moves, and writes that depend on it."""

from __future__ import annotations

from imagebake.emulator.calls import Call
from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Resource


def check(call: Call, known: Resource | None) -> None:
    """Refuse a write whose `If-Match` or `If-None-Match` does not fit what there is."""
    wanted = call.headers.get("if-match")
    if wanted is not None and not _matches(wanted, known):
        have = f'"{_number(known)}"' if known else "null"
        raise _failed(
            f"Etag provided in if-match header {wanted} does not match etag {have} of resource."
        )
    unwanted = call.headers.get("if-none-match")
    if unwanted is not None and _matches(unwanted, known):
        raise _failed(
            f"Etag provided in if-none-match header {unwanted} matches etag"
            f' "{_number(known)}" of resource.'
        )


def move(resource: Resource, known: Resource | None = None) -> None:
    """Give *resource* the entity tag that comes after that of *known*, which it replaces."""
    resource.body["etag"] = f'"{_number(known or resource) + 1}"'


def _matches(wanted: str, known: Resource | None) -> bool:
    named = {one.strip().strip('"') for one in wanted.split(",")}
    return known is not None and ("*" in named or str(_number(known)) in named)


def _number(resource: Resource | None) -> int:
    return int(resource.body.get("etag", '"0"').strip('"')) if resource else 0


def _failed(message: str) -> ArmError:
    return ArmError(412, "PreconditionFailed", message)
