"""Resources and expressions of Azure Resource Manager templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from imagebake.audit.languages.evaluate import EvaluationScope, evaluate, evaluate_conditional
from imagebake.audit.languages.expressions import parse_expression
from imagebake.audit.languages.functions import FUNCTIONS
from imagebake.audit.languages.nodes import (
    ForExpression,
    FunctionCall,
    Identifier,
    ListValue,
    Literal,
    Node,
    ObjectEntry,
    ObjectValue,
    UnknownValue,
    lookup,
    options_of,
    text_of,
)
from imagebake.audit.languages.tokens import ParseError
from imagebake.audit.languages.values import as_bool, make_unknown, one_of
from imagebake.audit.library import TemplateLibrary, relative_to
from imagebake.audit.model import AuditedResource, ResourceContext, Unresolved, location_text

_IF_ARGUMENTS = 3
_ITERATIONS_MAX = 50
_SHALLOW = 60
"""Values evaluated below this depth may be cut off by the depth limit, so none is cached."""


class ArmScope(EvaluationScope):
    """Parameters and variables of a template."""

    functions = FUNCTIONS

    def __init__(self, template: ObjectValue | None, given: Mapping[str, Node]) -> None:
        super().__init__()
        self.given = given
        self.defaults = _members(lookup(template, "parameters"))
        self.variables = _members(lookup(template, "variables"))

    def resolve_literal(self, node: Literal) -> Node:
        """Evaluate a text in brackets as an expression; `[[` is an escaped bracket."""
        text = str(node.value)
        if not text.startswith("[") or not text.endswith("]"):
            return node
        if text.startswith("[["):
            return node._replace(value=text[1:])
        try:
            return evaluate(parse_expression(node.source, node.at, text[1:-1]), self)
        except ParseError as error:
            return make_unknown(node, f"its expression cannot be read: {error.message}")

    def expand_object(self, node: ObjectValue) -> ObjectValue:
        """Add the properties that the object's `copy` generates."""
        copies = node.entries.get("copy")
        if copies is None or not isinstance(copies.value, ListValue):
            return node
        entries = {key: member for key, member in node.entries.items() if key != "copy"}
        for item in copies.value.items:
            name, made = text_of(lookup(item, "name")), lookup(item, "input")
            if name and made:
                turns = self.loop_range(lookup(item, "count") or item)
                loop = ForExpression(item.source, item.at, (f"copyIndex {name}",), turns, made)
                entries[name.lower()] = ObjectEntry(item.at, name, loop)
        return node._replace(entries=entries)

    def loop_range(self, count: Node) -> Node:
        """Return the numbers up to *count*, or an unknown value."""
        known = evaluate(count, self)
        if not isinstance(known, Literal) or not isinstance(known.value, int):
            return make_unknown(
                count, known.why if isinstance(known, UnknownValue) else "it is no number"
            )
        if known.value > _ITERATIONS_MAX:
            return make_unknown(count, "it goes round too often to be worked out")
        each = (Literal(known.source, known.at, number) for number in range(known.value))
        return ListValue(known.source, known.at, tuple(each))

    def call_function(self, node: FunctionCall) -> Node:
        """Evaluate a call, including `parameters()`, `variables()` and `copyIndex()`."""
        name = node.name.lower()
        if name == "if" and len(node.arguments) == _IF_ARGUMENTS:
            return evaluate_conditional(node, node.arguments, self)
        if name == "copyindex" and len(node.arguments) == 1:
            loop = text_of(evaluate(node.arguments[0], self))
            # No identifier has a space, so no parameter is taken for the loop's variable.
            return self.resolve_name(Identifier(node.source, node.at, f"copyIndex {loop}"))
        if name in {"parameters", "variables"} and node.arguments:
            wanted = evaluate(node.arguments[0], self)
            text = text_of(wanted)
            if text is None:
                return make_unknown(node, f"the name of its {name[:-1]} is not known")
            return self.declared_value(node, name, text.lower(), text)
        return super().call_function(node)

    def declared_value(self, node: Node, kind: str, key: str, name: str) -> Node:
        """Return the value of a parameter or a variable, evaluated once."""
        place = (kind, key)
        if place in self.evaluated:
            return self.evaluated[place]
        if kind == "parameters" and key in self.given:
            return self.given[key]
        raw = self.variables.get(key)
        if kind == "parameters":
            raw = lookup(self.defaults.get(key), "defaultValue")
        if raw is None and as_bool(lookup(self.defaults.get(key), "nullable") or node):
            return Literal(node.source, node.at, None)
        if raw is None:
            lacks = "has no default" if kind == "parameters" else "is not written out"
            return make_unknown(node, f"the {kind[:-1]} {name!r} {lacks}")
        return self.evaluate_once(node, place, f"the {kind[:-1]} {name!r}", raw)

    @property
    def settled(self) -> bool:
        """Whether the depth limit is far enough away that the value is complete."""
        return self.depth < _SHALLOW


def _members(node: Node | None) -> dict[str, Node]:
    """Return the values of an object by their keys in lower case."""
    if not isinstance(node, ObjectValue):
        return {}
    return {key: member.value for key, member in node.entries.items()}


DEPLOYMENTS = "microsoft.resources/deployments"
IMAGE_TEMPLATES = "microsoft.virtualmachineimages/imagetemplates"
IMAGE_DEFINITIONS = "microsoft.compute/galleries/images"
_MACHINES = ("microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets")
_OF_MACHINES = ("extensions", "runcommands", "virtualmachines/extensions")
AUDITED_TYPES = frozenset(
    (
        IMAGE_TEMPLATES,
        IMAGE_DEFINITIONS,
        *_MACHINES,
        *(f"{machine}/{part}" for machine in _MACHINES for part in _OF_MACHINES),
    )
)
"""Types of the resources that are audited, in lower case."""

_ELSEWHERE = "it is somewhere else"


class _Spot(NamedTuple):
    """A node that is still to be visited, and its surroundings.

    *parent* is the type of the resource that it is a child of. *outer* says that a nested
    template in it is evaluated in the outer scope and has no parameters of its own.
    """

    node: Node
    scope: ArmScope
    context: ResourceContext
    parent: str = ""
    outer: bool = False


def find_resources(
    root: Node, scope: ArmScope, context: ResourceContext, library: TemplateLibrary
) -> Iterator[AuditedResource | Unresolved]:
    """Yield the resources of the document *root* that create or change machines, in order.

    Afterwards the loops of unknown length are among the gaps of *scope*.
    """
    scope.budget = library.budget
    waiting = [_Spot(root, scope, context)]
    while waiting:
        spot = waiting.pop()
        if isinstance(spot.node, ListValue):
            waiting += [spot._replace(node=item) for item in reversed(spot.node.items)]
        elif isinstance(table := spot.node, ObjectValue):
            if kind := _kind(table, spot):
                spot = spot._replace(context=_with_conditions(table, spot.context))
            if kind == DEPLOYMENTS:
                yield from _linked_template(table, spot, library)
            elif kind in AUDITED_TYPES:
                yield _resource(table, kind, spot)
            # Reversed, because a stack yields the last one first; findings keep the file's order.
            waiting += reversed([*_inside(table, kind, spot)])


def _inside(table: ObjectValue, kind: str, spot: _Spot) -> Iterator[_Spot]:
    """Yield the children to visit next."""
    # Azure's default is "outer": a nested template's expressions are evaluated by its parent.
    inner = text_of(lookup(table, "properties", "expressionEvaluationOptions", "scope")) or "outer"
    for key, member in table.entries.items():
        if not isinstance(member.value, ObjectValue | ListValue):
            continue
        inside = _Spot(member.value, spot.scope, spot.context)
        if key == "resources" and kind not in {"", DEPLOYMENTS}:
            inside = inside._replace(parent=kind)
        elif key == "properties" and kind == DEPLOYMENTS:
            inside = inside._replace(outer=inner.lower() == "outer")
        elif key == "template" and isinstance(member.value, ObjectValue) and not spot.outer:
            inside = inside._replace(scope=_own_scope(member.value, table, spot.scope))
        elif key == "policyrule":
            inside = inside._replace(context=spot.context._replace(policy=True))
        elif key == "resources":
            inside = inside._replace(parent=spot.parent)
        yield inside


def _own_scope(template: ObjectValue, deployment: ObjectValue, scope: ArmScope) -> ArmScope:
    """Return the scope of a nested template with parameters of its own."""
    # An object that happens to be called `template` is none.
    if "resources" not in template.entries:
        return scope
    own = ArmScope(template, _deployment_parameters(deployment, scope))
    own.unresolved, own.budget = scope.unresolved, scope.budget
    return own


def _deployment_parameters(deployment: ObjectValue, scope: ArmScope) -> dict[str, Node]:
    given = {}
    parameters = lookup(deployment, "parameters")
    for key, member in parameters.entries.items() if isinstance(parameters, ObjectValue) else ():
        options = options_of(evaluate(member.value, scope))
        values = [value for option in options if (value := lookup(option, "value")) is not None]
        if values:
            given[key] = one_of(member.value, values)
    return given


def _kind(table: ObjectValue, spot: _Spot) -> str:
    """Return the full type of a resource in lower case; empty for any other object."""
    kind = (text_of(lookup(table, "type")) or "").lower()
    resource = "apiversion" in table.entries or "name" in table.entries
    properties = lookup(table, "properties")
    if isinstance(properties, ObjectValue) and {"source", "distribute"} <= set(properties.entries):
        return IMAGE_TEMPLATES  # samples leave the type out, or misspell it
    if not kind or not resource or kind.startswith("["):
        return ""
    if "/" not in kind:
        return f"{spot.parent}/{kind}" if spot.parent else ""
    return kind


def _with_conditions(table: ObjectValue, context: ResourceContext) -> ResourceContext:
    return context._replace(
        repeated=context.repeated or "copy" in table.entries,
        conditional=context.conditional or "condition" in table.entries,
    )


def _resource(table: ObjectValue, kind: str, spot: _Spot) -> AuditedResource:
    left = {
        key: member for key, member in table.entries.items() if key not in {"resources", "copy"}
    }
    body = evaluate(table._replace(entries=left), spot.scope)
    name = lookup(body, "name")
    shown = name.text if isinstance(name, UnknownValue) else text_of(name)
    return AuditedResource(
        source=table.source,
        at=table.at,
        kind=kind,
        api=text_of(lookup(body, "apiVersion")) or "",
        name=shown or "",
        body=body if isinstance(body, ObjectValue) else table,
        context=spot.context,
    )


def _linked_template(
    table: ObjectValue, spot: _Spot, library: TemplateLibrary
) -> Iterator[AuditedResource | Unresolved]:
    """Yield the resources of the local file that a deployment links to."""
    link = lookup(table, "properties", "templateLink")
    if link is None:
        return
    relative = text_of(evaluate(link, spot.scope) if not isinstance(link, ObjectValue) else None)
    relative = relative or text_of(lookup(link, "relativePath"))
    path = relative_to(table.source, relative) if relative else ""
    why = library.refusal(path, table.source, spot.context.via) if relative else _ELSEWHERE
    read = None if why else library.document(path)
    if read is None or read[1].root is None:
        why = why or "it is not a file beside this one"
        yield Unresolved(link.source, link.at, "a linked template", why)
        return
    library.called_files.add(read[0].path)
    properties = lookup(table, "properties")
    given = (
        _deployment_parameters(properties, spot.scope)
        if isinstance(properties, ObjectValue)
        else {}
    )
    root = read[1].root
    scope = ArmScope(root if isinstance(root, ObjectValue) else None, given)
    via = (*spot.context.via, location_text(table.source, table.at))
    yield from find_resources(root, scope, spot.context._replace(via=via), library)
