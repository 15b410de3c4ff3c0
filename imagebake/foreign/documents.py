"""JSON documents that stand as texts inside of other files."""

from __future__ import annotations

from imagebake.foreign.json_reader import read_json
from imagebake.foreign.nodes import Literal, Node, Table, Unknown
from imagebake.foreign.source import Source

_HOLE = "${…}"


def document_of(node: Node | None) -> Node | None:
    """The value that *node* is, or the JSON that it is the text of; None where it is neither.

    What nobody knows in the text is null, where it stands for more than a part of a text.
    """
    if isinstance(node, Table):
        return node
    text = node.value if isinstance(node, Literal) else getattr(node, "text", None)
    if not isinstance(node, Literal | Unknown) or not isinstance(text, str):
        return None
    if not text.lstrip().startswith("{"):
        return None
    source = Source(node.source.path, text, _start(node, text))
    reading = read_json(source)
    if reading.flaws and _HOLE in text:
        reading = read_json(Source(source.path, text.replace(_HOLE, "null"), source.start))
    return reading.root


def _start(node: Literal | Unknown, text: str) -> int:
    """The line of the file that the text begins on.

    Of a text over several lines, its first line is looked for where the text is.
    """
    line = node.source.place(node.at)[0]
    first = next((one.strip() for one in text.splitlines() if one.strip()), "")
    if not first:
        return line
    found = node.source.text.find(first, node.at)
    if found < 0:
        return line
    blank = next(number for number, one in enumerate(text.splitlines()) if one.strip())
    return node.source.place(found)[0] - blank
