"""Render a draft as the YAML of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imagebake.audit.draft.model import Draft, DraftRegion, DraftStep
from imagebake.spec.yaml.nodes import quote_scalar, quote_sentence

_HEAD = "# yaml-language-server: $schema=../schemas/image-spec.v1.schema.json"
_PLAIN = re.compile(r"[A-Za-z/](?:[^\s:]|:(?=\S)|[ ](?=[^\s#]))*")
_UNSEEN = re.compile(r"[^\t\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]")


def render_spec(draft: Draft) -> str:
    """Render *draft*; fields that it lacks are omitted, so that loading the spec reports them."""
    blocks = (
        _top(draft),
        _mapping("source", draft.source),
        _local(draft),
        _gallery(draft),
        _pins(draft),
        _steps("customizers", draft.customizers),
        _steps("validators", draft.validators),
        _mapping("validation", draft.validation),
        _regions(draft.regions),
        _outputs(draft.outputs),
        _mapping("build", draft.build),
        _mapping("tags", draft.tags),
        _left_out(draft.left_out),
    )
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block))) + "\n"


def _top(draft: Draft) -> Iterator[str]:
    yield _HEAD
    yield ""
    yield f"name: {quote_scalar(draft.name)}"
    yield f"description: {quote_sentence(draft.description)}"
    yield f"owner: {quote_scalar(draft.owner)}"


def _mapping(key: str, values: Mapping[str, Any]) -> Iterator[str]:
    if values:
        yield f"{key}:"
        yield from _pairs(values, "  ")


def _pairs(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield a mapping, a line per key, more where a value is nested."""
    for name, value in values.items():
        key = f"{indent}{quote_scalar(name)}:"
        if isinstance(value, Mapping) and value:
            yield key
            yield from _pairs(value, f"{indent}  ")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            yield key
            yield from (line for item in value for line in _item(item, f"{indent}  "))
        else:
            yield f"{key} {_flow(value)}"


def _item(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield a mapping as an item of a list."""
    first, *others = _pairs(values, f"{indent}  ")
    yield f"{indent}- {first.strip()}"
    yield from others


def _flow(value: Any) -> str:  # noqa: ANN401 - what YAML has
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else quote_scalar(value)


def _outputs(outputs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for number, output in enumerate(outputs):
        if not number:
            yield "distribute:"
        yield from _item(output, "  ")


def _local(draft: Draft) -> Iterator[str]:
    if draft.suite:
        yield "local:"
        yield f"  suite: {draft.suite}"
        yield "  packages:"
        yield from (f"    - {package}" for package in draft.base)


def _gallery(draft: Draft) -> Iterator[str]:
    yield "gallery:"
    yield f"  definition: {quote_scalar(draft.definition)}"
    yield "  identifier:"
    yield from (f"    {key}: {quote_scalar(value)}" for key, value in draft.identifier.items())
    if draft.windows:
        yield "  os: Windows"
    yield f"  generation: {draft.generation}"
    yield f"  security: {draft.security}"
    yield f"  architecture: {draft.architecture}"
    if draft.replication:
        yield f"  replication: {draft.replication}"


def _pins(draft: Draft) -> Iterator[str]:
    files = list(_files(draft))
    yield "pins:" if files else "pins: []"
    yield from files
    if draft.packages:
        yield "# The template installs these, in whichever version there is. Pin them:"
    for package in draft.packages:
        name, _, version = package.partition("=")
        yield f"#  - package: {_comment_text(name)}"
        yield f"#    version: {_comment_text(version) or '?'}"


def _files(draft: Draft) -> Iterator[str]:
    for file in draft.files:
        yield f"  - file: {quote_scalar(file.file)}"
        yield "    version: imported"
        yield f"    sha256: {quote_scalar(file.sha256)}"
        yield f"    destination: {quote_scalar(file.destination)}"
        yield f'    mode: "{file.mode}"'


def _steps(key: str, steps: Iterable[DraftStep]) -> Iterator[str]:
    for number, step in enumerate(steps):
        if not number:
            yield f"{key}:"
        yield f"  - name: {quote_scalar(step.name)}"
        if step.network:
            yield "    network: required"
        yield from _pairs(step.asks, "    ")
        if step.inline:
            yield "    inline:"
        yield from (f"      - {_line(line)}" for line in step.inline)


def _line(text: str) -> str:
    """Return a shell line, quoted where YAML would read it as something else."""
    # Quoting every line would make scripts unreadable; quoted are those that YAML would change.
    plain = " " in text and text.isprintable() and _PLAIN.fullmatch(text)
    return text if plain else quote_scalar(text)


def _regions(regions: Iterable[DraftRegion]) -> Iterator[str]:
    for number, region in enumerate(regions):
        if not number:
            yield "regions:"
        yield f"  - name: {region.name}"
        if region.replicas is not None:
            yield f"    replicas: {region.replicas}"
        if region.storage is not None:
            yield f"    storage: {region.storage}"


def _left_out(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if not number:
            yield "# Not in this spec:"
        yield f"# - {_comment_text(line)}"


def _comment_text(text: str) -> str:
    """Replace the characters of *text* that a YAML comment may not hold."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
