"""Discover what machines depend on, in ARM resources and in arguments of unreadable modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from imagebake.audit.languages.arm import IMAGE_TEMPLATES
from imagebake.audit.languages.nodes import (
    ListValue,
    Literal,
    Node,
    ObjectValue,
    UnknownValue,
    items_of,
    key_offset,
    lookup,
    text_of,
    walk,
)
from imagebake.audit.languages.values import as_bool
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
)

AUTOMATIC_UPGRADE_API = "2025-04-01"
"""API version from which extensions upgrade themselves by default."""


def discover_in_resource(resource: AuditedResource) -> Iterator[Discovered]:
    """Yield the extensions, images and start scripts of *resource*."""
    tail = resource.kind.split("/", 2)[-1]
    scale_set = resource.kind.split("/")[1] == "virtualmachinescalesets"
    machine = SCALE_SET if scale_set else MACHINE
    if resource.kind == IMAGE_TEMPLATES:
        yield from _image(resource, "image template", lookup(resource.body, "properties", "source"))
    elif tail.endswith("extensions"):
        yield _extension(resource, machine, resource.body, resource.name)
    elif tail.endswith("runcommands"):
        yield _run_command(resource, machine)
    elif scale_set and tail == "virtualmachinescalesets":
        profile = lookup(resource.body, "properties", "virtualMachineProfile")
        yield from _machine_profile(resource, SCALE_SET, profile)
        yield from _extensions(resource, profile)
    elif tail == "virtualmachines":
        yield from _machine_profile(resource, MACHINE, lookup(resource.body, "properties"))


def _extensions(resource: AuditedResource, profile: Node | None) -> Iterator[Discovered]:
    listed = lookup(profile, "extensionProfile", "extensions")
    for item in items_of(listed):
        if isinstance(item, ObjectValue):
            yield _extension(resource, SCALE_SET, item, text_of(lookup(item, "name")) or "")
        else:
            why = item.why if isinstance(item, UnknownValue) else "it is not written out"
            what = f"extensions of the scale set {resource.name}"
            yield Unresolved(item.source, item.at, what, why)


def _extension(
    resource: AuditedResource, machine: str, table: ObjectValue, name: str
) -> DiscoveredExtension:
    properties = lookup(table, "properties") or table

    def get(key: str) -> Node | None:
        return lookup(properties, key)

    kind = get("type")
    # In a module, the line to change is the caller's argument that sets the type.
    place = kind if kind and resource.context.via else None
    here = key_offset(properties, "type")
    # The body of a Bicep resource begins behind its declaration, which is the line to show.
    here = (table.at if table is not resource.body else resource.at) if here is None else here
    settings = (get("settings"), get("protectedSettings"))
    return DiscoveredExtension(
        source=place.source if place else resource.source,
        at=place.at if place else here,
        machine=machine,
        name=name,
        publisher=get("publisher"),
        type=kind,
        version=get("typeHandlerVersion"),
        minor=get("autoUpgradeMinorVersion"),
        automatic=get("enableAutomaticUpgrade"),
        settings=tuple(setting for setting in settings if setting is not None),
        context=resource.context,
        # API versions are dates: the first ten characters compare in order, without "-preview".
        automatic_absent="on" if resource.api[:10] >= AUTOMATIC_UPGRADE_API else "unspecified",
    )


def _run_command(resource: AuditedResource, machine: str) -> DiscoveredExtension:
    source = lookup(resource.body, "properties", "source")
    place = source or Literal(resource.source, resource.at, None)
    return DiscoveredExtension(
        source=place.source,
        at=place.at,
        machine=machine,
        name=resource.name,
        publisher=Literal(place.source, place.at, RUN_COMMAND[0]),
        type=Literal(place.source, place.at, RUN_COMMAND[1]),
        version=None,
        minor=None,
        automatic=None,
        settings=(source,) if source else (),
        context=resource.context,
        automatic_absent="none",
    )


def _machine_profile(
    resource: AuditedResource, machine: str, profile: Node | None
) -> Iterator[Discovered]:
    reference = lookup(profile, "storageProfile", "imageReference")
    yield from _image(resource, machine, reference)
    for kind, text in (
        ("custom data", lookup(profile, "osProfile", "customData")),
        ("user data", lookup(profile, "userData")),
    ):
        if text is not None and not (isinstance(text, Literal) and text.value in (None, "")):
            yield DiscoveredStartScript(
                text.source, text.at, machine, resource.name, kind, text, resource.context
            )


def _image(
    resource: AuditedResource, machine: str, reference: Node | None
) -> Iterator[DiscoveredImage | Unresolved]:
    if reference is None or (isinstance(reference, Literal) and reference.value is None):
        return
    if not isinstance(reference, ObjectValue):
        for item in items_of(reference):
            if isinstance(item, ObjectValue):
                yield from _image(resource, machine, item)
            elif isinstance(item, UnknownValue | ListValue):
                why = item.why if isinstance(item, UnknownValue) else "it is not written out"
                yield Unresolved(
                    item.source, item.at, f"the image of {resource.name or machine}", why
                )
        return
    get: Callable[[str], Node | None] = lambda key: lookup(reference, key)  # noqa: E731 - short
    version = get("version")
    place = version or get("id") or get("imageVersionId") or reference
    yield DiscoveredImage(
        source=place.source,
        at=place.at,
        machine=machine,
        name=resource.name,
        parts=(get("publisher"), get("offer"), get("sku")),
        version=version,
        id=get("id") or get("imageVersionId") or get("communityGalleryImageId"),
        context=resource.context,
    )


_AVM_EXTENSION_PARAMETERS = {
    "extensionaadjoinconfig": ("Microsoft.Azure.ActiveDirectory", "AADSSHLoginForLinux"),
    "extensionantimalwareconfig": ("Microsoft.Azure.Security", "IaaSAntimalware"),
    "extensionazurediskencryptionconfig": (
        "Microsoft.Azure.Security",
        "AzureDiskEncryptionForLinux",
    ),
    "extensioncustomscriptconfig": ("Microsoft.Azure.Extensions", "CustomScript"),
    "extensiondependencyagentconfig": (
        "Microsoft.Azure.Monitoring.DependencyAgent",
        "DependencyAgentLinux",
    ),
    "extensiondomainjoinconfig": ("Microsoft.Compute", "JsonADDomainExtension"),
    "extensiondscconfig": ("Microsoft.Powershell", "DSC"),
    "extensionguestconfigurationextension": (
        "Microsoft.GuestConfiguration",
        "ConfigurationForLinux",
    ),
    "extensionhealthconfig": ("Microsoft.ManagedServices", "ApplicationHealthLinux"),
    "extensionmonitoringagentconfig": ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent"),
    "extensionnetworkwatcheragentconfig": (
        "Microsoft.Azure.NetworkWatcher",
        "NetworkWatcherAgentLinux",
    ),
    "extensionnvidiagpudriverwindows": ("Microsoft.HpcCompute", "NvidiaGpuDriverWindows"),
}
"""Extensions that parameters of Azure Verified Modules enable, by parameter in lower case."""


_NO_MACHINES = re.compile(
    r"avm[/-]res[/-](?!compute|virtual-?machine-?images|azure-stack)|\b[Nn]aming/azurerm\b"
)


def deploys_no_machine(module: str) -> bool:
    """Return whether an Azure Verified Module is named for another resource than a machine."""
    return _NO_MACHINES.search(module) is not None


def discover_in_arguments(
    node: Node, module: str, context: ResourceContext
) -> Iterator[DiscoveredExtension]:
    """Yield the extensions among the arguments of *module*, whose source is unavailable.

    They are recognised by the shape of an extension's properties, or by the parameter's name.
    """
    # The module's name is all that is known of what it deploys.
    machine = SCALE_SET if "scale" in module.lower() or "vmss" in module.lower() else MACHINE
    for table in walk(node):
        if not isinstance(table, ObjectValue):
            continue
        if extension := _extension_by_shape(table, machine, module, context):
            yield extension
        for key, member in table.entries.items():
            if (
                key in _AVM_EXTENSION_PARAMETERS
                and as_bool(lookup(member.value, "enabled") or member.value) is not False
            ):
                publisher, kind = _AVM_EXTENSION_PARAMETERS[key]
                yield _extension_argument(
                    member.value,
                    machine,
                    member.name,
                    (
                        Literal(table.source, member.at, publisher),
                        Literal(table.source, member.at, kind),
                    ),
                    context,
                )


def _extension_by_shape(
    table: ObjectValue, machine: str, module: str, context: ResourceContext
) -> DiscoveredExtension | None:
    publisher, kind = lookup(table, "publisher"), lookup(table, "type")
    if publisher is None or kind is None:
        return None
    # Other objects have a publisher and a type, too; only extensions state a handler version.
    if not {"typehandlerversion", "type_handler_version"} & set(table.entries):
        return None
    return _extension_argument(table, machine, module, (publisher, kind), context)


def _extension_argument(
    node: Node, machine: str, name: str, handler: tuple[Node, Node], context: ResourceContext
) -> DiscoveredExtension:
    def first_of(*names: str) -> Node | None:
        return next((found for name in names if (found := lookup(node, name)) is not None), None)

    settings = (first_of("settings"), first_of("protectedSettings", "protected_settings"))
    return DiscoveredExtension(
        source=handler[1].source,
        at=handler[1].at,
        machine=machine,
        name=name,
        publisher=handler[0],
        type=handler[1],
        version=first_of("typeHandlerVersion", "type_handler_version"),
        minor=first_of("autoUpgradeMinorVersion", "auto_upgrade_minor_version"),
        automatic=first_of("enableAutomaticUpgrade", "automatic_upgrade_enabled"),
        settings=tuple(setting for setting in settings if setting is not None),
        context=context,
    )
