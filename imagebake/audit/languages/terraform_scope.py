"""What expressions mean in a Terraform module: variables, locals, and the texts that it loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imagebake.audit.languages.evaluate import Function, Scope, evaluate
from imagebake.audit.languages.functions import (
    concat,
    contains,
    first_known,
    is_empty,
    item_at,
    length,
    listed,
    same,
    union,
)
from imagebake.audit.languages.hcl import Block, HclFile
from imagebake.audit.languages.nodes import (
    Call,
    Entry,
    Field,
    Items,
    Literal,
    Name,
    Node,
    Table,
    Unknown,
    text_of,
)
from imagebake.audit.languages.text_functions import decoded, encoded, of_texts, split, together
from imagebake.audit.languages.values import either, element, joined, unknown, written
from imagebake.audit.library import Library, beside

_PARTS = ("cloudinit_config", "template_cloudinit_config")


def _lookup(call: Call, arguments: tuple[Node, ...]) -> Node | None:
    """`lookup(table, key, default)`."""
    found = element(call, *arguments[:2]) if len(arguments) > 1 else None
    if isinstance(found, Literal) and found.value is None and len(arguments) > 2:  # noqa: PLR2004
        return arguments[2]
    return found


def _tried(call: Call, arguments: tuple[Node, ...]) -> Node | None:
    """`try(…)`: the first that is known."""
    known = [one for one in arguments if not isinstance(one, Unknown)]
    return known[0] if known and known[0] is arguments[0] else either(call, arguments)


def _yaml(call: Call, arguments: tuple[Node, ...]) -> Node | None:
    """Enough of YAML to see what a cloud-config asks for: a key and its values a line each."""
    if len(arguments) != 1 or not isinstance(arguments[0], Table):
        return None
    parts: list[Node] = []
    for one in arguments[0].entries.values():
        parts.append(Literal(call.source, one.at, f"{one.name}:"))
        values = one.value.items if isinstance(one.value, Items) else (one.value,)
        for value in values:
            mark = "\n  - " if isinstance(one.value, Items) else " "
            parts += (Literal(call.source, value.at, mark), value)
        parts.append(Literal(call.source, one.at, "\n"))
    return joined(call, parts)


FUNCTIONS: dict[str, Function] = {
    "base64decode": of_texts(decoded, 1),
    "base64encode": of_texts(encoded, 1),
    "base64gzip": of_texts(encoded, 1),
    "can": lambda call, _: unknown(call, "it is known once it is deployed"),
    "chomp": of_texts(lambda text: text.rstrip("\r\n"), 1),
    "coalesce": first_known,
    "concat": concat,
    "contains": contains,
    "element": lambda call, given: element(call, *given[:2]) if len(given) > 1 else None,
    "indent": lambda _, given: given[1] if len(given) > 1 else None,
    "isempty": is_empty,
    "join": together,
    "jsonencode": same,
    "length": length,
    "list": listed,
    "lookup": _lookup,
    "lower": of_texts(lambda text: text.lower(), 1),
    "merge": union,
    "nonsensitive": same,
    "one": item_at(0),
    "sensitive": same,
    "split": lambda call, given: split(call, given[::-1]),
    "tobool": of_texts(lambda one: written(one).lower() == "true", 1),
    "tolist": same,
    "tomap": same,
    "tonumber": of_texts(int, 1),
    "toset": same,
    "tostring": of_texts(written, 1),
    "trimspace": of_texts(lambda text: text.strip(), 1),
    "try": _tried,
    "upper": of_texts(lambda text: text.upper(), 1),
    "yamlencode": _yaml,
}
"""By their names; those that read files are the scope's."""


class TerraformScope(Scope):
    """The files of a folder as one module, with what it is *given*."""

    functions = FUNCTIONS

    def __init__(
        self, files: tuple[HclFile, ...], given: Mapping[str, Node], library: Library
    ) -> None:
        super().__init__()
        self.library = library
        self.budget = library.budget
        self.given = given
        self.raw: dict[str, Callable[[], Node | None]] = {}
        self.texts: dict[tuple[str, str], Block] = {}
        self.variables: dict[str, Node | None] = {}
        self.locals: dict[str, Node] = {}
        for file in files:
            self.take(file)

    def take(self, file: HclFile) -> None:
        """Know what *file* declares."""
        for block in file.blocks:
            name = block.labels[0] if block.labels else ""
            if block.kind == "variable":
                default = block.attributes.get("default")
                self.variables[name] = default.value if default else None
            elif block.kind == "locals":
                self.locals |= {one.name: one.value for one in block.attributes.values()}
            elif block.kind == "data" and len(block.labels) > 1:
                self.texts[name, block.labels[1]] = block

    def named(self, node: Name) -> Node:
        """What a name alone means."""
        for names in reversed(self.bound):
            if node.name in names:
                return names[node.name]
        return unknown(node, f"{node.name!r} is known once it is deployed")

    def field(self, node: Field) -> Node | None:
        """What `var.name`, `local.name`, `each.value` and a rendered text mean."""
        if isinstance(node.base, Name) and not any(node.base.name in one for one in self.bound):
            match node.base.name:
                case "var":
                    return self.variable(node)
                case "local":
                    raw = self.locals.get(node.name)
                    return self.declared(node, f"local.{node.name}", raw)
                case "path":
                    return Literal(node.source, node.at, ".")
        if isinstance(node.base, Field) and node.name == "rendered":
            return self.rendered(node, node.base)
        return None

    def variable(self, node: Field) -> Node:
        """A variable: what the module is given, or its default."""
        if node.name.lower() in self.given:
            return self.given[node.name.lower()]
        if node.name in self.variables and self.variables[node.name] is None:
            return unknown(node, f"the variable {node.name!r} has no default")
        return self.declared(node, f"var.{node.name}", self.variables.get(node.name))

    def declared(self, node: Node, name: str, raw: Node | None) -> Node:
        """The value of *raw*, where there is any."""
        if raw is None:
            return unknown(node, f"{name} is not declared")
        return self.once(node, name, name, raw)

    def rendered(self, node: Field, base: Field) -> Node | None:
        """The text of a `template_file` or of the parts of a `cloudinit_config`."""
        if not isinstance(base.base, Field) or not isinstance(base.base.base, Name):
            return None
        block = self.texts.get((base.base.name, base.name))
        if block is None or base.base.base.name != "data":
            return None
        if base.base.name == "template_file" and "template" in block.attributes:
            return evaluate(block.attributes["template"].value, self)
        if base.base.name in _PARTS:
            contents = [part.attributes.get("content") for part in block.inner("part")]
            values = [evaluate(one.value, self) for one in contents if isinstance(one, Entry)]
            lines = [part for one in values for part in (one, _line_end(one))]
            return joined(node, lines)
        return None

    def call(self, node: Call) -> Node:
        """What a call comes to; a file that is named is read."""
        if node.name in {"file", "templatefile", "filebase64"} and node.arguments:
            path = text_of(evaluate(node.arguments[0], self))
            source = self.library.files.read(beside(node.source, path)) if path else None
            if source is None:
                return unknown(node, "the file is not here")
            text = encoded(source.text) if node.name == "filebase64" else source.text
            return Literal(source, 0, text)
        return super().call(node)


def _line_end(node: Node) -> Literal:
    return Literal(node.source, node.at, "\n")
