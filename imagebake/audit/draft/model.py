"""Draft of a spec: the values of an image template under the names of a spec's fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.kernel.diagnostics import Diagnostic

CODES = {
    "I101": "a step is for another system than the image",
    "I102": "a step is of a kind that is not known",
    "I103": "what a step fetches has no checksum",
    "I104": "what a step fetches cannot be pinned",
    "I105": "the source image's version is not exact",
    "I106": "the source is of a kind that is not known",
    "I107": "a step needs the network",
    "I108": "a step installs packages",
    "I109": "a step or a tag has a secret in it",
    "I110": "a value is known once it is deployed",
    "I111": "a distributor has no place in a spec",
    "I112": "a setting has no place in a spec",
    "I113": "a spec says what the template does not",
    "I114": "a value is spelled otherwise in a spec",
    "I115": "a setting is deprecated",
}
"""Titles of the findings of `import`, by code; a code never changes its meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStep:
    """A customizer or validator; *asks* are its fields besides the lines."""

    name: str
    inline: tuple[str, ...] = ()
    network: bool = False
    asks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """A file by address and digest."""

    file: str
    sha256: str
    destination: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRegion:
    """A region that gets replicas; None stands for the spec's default."""

    name: str
    replicas: int | None = None
    storage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A spec as far as the template has it; empty fields are those it does not state.

    *findings* are about the template's text. *left_out* has a line for each part of the template
    that is not in the draft.
    """

    name: str
    description: str
    owner: str
    source: dict[str, Any]
    definition: str
    identifier: dict[str, str]
    generation: str
    security: str
    architecture: str
    customizers: tuple[DraftStep, ...]
    validators: tuple[DraftStep, ...]
    files: tuple[DraftFile, ...]
    regions: tuple[DraftRegion, ...]
    build: dict[str, Any]
    tags: dict[str, str]
    packages: tuple[str, ...]
    left_out: tuple[str, ...]
    findings: tuple[Diagnostic, ...]
    windows: bool = False
    validation: Mapping[str, bool] = field(default_factory=dict)
    outputs: tuple[Mapping[str, Any], ...] = ()
    replication: str = ""
    suite: str = ""
    base: tuple[str, ...] = ()
