"""Files in memory, and what is found in them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

import pytest

from imagebake.audit.findings import DependencyReport
from imagebake.audit.library import TemplateLibrary
from imagebake.audit.scan import scan_templates
from imagebake.audit.source import SourceText

Survey = Callable[..., DependencyReport]


class TextFiles:
    """Files that are texts by their paths."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def read(self, path: str) -> SourceText | None:
        return SourceText(path, self.texts[path]) if path in self.texts else None

    def folder(self, path: str) -> tuple[str, ...]:
        wanted = "" if path == "." else path
        return tuple(
            name
            for name in sorted(self.texts)
            if name.endswith((".tf", ".tfvars")) and posixpath.dirname(name) == wanted
        )


@pytest.fixture
def look() -> Survey:
    """The report on files, given by their paths."""

    def look_at(texts: Mapping[str, str], *paths: str) -> DependencyReport:
        library = TemplateLibrary(TextFiles(texts))
        wanted = paths or tuple(name for name in texts if not name.endswith(".tfvars"))
        return scan_templates(
            wanted, library, lambda publisher, kind: (f"{publisher}/{kind}", False)
        )

    return look_at


def finding_lines(report: DependencyReport) -> list[str]:
    """Every debt as `path:line:column rule message`."""
    return [
        f"{debt.path}:{debt.line}:{debt.column} {debt.rule.id} {debt.message}"
        for debt in report.dependencies
    ]


def extensions(report: DependencyReport) -> set[str]:
    """The handlers on the way of creating machines."""
    return {debt.subject for debt in report.dependencies if debt.rule.id == "D101"}
