"""Settings that the Terraform resources of a folder, and of the modules it calls, give machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from imagebake.audit.discovery import (
    deploys_no_machine,
    discover_in_arguments,
    discover_in_resource,
)
from imagebake.audit.languages.arm import AUDITED_TYPES, ArmScope, find_resources
from imagebake.audit.languages.evaluate import evaluate
from imagebake.audit.languages.hcl import HclBlock, HclFile
from imagebake.audit.languages.nodes import (
    Identifier,
    Literal,
    Node,
    ObjectEntry,
    ObjectValue,
    UnknownValue,
    text_of,
)
from imagebake.audit.languages.terraform_scope import TerraformScope
from imagebake.audit.languages.values import iterations, make_unknown
from imagebake.audit.library import TemplateLibrary, embedded_document, relative_to
from imagebake.audit.model import (
    MACHINE,
    RUN_COMMAND,
    SCALE_SET,
    AuditedResource,
    Discovered,
    DiscoveredExtension,
    DiscoveredImage,
    DiscoveredStartScript,
    ResourceContext,
    Unresolved,
    location_text,
    unresolved_loop,
)
from imagebake.audit.source import SourceText

_REFERENCES = frozenset(
    {"source_image_reference", "storage_image_reference", "storage_profile_image_reference"}
)


class TerraformModule(NamedTuple):
    """A module under evaluation, and one of its files."""

    scope: TerraformScope
    context: ResourceContext
    source: SourceText

    def value(self, attributes: Mapping[str, ObjectEntry], *names: str) -> Node | None:
        """Evaluate the first of *names* that is set; None where none is, or it is null."""
        for name in names:
            if name in attributes:
                found = evaluate(attributes[name].value, self.scope)
                return None if isinstance(found, Literal) and found.value is None else found
        return None

    @property
    def library(self) -> TemplateLibrary:
        """Library that reads other files."""
        return self.scope.library


def _extension(
    block: HclBlock, machine: str, name: str, module: TerraformModule
) -> DiscoveredExtension:
    """Read an extension block, with the provider's defaults."""
    kind = module.value(block.attributes, "type")
    place = kind if kind and module.context.via else None
    written = block.attributes.get("type")
    settings = (
        module.value(block.attributes, "settings"),
        module.value(block.attributes, "protected_settings"),
    )
    return DiscoveredExtension(
        source=place.source if place else module.source,
        at=place.at if place else written.at if written else block.at,
        machine=machine,
        name=name,
        publisher=module.value(block.attributes, "publisher"),
        type=kind,
        version=module.value(block.attributes, "type_handler_version"),
        minor=module.value(
            block.attributes, "auto_upgrade_minor_version", "auto_upgrade_minor_version_enabled"
        ),
        automatic=module.value(
            block.attributes, "automatic_upgrade_enabled", "enable_automatic_upgrade"
        ),
        settings=tuple(setting for setting in settings if setting is not None),
        context=module.context,
        # azurerm: true is the default for extensions of scale sets, false for those of machines.
        minor_absent=machine == SCALE_SET,
    )


def _machine_settings(
    block: HclBlock, machine: str, name: str, module: TerraformModule
) -> Iterator[Discovered]:
    """Yield start scripts, images and extensions of a machine's or scale set's block."""
    for kind, place in (
        ("custom data", block.attributes),
        ("user data", block.attributes),
        *(("custom data", profile.attributes) for profile in _profiles(block)),
    ):
        text = module.value(place, kind.replace(" ", "_"), f"{kind.replace(' ', '_')}_base64")
        if text is not None:
            yield DiscoveredStartScript(
                text.source, text.at, machine, name, kind, text, module.context
            )
    yield from _images(block, machine, name, module)
    for inner in block.blocks:
        if inner.kind == "extension":
            yield _extension(inner, machine, name, module)
        elif inner.kind == "dynamic" and inner.labels[:1] == ("extension",):
            yield from _dynamic(inner, machine, name, module)


def _profiles(block: HclBlock) -> Iterator[HclBlock]:
    for inner in block.blocks:
        if inner.kind in {"os_profile", "linux_configuration", "windows_configuration"}:
            yield inner
            yield from _profiles(inner)


def _images(
    block: HclBlock, machine: str, name: str, module: TerraformModule
) -> Iterator[DiscoveredImage]:
    for inner in block.blocks:
        if inner.kind in _REFERENCES:
            version = module.value(inner.attributes, "version")
            parts = tuple(
                module.value(inner.attributes, part) for part in ("publisher", "offer", "sku")
            )
            reference = module.value(inner.attributes, "id")
            place = version or reference
            yield DiscoveredImage(
                source=place.source if place else module.source,
                at=place.at if place else inner.at,
                machine=machine,
                name=name,
                parts=parts,
                version=version,
                id=reference,
                context=module.context,
            )
    identity = module.value(block.attributes, "source_image_id")
    if identity is not None:
        yield DiscoveredImage(
            identity.source, identity.at, machine, name, (), None, identity, module.context
        )


def _dynamic(
    block: HclBlock, machine: str, name: str, module: TerraformModule
) -> Iterator[Discovered]:
    """Yield the extensions of a `dynamic` block: each one, where the loop is known."""
    loop, contents = block.attributes.get("for_each"), block.inner("content")
    if not contents or loop is None:
        return
    iterator = "extension"
    if (named := block.attributes.get("iterator")) and isinstance(named.value, Identifier):
        iterator = named.value.name
    over = evaluate(loop.value, module.scope)
    if isinstance(over, UnknownValue):
        yield Unresolved(module.source, block.at, f"dynamic extensions of {name}", over.why)
    inside = module._replace(context=module.context._replace(repeated=True))
    for key, value in iterations(over) or [(over, over)]:
        module.scope.bindings.append({iterator: _key_value(block.at, key, value)})
        yield _extension(contents[0], machine, name, inside)
        module.scope.bindings.pop()


def _key_value(at: int, key: Node, value: Node) -> ObjectValue:
    """Return the object with `key` and `value` that a loop gives its body."""
    entries = {"key": ObjectEntry(at, "key", key), "value": ObjectEntry(at, "value", value)}
    return ObjectValue(value.source, at, entries)


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
_ITERATIONS_MAX = 50
_DEPLOYMENTS = (
    "azurerm_resource_group_template_deployment",
    "azurerm_subscription_template_deployment",
    "azurerm_template_deployment",
)
_AZAPI = ("azapi_resource", "azapi_update_resource")
_META_ARGUMENTS = frozenset({"source", "version", "providers", "count", "for_each", "depends_on"})


def discover_in_folder(
    files: tuple[HclFile, ...],
    given: Mapping[str, Node],
    context: ResourceContext,
    library: TemplateLibrary,
) -> Iterator[Discovered]:
    """Yield the settings that the module of *files* gives machines; *given* are its variables."""
    scope = TerraformScope(files, given, library)
    for file in files:
        module = TerraformModule(scope, context, file.source)
        for block in file.blocks:
            if block.kind == "module":
                yield from _module_call(block, module)
            elif block.kind == "resource" and len(block.labels) > 1:
                yield from _repeated_resource(block, module)
    for gap in scope.unresolved:
        yield unresolved_loop(gap)


def _repeated_resource(block: HclBlock, module: TerraformModule) -> Iterator[Discovered]:
    """Yield a resource's settings once per iteration, where the iterations are known."""
    loop = block.attributes.get("for_each") or block.attributes.get("count")
    if loop is None:
        yield from _resource(block, module)
        return
    over = evaluate(loop.value, module.scope)
    here = make_unknown(
        loop.value, over.why if isinstance(over, UnknownValue) else "it is repeated"
    )
    module = module._replace(context=module.context._replace(repeated=True))
    # Without a known range the resource is read once, with unknown values.
    for key, value in (iterations(over) or [(here, here)])[:_ITERATIONS_MAX]:
        module.scope.bindings.append({"each": _key_value(loop.at, key, value)})
        yield from _resource(block, module)
        module.scope.bindings.pop()


def _resource(block: HclBlock, module: TerraformModule) -> Iterator[Discovered]:
    kind, name = block.labels[0], ".".join(block.labels[:2])
    if kind in _EXTENSIONS:
        yield _extension(block, _EXTENSIONS[kind], name, module)
    elif kind in _MACHINES:
        yield from _machine_settings(block, _MACHINES[kind], name, module)
    elif kind == "azurerm_virtual_machine_run_command":
        yield _run_command(block, name, module)
    elif kind in _AZAPI:
        yield from _azapi(block, name, module)
    elif kind in _DEPLOYMENTS:
        yield from _deployment(block, name, module)


def _module_call(block: HclBlock, module: TerraformModule) -> Iterator[Discovered]:
    """Yield the settings of a called module: a local folder is evaluated with its variables."""
    given = {
        key: evaluate(attribute.value, module.scope)
        for key, attribute in block.attributes.items()
        # The other arguments of a `module` block are variables of the module.
        if key not in _META_ARGUMENTS
    }
    path = text_of(module.value(block.attributes, "source")) or ""
    name = f"module {'.'.join(block.labels)}"
    context = module.context
    if {"count", "for_each"} & set(block.attributes):
        context = context._replace(repeated=True)
    if path.startswith(("./", "../")):
        place = relative_to(module.source, path)
        why = module.library.refusal(place, module.source, context.via)
        files = () if why else module.library.folder(place)
        if files:
            module.library.called_files |= {file.source.path for file in files}
            via = (*context.via, location_text(module.source, block.at))
            yield from discover_in_folder(files, given, context._replace(via=via), module.library)
        else:
            why = why or "there is no such folder"
            yield Unresolved(module.source, block.at, f"{name} ({path})", why)
        return
    if deploys_no_machine(path):
        return
    yield Unresolved(module.source, block.at, f"{name} ({path})", "it is not in this repository")
    entries = {key: ObjectEntry(value.at, key, value) for key, value in given.items()}
    yield from discover_in_arguments(ObjectValue(module.source, block.at, entries), path, context)


def _run_command(block: HclBlock, name: str, module: TerraformModule) -> DiscoveredExtension:
    sources = block.inner("source")
    place = sources[0].at if sources else block.at
    entries = {
        key.replace("_", ""): ObjectEntry(value.at, key, value)
        for source in sources
        for key in ("script_uri", "script")
        if (value := module.value(source.attributes, key)) is not None
    }
    settings = ObjectValue(module.source, place, entries)
    return DiscoveredExtension(
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


def _azapi(block: HclBlock, name: str, module: TerraformModule) -> Iterator[Discovered]:
    """A resource whose body is as Azure Resource Manager takes it."""
    target = text_of(module.value(block.attributes, "type")) or ""
    kind, _, api = target.partition("@")
    if kind.lower() not in AUDITED_TYPES:
        return
    body = embedded_document(module.value(block.attributes, "body"))
    if not isinstance(body, ObjectValue):
        yield Unresolved(module.source, block.at, name, "its body is not written out")
        return
    yield from discover_in_resource(
        AuditedResource(module.source, block.at, kind.lower(), api, name, body, module.context)
    )


def _deployment(block: HclBlock, name: str, module: TerraformModule) -> Iterator[Discovered]:
    """A template of Azure Resource Manager in a text."""
    text = module.value(block.attributes, "template_content", "template_body")
    root = embedded_document(text)
    if root is None:
        yield Unresolved(module.source, block.at, name, "its template is not here")
        return
    via = (*module.context.via, location_text(module.source, block.at))
    scope = ArmScope(root if isinstance(root, ObjectValue) else None, {})
    for found in find_resources(root, scope, module.context._replace(via=via), module.library):
        if isinstance(found, AuditedResource):
            yield from discover_in_resource(found)
        else:
            yield found
