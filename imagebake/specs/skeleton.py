"""The text of a new spec: what a person answered, and nothing that its base says already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagebake.spec.yaml.writing import written, written_words

_HEAD = "# yaml-language-server: $schema=../schemas/image-spec.v1.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a spec cannot be written without; *owner*, *cron* and *timezone* may be the base's."""

    name: str
    base: str
    description: str
    offer: str
    sku: str
    owner: str = ""
    cron: str = ""
    timezone: str = ""


def skeleton(answers: Answers, packages: Mapping[str, str]) -> str:
    """The spec of *answers* as YAML, with *packages* pinned at their versions."""
    return "\n".join([*_lines(answers), *_pins(packages), ""])


def _lines(answers: Answers) -> Iterator[str]:
    yield _HEAD
    yield ""
    yield f"extends: base/{answers.base}.yaml"
    yield ""
    yield f"name: {written_words(answers.name)}"
    yield f"description: {written_words(answers.description)}"
    if answers.owner:
        yield f"owner: {written_words(answers.owner)}"
    yield ""
    yield "gallery:"
    yield f"  definition: {written_words(answers.name)}"
    yield "  identifier:"
    yield f"    offer: {written_words(answers.offer)}"
    yield f"    sku: {written_words(answers.sku)}"
    if answers.cron:
        yield ""
        yield "schedule:"
        yield f"  cron: {written_words(answers.cron)}"
        if answers.timezone:
            yield f"  timezone: {written_words(answers.timezone)}"


def _pins(packages: Mapping[str, str]) -> Iterator[str]:
    if packages:
        yield ""
        yield "pins:"
    for package, version in packages.items():
        yield f"  - package: {written_words(package)}"
        yield f"    version: {written(version)}"
