"""What expressions mean in a template of Azure Resource Manager."""

from __future__ import annotations

from collections.abc import Mapping

from imagebake.audit.languages.evaluate import Scope, choice, evaluate
from imagebake.audit.languages.expressions import read_expression
from imagebake.audit.languages.functions import FUNCTIONS
from imagebake.audit.languages.nodes import (
    Call,
    Entry,
    Items,
    Literal,
    Loop,
    Name,
    Node,
    Table,
    Unknown,
    entry,
    text_of,
)
from imagebake.audit.languages.tokens import Malformed
from imagebake.audit.languages.values import truth, unknown

_IF = 3
_TURNS = 50
_SHALLOW = 60
"""What is worked out deeper than this may lack what there was no room left for."""


class ArmScope(Scope):
    """The parameters and variables of a template."""

    functions = FUNCTIONS

    def __init__(self, template: Table | None, given: Mapping[str, Node]) -> None:
        super().__init__()
        self.given = given
        self.defaults = _tables(entry(template, "parameters"))
        self.variables = _tables(entry(template, "variables"))

    def literal(self, node: Literal) -> Node:
        """What a text means: in brackets it is an expression."""
        text = str(node.value)
        if not text.startswith("[") or not text.endswith("]"):
            return node
        if text.startswith("[["):
            return node._replace(value=text[1:])
        try:
            return evaluate(read_expression(node.source, node.at, text[1:-1]), self)
        except Malformed as error:
            return unknown(node, f"its expression cannot be read: {error.message}")

    def table(self, node: Table) -> Table:
        """A table with the properties that its `copy` makes."""
        copies = node.entries.get("copy")
        if copies is None or not isinstance(copies.value, Items):
            return node
        entries = {key: one for key, one in node.entries.items() if key != "copy"}
        for item in copies.value.items:
            name, made = text_of(entry(item, "name")), entry(item, "input")
            if name and made:
                turns = self.turns(entry(item, "count") or item)
                loop = Loop(item.source, item.at, (f"copyIndex {name}",), turns, made)
                entries[name.lower()] = Entry(item.at, name, loop)
        return node._replace(entries=entries)

    def turns(self, count: Node) -> Node:
        """What a copy loop goes over: the numbers up to *count*, where that is known."""
        known = evaluate(count, self)
        if not isinstance(known, Literal) or not isinstance(known.value, int):
            return unknown(count, known.why if isinstance(known, Unknown) else "it is no number")
        if known.value > _TURNS:
            return unknown(count, "it goes round too often to be worked out")
        each = (Literal(known.source, known.at, number) for number in range(known.value))
        return Items(known.source, known.at, tuple(each))

    def call(self, node: Call) -> Node:
        """What a call comes to, that of a parameter or a variable above all."""
        name = node.name.lower()
        if name == "if" and len(node.arguments) == _IF:
            return choice(node, node.arguments, self)
        if name == "copyindex" and len(node.arguments) == 1:
            loop = text_of(evaluate(node.arguments[0], self))
            return self.named(Name(node.source, node.at, f"copyIndex {loop}"))
        if name in {"parameters", "variables"} and node.arguments:
            wanted = evaluate(node.arguments[0], self)
            text = text_of(wanted)
            if text is None:
                return unknown(node, f"the name of its {name[:-1]} is not known")
            return self.reached(node, name, text.lower(), text)
        return super().call(node)

    def reached(self, node: Node, kind: str, key: str, name: str) -> Node:
        """The value of a parameter or a variable, worked out once."""
        place = (kind, key)
        if place in self.known:
            return self.known[place]
        if kind == "parameters" and key in self.given:
            return self.given[key]
        raw = self.variables.get(key)
        if kind == "parameters":
            raw = entry(self.defaults.get(key), "defaultValue")
        if raw is None and truth(entry(self.defaults.get(key), "nullable") or node):
            return Literal(node.source, node.at, None)
        if raw is None:
            lacks = "has no default" if kind == "parameters" else "is not written out"
            return unknown(node, f"the {kind[:-1]} {name!r} {lacks}")
        return self.once(node, place, f"the {kind[:-1]} {name!r}", raw)

    @property
    def settled(self) -> bool:
        """Whether nothing was left out because the tree is deep; circles come out alike."""
        return self.depth < _SHALLOW


def _tables(node: Node | None) -> dict[str, Node]:
    """The values of a table by their names in lower case."""
    if not isinstance(node, Table):
        return {}
    return {key: one.value for key, one in node.entries.items()}
