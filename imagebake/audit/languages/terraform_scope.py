"""Evaluation in a Terraform module: variables, locals, functions and the files that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imagebake.audit.languages.evaluate import EvaluationScope, Function, evaluate
from imagebake.audit.languages.functions import (
    base64_decode,
    base64_encode,
    coalesce,
    concat,
    contains,
    first_argument,
    is_empty,
    item_at,
    join_list,
    length,
    make_list,
    scalar_function,
    split_text,
    union,
)
from imagebake.audit.languages.hcl import HclBlock, HclFile
from imagebake.audit.languages.nodes import (
    FunctionCall,
    Identifier,
    ListValue,
    Literal,
    MemberAccess,
    Node,
    ObjectEntry,
    ObjectValue,
    UnknownValue,
    text_of,
)
from imagebake.audit.languages.values import (
    concatenate,
    get_element,
    make_unknown,
    one_of,
    scalar_text,
)
from imagebake.audit.library import TemplateLibrary, relative_to

_CLOUDINIT_CONFIGS = ("cloudinit_config", "template_cloudinit_config")


def _lookup(call: FunctionCall, arguments: tuple[Node, ...]) -> Node | None:
    """`lookup(map, key, default)`."""
    found = get_element(call, *arguments[:2]) if len(arguments) > 1 else None
    if isinstance(found, Literal) and found.value is None and len(arguments) > 2:  # noqa: PLR2004
        return arguments[2]
    return found


def _tried(call: FunctionCall, arguments: tuple[Node, ...]) -> Node | None:
    """`try(…)`: the first argument that is known."""
    known = [argument for argument in arguments if not isinstance(argument, UnknownValue)]
    return known[0] if known and known[0] is arguments[0] else one_of(call, arguments)


def _yaml(call: FunctionCall, arguments: tuple[Node, ...]) -> Node | None:
    """Render enough YAML to recognise a cloud-config: one line per key and value."""
    if len(arguments) != 1 or not isinstance(arguments[0], ObjectValue):
        return None
    parts: list[Node] = []
    for member in arguments[0].entries.values():
        parts.append(Literal(call.source, member.at, f"{member.name}:"))
        values = member.value.items if isinstance(member.value, ListValue) else (member.value,)
        for value in values:
            mark = "\n  - " if isinstance(member.value, ListValue) else " "
            parts += (Literal(call.source, value.at, mark), value)
        parts.append(Literal(call.source, member.at, "\n"))
    return concatenate(call, parts)


TERRAFORM_FUNCTIONS: dict[str, Function] = {
    "base64decode": scalar_function(base64_decode, 1),
    "base64encode": scalar_function(base64_encode, 1),
    # The audit looks for text, so gzip is left out of `base64gzip`.
    "base64gzip": scalar_function(base64_encode, 1),
    "can": lambda call, _: make_unknown(call, "it is known once it is deployed"),
    "chomp": scalar_function(lambda text: text.rstrip("\r\n"), 1),
    "coalesce": coalesce,
    "concat": concat,
    "contains": contains,
    "element": lambda call, given: get_element(call, *given[:2]) if len(given) > 1 else None,
    "indent": lambda _, given: given[1] if len(given) > 1 else None,
    "isempty": is_empty,
    "join": join_list,
    "jsonencode": first_argument,
    "length": length,
    "list": make_list,
    "lookup": _lookup,
    "lower": scalar_function(lambda text: text.lower(), 1),
    "merge": union,
    "nonsensitive": first_argument,
    "one": item_at(0),
    "sensitive": first_argument,
    "split": lambda call, given: split_text(call, given[::-1]),
    "tobool": scalar_function(lambda value: scalar_text(value).lower() == "true", 1),
    "tolist": first_argument,
    "tomap": first_argument,
    "tonumber": scalar_function(int, 1),
    "toset": first_argument,
    "tostring": scalar_function(scalar_text, 1),
    "trimspace": scalar_function(lambda text: text.strip(), 1),
    "try": _tried,
    "upper": scalar_function(lambda text: text.upper(), 1),
    "yamlencode": _yaml,
}
"""By name; the functions that read files belong to the scope."""


class TerraformScope(EvaluationScope):
    """The files of a folder as one module; *given* are the variables that its caller sets."""

    functions = TERRAFORM_FUNCTIONS

    def __init__(
        self, files: tuple[HclFile, ...], given: Mapping[str, Node], library: TemplateLibrary
    ) -> None:
        super().__init__()
        self.library = library
        self.budget = library.budget
        self.given = given
        self.raw: dict[str, Callable[[], Node | None]] = {}
        self.texts: dict[tuple[str, str], HclBlock] = {}
        self.variables: dict[str, Node | None] = {}
        self.locals: dict[str, Node] = {}
        for file in files:
            self._declare(file)

    def _declare(self, file: HclFile) -> None:
        """Record the variables, locals and data sources of *file*."""
        for block in file.blocks:
            name = block.labels[0] if block.labels else ""
            if block.kind == "variable":
                default = block.attributes.get("default")
                self.variables[name] = default.value if default else None
            elif block.kind == "locals":
                self.locals |= {
                    attribute.name: attribute.value for attribute in block.attributes.values()
                }
            elif block.kind == "data" and len(block.labels) > 1:
                self.texts[name, block.labels[1]] = block

    def resolve_name(self, node: Identifier) -> Node:
        """Return the value of a loop variable."""
        for names in reversed(self.bindings):
            if node.name in names:
                return names[node.name]
        return make_unknown(node, f"{node.name!r} is known once it is deployed")

    def resolve_member(self, node: MemberAccess) -> Node | None:
        """Return `var.name`, `local.name`, `path.name` or a rendered template."""
        if isinstance(node.base, Identifier) and not any(
            node.base.name in names for names in self.bindings
        ):
            match node.base.name:
                case "var":
                    return self.variable(node)
                case "local":
                    raw = self.locals.get(node.name)
                    return self.declared_value(node, f"local.{node.name}", raw)
                case "path":
                    return Literal(node.source, node.at, ".")
        if isinstance(node.base, MemberAccess) and node.name == "rendered":
            return self.rendered(node, node.base)
        return None

    def variable(self, node: MemberAccess) -> Node:
        """Return a variable as the caller sets it, or its default."""
        if node.name.lower() in self.given:
            return self.given[node.name.lower()]
        if node.name in self.variables and self.variables[node.name] is None:
            return make_unknown(node, f"the variable {node.name!r} has no default")
        return self.declared_value(node, f"var.{node.name}", self.variables.get(node.name))

    def declared_value(self, node: Node, name: str, raw: Node | None) -> Node:
        """Evaluate *raw* once, if it is declared."""
        if raw is None:
            return make_unknown(node, f"{name} is not declared")
        return self.evaluate_once(node, name, name, raw)

    def rendered(self, node: MemberAccess, base: MemberAccess) -> Node | None:
        """Return the text of a `template_file` or of the parts of a `cloudinit_config`."""
        if not isinstance(base.base, MemberAccess) or not isinstance(base.base.base, Identifier):
            return None
        block = self.texts.get((base.base.name, base.name))
        if block is None or base.base.base.name != "data":
            return None
        if base.base.name == "template_file" and "template" in block.attributes:
            return evaluate(block.attributes["template"].value, self)
        if base.base.name in _CLOUDINIT_CONFIGS:
            contents = [part.attributes.get("content") for part in block.inner("part")]
            values = [
                evaluate(content.value, self)
                for content in contents
                if isinstance(content, ObjectEntry)
            ]
            lines = [part for value in values for part in (value, _line_end(value))]
            return concatenate(node, lines)
        return None

    def call_function(self, node: FunctionCall) -> Node:
        """Evaluate a call; `file`, `templatefile` and `filebase64` read the file."""
        if node.name in {"file", "templatefile", "filebase64"} and node.arguments:
            path = text_of(evaluate(node.arguments[0], self))
            source = self.library.files.read(relative_to(node.source, path)) if path else None
            if source is None:
                return make_unknown(node, "the file is not here")
            text = base64_encode(source.text) if node.name == "filebase64" else source.text
            return Literal(source, 0, text)
        return super().call_function(node)


def _line_end(node: Node) -> Literal:
    return Literal(node.source, node.at, "\n")
