"""Constructors of rules that files at certain paths are absent or empty."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.inspection.contents import Contents, FileEntry, FileKind
from imagebake.policy.facts import ImageFacts
from imagebake.policy.rule import Breach, Rule, rule


def files_at(contents: Contents, *patterns: str) -> Iterator[FileEntry]:
    """Yield the entries that match *patterns* and are not directories."""
    for entry in contents.matching(*patterns):
        if entry.kind is not FileKind.DIRECTORY:
            yield entry


def absent(
    rule_id: str, title: str, *patterns: str, why: str, source: str, fix: str
) -> Rule[ImageFacts]:
    """Return the rule that no file matches *patterns*."""

    def check(facts: ImageFacts) -> Iterator[Breach]:
        return (
            Breach(entry.path, "it is in the image")
            for entry in files_at(facts.contents, *patterns)
        )

    return rule(rule_id, title, why=why, source=source, fix=fix)(check)


def empty(
    rule_id: str, title: str, *patterns: str, why: str, source: str, fix: str
) -> Rule[ImageFacts]:
    """Return the rule that every file that matches *patterns* is empty."""

    def check(facts: ImageFacts) -> Iterator[Breach]:
        for entry in files_at(facts.contents, *patterns):
            if entry.kind is FileKind.FILE and entry.size:
                yield Breach(entry.path, f"it has {entry.size} bytes")

    return rule(rule_id, title, why=why, source=source, fix=fix)(check)
