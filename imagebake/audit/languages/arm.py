"""ARM templates: the resources in a document, wherever in it they are nested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.found import Context, Resource, Unread, call_place
from imagebake.audit.languages.arm_scope import ArmScope
from imagebake.audit.languages.evaluate import evaluate
from imagebake.audit.languages.nodes import Items, Node, Table, Unknown, entry, options_of, text_of
from imagebake.audit.languages.values import either
from imagebake.audit.library import Library, beside

DEPLOYMENTS = "microsoft.resources/deployments"
TEMPLATES = "microsoft.virtualmachineimages/imagetemplates"
DEFINITIONS = "microsoft.compute/galleries/images"
_MACHINES = ("microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets")
_OF_MACHINES = ("extensions", "runcommands", "virtualmachines/extensions")
KINDS = frozenset(
    (
        TEMPLATES,
        DEFINITIONS,
        *_MACHINES,
        *(f"{machine}/{part}" for machine in _MACHINES for part in _OF_MACHINES),
    )
)
"""The resources that are handed on, by their types in lower case."""

_ELSEWHERE = "it is somewhere else"


class _Spot(NamedTuple):
    """A node on the way, and what surrounds it.

    *parent* is the type of the resource that it is a child of; *outer* says that a template
    in it has no parameters of its own.
    """

    node: Node
    scope: ArmScope
    context: Context
    parent: str = ""
    outer: bool = False


def resources_of(
    root: Node, scope: ArmScope, context: Context, library: Library
) -> Iterator[Resource | Unread]:
    """The resources in the document *root* that make or change machines, in its order.

    The loops that nobody can count are among the gaps of *scope* afterwards.
    """
    scope.budget = library.budget
    waiting = [_Spot(root, scope, context)]
    while waiting:
        spot = waiting.pop()
        if isinstance(spot.node, Items):
            waiting += [spot._replace(node=item) for item in reversed(spot.node.items)]
        elif isinstance(table := spot.node, Table):
            if kind := _kind(table, spot):
                spot = spot._replace(context=_circumstances(table, spot.context))
            if kind == DEPLOYMENTS:
                yield from _links(table, spot, library)
            elif kind in KINDS:
                yield _resource(table, kind, spot)
            waiting += reversed([*_inside(table, kind, spot)])


def _inside(table: Table, kind: str, spot: _Spot) -> Iterator[_Spot]:
    """Where to look next."""
    inner = text_of(entry(table, "properties", "expressionEvaluationOptions", "scope")) or "outer"
    for key, one in table.entries.items():
        if not isinstance(one.value, Table | Items):
            continue
        inside = _Spot(one.value, spot.scope, spot.context)
        if key == "resources" and kind not in {"", DEPLOYMENTS}:
            inside = inside._replace(parent=kind)
        elif key == "properties" and kind == DEPLOYMENTS:
            inside = inside._replace(outer=inner.lower() == "outer")
        elif key == "template" and isinstance(one.value, Table) and not spot.outer:
            inside = inside._replace(scope=_own_scope(one.value, table, spot.scope))
        elif key == "policyrule":
            inside = inside._replace(context=spot.context._replace(policy=True))
        elif key == "resources":
            inside = inside._replace(parent=spot.parent)
        yield inside


def _own_scope(template: Table, deployment: Table, scope: ArmScope) -> ArmScope:
    """The scope of a nested template that is given parameters."""
    if "resources" not in template.entries:
        return scope
    own = ArmScope(template, _given(deployment, scope))
    own.gaps, own.budget = scope.gaps, scope.budget
    return own


def _given(deployment: Table, scope: ArmScope) -> dict[str, Node]:
    given = {}
    parameters = entry(deployment, "parameters")
    for key, one in parameters.entries.items() if isinstance(parameters, Table) else ():
        options = options_of(evaluate(one.value, scope))
        values = [value for option in options if (value := entry(option, "value")) is not None]
        if values:
            given[key] = either(one.value, values)
    return given


def _kind(table: Table, spot: _Spot) -> str:
    """The whole type of a resource in lower case; empty for what is none."""
    kind = (text_of(entry(table, "type")) or "").lower()
    resource = "apiversion" in table.entries or "name" in table.entries
    properties = entry(table, "properties")
    if isinstance(properties, Table) and {"source", "distribute"} <= set(properties.entries):
        return TEMPLATES  # samples leave the type out, or misspell it
    if not kind or not resource or kind.startswith("["):
        return ""
    if "/" not in kind:
        return f"{spot.parent}/{kind}" if spot.parent else ""
    return kind


def _circumstances(table: Table, context: Context) -> Context:
    return context._replace(
        repeated=context.repeated or "copy" in table.entries,
        conditional=context.conditional or "condition" in table.entries,
    )


def _resource(table: Table, kind: str, spot: _Spot) -> Resource:
    left = {key: one for key, one in table.entries.items() if key not in {"resources", "copy"}}
    body = evaluate(table._replace(entries=left), spot.scope)
    name = entry(body, "name")
    shown = name.text if isinstance(name, Unknown) else text_of(name)
    return Resource(
        source=table.source,
        at=table.at,
        kind=kind,
        api=text_of(entry(body, "apiVersion")) or "",
        name=shown or "",
        body=body if isinstance(body, Table) else table,
        context=spot.context,
    )


def _links(table: Table, spot: _Spot, library: Library) -> Iterator[Resource | Unread]:
    """What is in a template that a deployment links to, if it is a file here."""
    link = entry(table, "properties", "templateLink")
    if link is None:
        return
    relative = text_of(evaluate(link, spot.scope) if not isinstance(link, Table) else None)
    relative = relative or text_of(entry(link, "relativePath"))
    path = beside(table.source, relative) if relative else ""
    why = library.refusal(path, table.source, spot.context.via) if relative else _ELSEWHERE
    read = None if why else library.document(path)
    if read is None or read[1].root is None:
        why = why or "it is not a file beside this one"
        yield Unread(link.source, link.at, "a linked template", why)
        return
    library.called.add(read[0].path)
    properties = entry(table, "properties")
    given = _given(properties, spot.scope) if isinstance(properties, Table) else {}
    root = read[1].root
    scope = ArmScope(root if isinstance(root, Table) else None, given)
    via = (*spot.context.via, call_place(table.source, table.at))
    yield from resources_of(root, scope, spot.context._replace(via=via), library)
