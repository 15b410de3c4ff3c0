"""Bicep: the resources that a file and the modules it calls deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagebake.audit.found import Context, Extension, Resource, Unread, call_place, loop_gap
from imagebake.audit.languages.arm import DEPLOYMENTS, KINDS, resources_of
from imagebake.audit.languages.arm_scope import ArmScope
from imagebake.audit.languages.bicep import BicepFile, Declaration
from imagebake.audit.languages.evaluate import Scope, evaluate
from imagebake.audit.languages.functions import FUNCTIONS
from imagebake.audit.languages.nodes import (
    Call,
    Items,
    Literal,
    Loop,
    Name,
    Node,
    Operation,
    Table,
    Unknown,
    entry,
    text_of,
)
from imagebake.audit.languages.text_functions import encoded
from imagebake.audit.languages.values import unknown
from imagebake.audit.library import Library, beside
from imagebake.audit.shapes import extensions_given, makes_no_machine


class BicepScope(Scope):
    """The parameters and variables of a file, and the files that it loads."""

    functions = FUNCTIONS

    def __init__(self, file: BicepFile, given: Mapping[str, Node], library: Library) -> None:
        super().__init__()
        self.file = file
        self.given = given
        self.library = library
        self.budget = library.budget

    def named(self, node: Name) -> Node:
        """What a name means: of a loop, a parameter, a variable."""
        for names in reversed(self.bound):
            if node.name in names:
                return names[node.name]
        if node.name.lower() in self.given and node.name in self.file.parameters:
            return self.given[node.name.lower()]
        return self.declared(node)

    def declared(self, node: Name) -> Node:
        """The value of a variable, or of a parameter's default."""
        name = node.name
        raw = self.file.variables.get(name, self.file.parameters.get(name))
        if raw is None:
            if name in self.file.parameters:
                return unknown(node, f"the parameter {name!r} has no default")
            return unknown(node, f"{name!r} is known once it is deployed")
        return self.once(node, name, repr(name), raw)

    def call(self, node: Call) -> Node:
        """What a call comes to; a file that is loaded is read."""
        name = node.name.lower()
        if name in {"loadtextcontent", "loadfileasbase64"} and node.arguments:
            path = text_of(evaluate(node.arguments[0], self))
            source = self.library.files.read(beside(node.source, path)) if path else None
            if source is None:
                return unknown(node, "the file is not here")
            if name == "loadtextcontent":
                return Literal(source, 0, source.text)
            return Literal(source, 0, encoded(source.text))
        return super().call(node)


def bicep_resources(
    file: BicepFile, given: Mapping[str, Node], context: Context, library: Library
) -> Iterator[Resource | Extension | Unread]:
    """What *file* deploys when it is *given* parameters."""
    scope = BicepScope(file, given, library)
    for declaration in file.declarations:
        yield from _declared(declaration, "", scope, context)
    for gap in scope.gaps:
        yield loop_gap(gap)


def _declared(
    declaration: Declaration, parent: str, scope: BicepScope, context: Context
) -> Iterator[Resource | Extension | Unread]:
    kind, _, api = declaration.target.partition("@")
    kind = kind.lower()
    if parent and "/" not in kind:
        kind = f"{parent}/{kind}"
    body, context = _circumstances(declaration.body, context)
    if declaration.kind == "module":
        yield from _module(declaration, scope, context)
    elif kind == DEPLOYMENTS and isinstance(body, Table):
        yield from _deployment(body, scope, context)
    elif kind in KINDS and not declaration.existing:
        yield from _resource(declaration, kind, api, scope, context)
    for child in declaration.children:
        yield from _declared(child, kind, scope, context)


def _circumstances(body: Node, context: Context) -> tuple[Node, Context]:
    """The object in a condition or a loop, and that there is one."""
    while isinstance(body, Loop | Operation):
        if isinstance(body, Loop):
            body, context = body.body, context._replace(repeated=True)
        elif body.operator == "if":
            body, context = body.operands[1], context._replace(conditional=True)
        else:
            break
    return body, context


def _resource(
    declaration: Declaration, kind: str, api: str, scope: BicepScope, context: Context
) -> Iterator[Resource | Unread]:
    found = evaluate(declaration.body, scope)
    for body in found.items if isinstance(found, Items) else (found,):
        if isinstance(body, Table):
            yield Resource(
                source=scope.file.source,
                at=declaration.at,
                kind=kind,
                api=api,
                name=(not context.repeated and _shown(entry(body, "name"))) or declaration.symbol,
                body=body,
                context=context,
            )
        else:
            why = body.why if isinstance(body, Unknown) else "it is not written out"
            yield Unread(scope.file.source, declaration.at, f"resource {declaration.symbol}", why)


def _shown(name: Node | None) -> str | None:
    return name.text if isinstance(name, Unknown) else text_of(name)


def _module(
    declaration: Declaration, scope: BicepScope, context: Context
) -> Iterator[Resource | Extension | Unread]:
    """What is in a module: a file here is read with what it is given."""
    source = scope.file.source
    evaluated = evaluate(declaration.body, scope)
    calls = evaluated.items if isinstance(evaluated, Items) else (evaluated,)
    target = declaration.target
    remote = ":" in target
    path = beside(source, target)
    if makes_no_machine(target):
        return
    why = "it is in a registry" if remote else "" if target else "its path is not known"
    why = why or scope.library.refusal(path, source, context.via)
    if why:
        yield Unread(source, declaration.at, f"module {declaration.symbol} ({target})", why)
        for call in calls:
            yield from extensions_given(call, target, context)
        return
    inner = context._replace(via=(*context.via, call_place(source, declaration.at)))
    for call in calls:
        yield from _file(path, declaration, _parameters(call), inner, scope)


def _parameters(call: Node) -> dict[str, Node]:
    given = entry(call, "params")
    if not isinstance(given, Table):
        return {}
    return {key: one.value for key, one in given.entries.items()}


def _file(
    path: str, declaration: Declaration, given: dict[str, Node], context: Context, scope: BicepScope
) -> Iterator[Resource | Extension | Unread]:
    source, library = scope.file.source, scope.library
    if path.endswith(".json"):
        read = library.document(path)
        if read and read[1].root:
            library.called.add(path)
            root = read[1].root
            inner = ArmScope(root if isinstance(root, Table) else None, given)
            yield from resources_of(root, inner, context, library)
            return
    elif file := library.bicep(path):
        library.called.add(path)
        yield from bicep_resources(file, given, context, library)
        return
    what = f"module {declaration.symbol} ({declaration.target})"
    yield Unread(source, declaration.at, what, "there is no such file")


def _deployment(
    body: Table, scope: BicepScope, context: Context
) -> Iterator[Resource | Extension | Unread]:
    """A template that stands in Bicep as a value."""
    template = entry(body, "properties", "template")
    if isinstance(template, Table) and "resources" in template.entries:
        root = evaluate(template, scope)
        if isinstance(root, Table):
            yield from resources_of(root, ArmScope(root, {}), context, scope.library)
