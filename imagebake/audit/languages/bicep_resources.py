"""Resources that a Bicep file and the modules it calls deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagebake.audit.discovery import deploys_no_machine, discover_in_arguments
from imagebake.audit.languages.arm import AUDITED_TYPES, DEPLOYMENTS, ArmScope, find_resources
from imagebake.audit.languages.bicep import BicepDeclaration, BicepFile
from imagebake.audit.languages.evaluate import EvaluationScope, evaluate
from imagebake.audit.languages.functions import FUNCTIONS, base64_encode
from imagebake.audit.languages.nodes import (
    ForExpression,
    FunctionCall,
    Identifier,
    ListValue,
    Literal,
    Node,
    ObjectValue,
    OperatorExpression,
    UnknownValue,
    lookup,
    text_of,
)
from imagebake.audit.languages.values import make_unknown
from imagebake.audit.library import TemplateLibrary, relative_to
from imagebake.audit.model import (
    AuditedResource,
    DiscoveredExtension,
    ResourceContext,
    Unresolved,
    location_text,
    unresolved_loop,
)


class BicepScope(EvaluationScope):
    """Parameters and variables of a file, and the files that it loads."""

    functions = FUNCTIONS

    def __init__(
        self, file: BicepFile, given: Mapping[str, Node], library: TemplateLibrary
    ) -> None:
        super().__init__()
        self.file = file
        self.given = given
        self.library = library
        self.budget = library.budget

    def resolve_name(self, node: Identifier) -> Node:
        """Return the value of a loop variable, a parameter or a variable."""
        for names in reversed(self.bindings):
            if node.name in names:
                return names[node.name]
        if node.name.lower() in self.given and node.name in self.file.parameters:
            return self.given[node.name.lower()]
        return self.declared_value(node)

    def declared_value(self, node: Identifier) -> Node:
        """Return the value of a variable, or of a parameter's default."""
        name = node.name
        raw = self.file.variables.get(name, self.file.parameters.get(name))
        if raw is None:
            if name in self.file.parameters:
                return make_unknown(node, f"the parameter {name!r} has no default")
            return make_unknown(node, f"{name!r} is known once it is deployed")
        return self.evaluate_once(node, name, repr(name), raw)

    def call_function(self, node: FunctionCall) -> Node:
        """Evaluate a call; `loadTextContent` and `loadFileAsBase64` read the file."""
        name = node.name.lower()
        if name in {"loadtextcontent", "loadfileasbase64"} and node.arguments:
            path = text_of(evaluate(node.arguments[0], self))
            source = self.library.files.read(relative_to(node.source, path)) if path else None
            if source is None:
                return make_unknown(node, "the file is not here")
            if name == "loadtextcontent":
                return Literal(source, 0, source.text)
            return Literal(source, 0, base64_encode(source.text))
        return super().call_function(node)


def find_bicep_resources(
    file: BicepFile, given: Mapping[str, Node], context: ResourceContext, library: TemplateLibrary
) -> Iterator[AuditedResource | DiscoveredExtension | Unresolved]:
    """Yield the resources that *file* deploys with the parameters *given*."""
    scope = BicepScope(file, given, library)
    for declaration in file.declarations:
        yield from _declared(declaration, "", scope, context)
    for gap in scope.unresolved:
        yield unresolved_loop(gap)


def _declared(
    declaration: BicepDeclaration, parent: str, scope: BicepScope, context: ResourceContext
) -> Iterator[AuditedResource | DiscoveredExtension | Unresolved]:
    kind, _, api = declaration.target.partition("@")
    kind = kind.lower()
    if parent and "/" not in kind:
        kind = f"{parent}/{kind}"
    body, context = _with_conditions(declaration.body, context)
    if declaration.kind == "module":
        yield from _module(declaration, scope, context)
    elif kind == DEPLOYMENTS and isinstance(body, ObjectValue):
        yield from _deployment(body, scope, context)
    elif kind in AUDITED_TYPES and not declaration.existing:
        yield from _resource(declaration, kind, api, scope, context)
    for child in declaration.children:
        yield from _declared(child, kind, scope, context)


def _with_conditions(body: Node, context: ResourceContext) -> tuple[Node, ResourceContext]:
    """Return the object inside of conditions and loops, and the context with both noted."""
    while isinstance(body, ForExpression | OperatorExpression):
        if isinstance(body, ForExpression):
            body, context = body.body, context._replace(repeated=True)
        elif body.operator == "if":
            body, context = body.operands[1], context._replace(conditional=True)
        else:
            break
    return body, context


def _resource(
    declaration: BicepDeclaration, kind: str, api: str, scope: BicepScope, context: ResourceContext
) -> Iterator[AuditedResource | Unresolved]:
    found = evaluate(declaration.body, scope)
    for body in found.items if isinstance(found, ListValue) else (found,):
        if isinstance(body, ObjectValue):
            yield AuditedResource(
                source=scope.file.source,
                at=declaration.at,
                kind=kind,
                api=api,
                # The names of a loop's resources differ; its symbol names them all.
                name=(not context.repeated and _shown(lookup(body, "name"))) or declaration.symbol,
                body=body,
                context=context,
            )
        else:
            why = body.why if isinstance(body, UnknownValue) else "it is not written out"
            yield Unresolved(
                scope.file.source, declaration.at, f"resource {declaration.symbol}", why
            )


def _shown(name: Node | None) -> str | None:
    return name.text if isinstance(name, UnknownValue) else text_of(name)


def _module(
    declaration: BicepDeclaration, scope: BicepScope, context: ResourceContext
) -> Iterator[AuditedResource | DiscoveredExtension | Unresolved]:
    """Yield the resources of a module: a local file is evaluated with its parameters."""
    source = scope.file.source
    evaluated = evaluate(declaration.body, scope)
    calls = evaluated.items if isinstance(evaluated, ListValue) else (evaluated,)
    target = declaration.target
    remote = ":" in target
    path = relative_to(source, target)
    if deploys_no_machine(target):
        return
    why = "it is in a registry" if remote else "" if target else "its path is not known"
    why = why or scope.library.refusal(path, source, context.via)
    if why:
        yield Unresolved(source, declaration.at, f"module {declaration.symbol} ({target})", why)
        for call in calls:
            yield from discover_in_arguments(call, target, context)
        return
    inner = context._replace(via=(*context.via, location_text(source, declaration.at)))
    for call in calls:
        yield from _file(path, declaration, _parameters(call), inner, scope)


def _parameters(call: Node) -> dict[str, Node]:
    given = lookup(call, "params")
    if not isinstance(given, ObjectValue):
        return {}
    return {key: member.value for key, member in given.entries.items()}


def _file(
    path: str,
    declaration: BicepDeclaration,
    given: dict[str, Node],
    context: ResourceContext,
    scope: BicepScope,
) -> Iterator[AuditedResource | DiscoveredExtension | Unresolved]:
    source, library = scope.file.source, scope.library
    if path.endswith(".json"):
        read = library.document(path)
        if read and read[1].root:
            library.called_files.add(path)
            root = read[1].root
            inner = ArmScope(root if isinstance(root, ObjectValue) else None, given)
            yield from find_resources(root, inner, context, library)
            return
    elif file := library.bicep(path):
        library.called_files.add(path)
        yield from find_bicep_resources(file, given, context, library)
        return
    what = f"module {declaration.symbol} ({declaration.target})"
    yield Unresolved(source, declaration.at, what, "there is no such file")


def _deployment(
    body: ObjectValue, scope: BicepScope, context: ResourceContext
) -> Iterator[AuditedResource | DiscoveredExtension | Unresolved]:
    """A template that stands in Bicep as a value."""
    template = lookup(body, "properties", "template")
    if isinstance(template, ObjectValue) and "resources" in template.entries:
        root = evaluate(template, scope)
        if isinstance(root, ObjectValue):
            yield from find_resources(root, ArmScope(root, {}), context, scope.library)
