"""Follow the output of a build until its run ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A run that may be under way: *read* gives its output from an offset on.

    *state* says what the run is doing, or None when it does nothing any more; *rest* waits
    until there may be more.
    """

    read: Callable[[int], bytes]
    state: Callable[[], str | None]
    rest: Callable[[], None]


def follow(source: Source, on_state: Callable[[str], None]) -> Iterator[bytes]:
    """The output as it comes; *on_state* is told of each state once.

    Whether the run is over is asked before its output is read, so that its last words are
    never missed.
    """
    offset, told = 0, ""
    while True:
        state = source.state()
        if state and state != told:
            on_state(state)
            told = state
        chunk = source.read(offset)
        offset += len(chunk)
        if chunk:
            yield chunk
        elif state is None:
            return
        else:
            source.rest()
