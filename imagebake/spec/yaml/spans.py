"""Character spans of the nodes of a YAML text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
BLOCK_STYLES = ("|", ">")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from *start* to *end* of a text."""

    start: int
    end: int


def compose(text: str) -> MappingNode:
    """Return the tree of *text*, which the strict reader has accepted, with every mark."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, MappingNode)  # noqa: S101 - the strict reader accepts nothing else
    return root


def span(node: Node, text: str) -> Span:
    """Return the characters of *node* itself: no comment, no blank line after it."""
    start = node.start_mark.index
    if isinstance(node, ScalarNode):
        end = node.end_mark.index
        if node.style in BLOCK_STYLES:
            end = start + len(_content(text[start:end]))
        return Span(start, end)
    if not isinstance(node, CollectionNode) or node.flow_style:
        return Span(start, node.end_mark.index)
    return Span(start, span(_last(node), text).end)


def _content(block: str) -> str:
    """Return a block scalar without trailing line breaks that are not part of it."""
    # With the indicator '+' the line breaks at the end belong to the value.
    if "+" in block[: line_end(block, 0)].partition("#")[0]:
        return block[: line_start(block, len(block)) - 1] if block[-1:] in "\r\n" else block
    return block.rstrip()


def _last(node: CollectionNode) -> Node:
    """Return the last node of a block collection, which is never empty."""
    last: Node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    return last


def value_of(node: Node, key: str) -> Node | None:
    """Return the value of *key* in a mapping; None where it is missing."""
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def key_of(node: MappingNode, key: str) -> ScalarNode:
    """Return the node of *key*, which exists."""
    found: ScalarNode = next(name for name, _ in node.value if name.value == key)
    return found


def items_of(node: Node | None) -> list[Node]:
    """Return the items of a list; empty for any other node."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def dashes(text: str, sequence: SequenceNode) -> list[int]:
    """Return the offset of the dash of each item of a block sequence."""
    column = sequence.start_mark.column
    first, end = sequence.start_mark.index, span(sequence, text).end
    found = [
        token.start_mark.index
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.BlockEntryToken) and token.start_mark.column == column
    ]
    return [index for index in found if first <= index < end]


def line_end(text: str, index: int) -> int:
    """Return the offset at which the line of *index* ends, before its line break."""
    found = _BREAK.search(text, index)
    return found.start() if found else len(text)


def next_line(text: str, index: int) -> int:
    """Return the offset of the line after that of *index*, or the end of the text."""
    found = _BREAK.search(text, index)
    return found.end() if found else len(text)


def line_start(text: str, index: int) -> int:
    """Return the offset at which the line of *index* begins."""
    return max((found.end() for found in _BREAK.finditer(text, 0, index)), default=0)


def line_break(text: str) -> str:
    """Return the line break that *text* uses."""
    found = _BREAK.search(text)
    return found[0] if found else "\n"
