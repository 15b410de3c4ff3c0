"""Extensions told by their shape, in what is given to modules that nobody can look into."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.audit.found import MACHINE, SCALE_SET, Context, Extension
from imagebake.audit.languages.nodes import Literal, Node, Table, entry, walk
from imagebake.audit.languages.values import truth

_SWITCHES = {
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
"""What the parameters of Azure Verified Modules turn on, by their names in lower case."""


_NO_MACHINES = re.compile(
    r"avm[/-]res[/-](?!compute|virtual-?machine-?images|azure-stack)|\b[Nn]aming/azurerm\b"
)


def makes_no_machine(module: str) -> bool:
    """Whether the name of a module says that it makes something else.

    Azure Verified Modules are called after what they make.
    """
    return _NO_MACHINES.search(module) is not None


def extensions_given(node: Node, module: str, context: Context) -> Iterator[Extension]:
    """The extensions among what the module *module* is given."""
    machine = SCALE_SET if "scale" in module.lower() or "vmss" in module.lower() else MACHINE
    for table in walk(node):
        if not isinstance(table, Table):
            continue
        if extension := _shaped(table, machine, module, context):
            yield extension
        for key, one in table.entries.items():
            if key in _SWITCHES and truth(entry(one.value, "enabled") or one.value) is not False:
                publisher, kind = _SWITCHES[key]
                yield _extension(
                    one.value,
                    machine,
                    one.name,
                    (
                        Literal(table.source, one.at, publisher),
                        Literal(table.source, one.at, kind),
                    ),
                    context,
                )


def _shaped(table: Table, machine: str, module: str, context: Context) -> Extension | None:
    publisher, kind = entry(table, "publisher"), entry(table, "type")
    if publisher is None or kind is None:
        return None
    if not {"typehandlerversion", "type_handler_version"} & set(table.entries):
        return None
    return _extension(table, machine, module, (publisher, kind), context)


def _extension(
    node: Node, machine: str, name: str, handler: tuple[Node, Node], context: Context
) -> Extension:
    def either_of(*names: str) -> Node | None:
        return next((found for one in names if (found := entry(node, one)) is not None), None)

    settings = (either_of("settings"), either_of("protectedSettings", "protected_settings"))
    return Extension(
        source=handler[1].source,
        at=handler[1].at,
        machine=machine,
        name=name,
        publisher=handler[0],
        type=handler[1],
        version=either_of("typeHandlerVersion", "type_handler_version"),
        minor=either_of("autoUpgradeMinorVersion", "auto_upgrade_minor_version"),
        automatic=either_of("enableAutomaticUpgrade", "automatic_upgrade_enabled"),
        settings=tuple(one for one in settings if one is not None),
        context=context,
    )
