"""Which packages can have a part in an installation at all.

Apt reads a suite's whole index before it looks at anything. What no chain of dependencies
leads to cannot change what it decides, and that is most of an archive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from imagebake.lock.archive_index import Index

_DEPENDS = re.compile(rb"^(?:Pre-)?Depends: (.*(?:\n[ \t].*)*)", re.MULTILINE)
_PROVIDES = re.compile(rb"^Provides: (.*(?:\n[ \t].*)*)", re.MULTILINE)
_NAME = re.compile(rb"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")


def within_reach(names: Iterable[str], indexes: Sequence[Index]) -> tuple[Index, ...]:
    """The *indexes* without what *names* do not lead to, by any alternative or provider."""
    providers = _providers(indexes)
    reached: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= providers.get(name, set()) - reached
        for index in indexes:
            for stanza in index.stanzas.get(name, ()):
                waiting |= set(_named(_DEPENDS, stanza)) - reached
    return tuple(
        Index({name: found for name, found in index.stanzas.items() if name in reached})
        for index in indexes
    )


def _providers(indexes: Sequence[Index]) -> dict[str, set[str]]:
    """Who stands in for whom."""
    providers: dict[str, set[str]] = {}
    for index in indexes:
        for name, found in index.stanzas.items():
            for stanza in found:
                if b"\nProvides: " in stanza:
                    for provided in _named(_PROVIDES, stanza):
                        providers.setdefault(provided, set()).add(name)
    return providers


def _named(field: re.Pattern[bytes], stanza: bytes) -> Iterator[str]:
    for value in field.findall(stanza):
        for name in _NAME.findall(value):
            yield name.decode()
