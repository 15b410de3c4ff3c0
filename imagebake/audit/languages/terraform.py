"""Terraform: what the resources of a folder and of the modules it calls make machines need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagebake.audit.found import (
    MACHINE,
    RUN_COMMAND,
    SCALE_SET,
    Context,
    Extension,
    Found,
    Resource,
    Unread,
    call_place,
    loop_gap,
)
from imagebake.audit.languages.arm import KINDS, resources_of
from imagebake.audit.languages.arm_scope import ArmScope
from imagebake.audit.languages.evaluate import evaluate
from imagebake.audit.languages.hcl import Block, HclFile
from imagebake.audit.languages.nodes import Entry, Literal, Node, Table, Unknown, text_of
from imagebake.audit.languages.terraform_machines import Module, extension, machine_parts, pair
from imagebake.audit.languages.terraform_scope import TerraformScope
from imagebake.audit.languages.values import turns, unknown
from imagebake.audit.library import Library, beside, document_of
from imagebake.audit.machines import found_in
from imagebake.audit.shapes import extensions_given, makes_no_machine

_MACHINES = {
    "azurerm_virtual_machine": MACHINE,
    "azurerm_linux_virtual_machine": MACHINE,
    "azurerm_windows_virtual_machine": MACHINE,
    "azurerm_virtual_machine_scale_set": SCALE_SET,
    "azurerm_linux_virtual_machine_scale_set": SCALE_SET,
    "azurerm_windows_virtual_machine_scale_set": SCALE_SET,
    "azurerm_orchestrated_virtual_machine_scale_set": SCALE_SET,
}
_EXTENSIONS = {
    "azurerm_virtual_machine_extension": MACHINE,
    "azurerm_virtual_machine_scale_set_extension": SCALE_SET,
}
_TURNS = 50
_DEPLOYMENTS = (
    "azurerm_resource_group_template_deployment",
    "azurerm_subscription_template_deployment",
    "azurerm_template_deployment",
)
_AZAPI = ("azapi_resource", "azapi_update_resource")
_META = frozenset({"source", "version", "providers", "count", "for_each", "depends_on"})


def found_in_folder(
    files: tuple[HclFile, ...], given: Mapping[str, Node], context: Context, library: Library
) -> Iterator[Found]:
    """What the module that *files* are, *given* its variables, makes machines depend on."""
    scope = TerraformScope(files, given, library)
    for file in files:
        module = Module(scope, context, file.source)
        for block in file.blocks:
            if block.kind == "module":
                yield from _called(block, module)
            elif block.kind == "resource" and len(block.labels) > 1:
                yield from _resource(block, module)
    for gap in scope.gaps:
        yield loop_gap(gap)


def _resource(block: Block, module: Module) -> Iterator[Found]:
    """A resource, once for each thing that it is repeated for, where that is known."""
    loop = block.attributes.get("for_each") or block.attributes.get("count")
    if loop is None:
        yield from _one(block, module)
        return
    over = evaluate(loop.value, module.scope)
    here = unknown(loop.value, over.why if isinstance(over, Unknown) else "it is repeated")
    module = module._replace(context=module.context._replace(repeated=True))
    for key, value in (turns(over) or [(here, here)])[:_TURNS]:
        module.scope.bound.append({"each": pair(loop.at, key, value)})
        yield from _one(block, module)
        module.scope.bound.pop()


def _one(block: Block, module: Module) -> Iterator[Found]:
    kind, name = block.labels[0], ".".join(block.labels[:2])
    if kind in _EXTENSIONS:
        yield extension(block, _EXTENSIONS[kind], name, module)
    elif kind in _MACHINES:
        yield from machine_parts(block, _MACHINES[kind], name, module)
    elif kind == "azurerm_virtual_machine_run_command":
        yield _run_command(block, name, module)
    elif kind in _AZAPI:
        yield from _azapi(block, name, module)
    elif kind in _DEPLOYMENTS:
        yield from _deployment(block, name, module)


def _called(block: Block, module: Module) -> Iterator[Found]:
    """What is in a module: a folder here is read with what it is given."""
    given = {
        key: evaluate(one.value, module.scope)
        for key, one in block.attributes.items()
        if key not in _META
    }
    path = text_of(module.value(block.attributes, "source")) or ""
    name = f"module {'.'.join(block.labels)}"
    context = module.context
    if {"count", "for_each"} & set(block.attributes):
        context = context._replace(repeated=True)
    if path.startswith(("./", "../")):
        place = beside(module.source, path)
        why = module.library.refusal(place, module.source, context.via)
        files = () if why else module.library.folder(place)
        if files:
            module.library.called |= {file.source.path for file in files}
            via = (*context.via, call_place(module.source, block.at))
            yield from found_in_folder(files, given, context._replace(via=via), module.library)
        else:
            why = why or "there is no such folder"
            yield Unread(module.source, block.at, f"{name} ({path})", why)
        return
    if makes_no_machine(path):
        return
    yield Unread(module.source, block.at, f"{name} ({path})", "it is not in this repository")
    entries = {key: Entry(value.at, key, value) for key, value in given.items()}
    yield from extensions_given(Table(module.source, block.at, entries), path, context)


def _run_command(block: Block, name: str, module: Module) -> Extension:
    sources = block.inner("source")
    place = sources[0].at if sources else block.at
    entries = {
        key.replace("_", ""): Entry(one.at, key, one)
        for source in sources
        for key in ("script_uri", "script")
        if (one := module.value(source.attributes, key)) is not None
    }
    settings = Table(module.source, place, entries)
    return Extension(
        source=module.source,
        at=place,
        machine=MACHINE,
        name=name,
        publisher=Literal(module.source, place, RUN_COMMAND[0]),
        type=Literal(module.source, place, RUN_COMMAND[1]),
        version=None,
        minor=None,
        automatic=None,
        settings=(settings,),
        context=module.context,
        automatic_absent="none",
    )


def _azapi(block: Block, name: str, module: Module) -> Iterator[Found]:
    """A resource whose body is as Azure Resource Manager takes it."""
    target = text_of(module.value(block.attributes, "type")) or ""
    kind, _, api = target.partition("@")
    if kind.lower() not in KINDS:
        return
    body = document_of(module.value(block.attributes, "body"))
    if not isinstance(body, Table):
        yield Unread(module.source, block.at, name, "its body is not written out")
        return
    yield from found_in(
        Resource(module.source, block.at, kind.lower(), api, name, body, module.context)
    )


def _deployment(block: Block, name: str, module: Module) -> Iterator[Found]:
    """A template of Azure Resource Manager in a text."""
    text = module.value(block.attributes, "template_content", "template_body")
    root = document_of(text)
    if root is None:
        yield Unread(module.source, block.at, name, "its template is not here")
        return
    via = (*module.context.via, call_place(module.source, block.at))
    scope = ArmScope(root if isinstance(root, Table) else None, {})
    for found in resources_of(root, scope, module.context._replace(via=via), module.library):
        if isinstance(found, Resource):
            yield from found_in(found)
        else:
            yield found
