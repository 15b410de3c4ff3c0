"""What is known of the components of Windows machines, which no spec of today bakes."""

from __future__ import annotations

from imagebake.catalog.extensions import FLAGS
from imagebake.model.component import Component, CreatePath

_PACKAGES = r"C:\Packages\Plugins"
_GUEST_AGENT = r"C:\WindowsAzure\Packages\WindowsAzureGuestAgent.exe"


def _extension(
    name: str, title: str, publisher: str, kind: str, docs: str, *, baked: str = ""
) -> Component:
    """An extension of Windows machines; *baked* is what is in the image of it."""
    folder = rf"{_PACKAGES}\{publisher}.{kind}"
    return Component(
        name=f"windows-{name}",
        title=title,
        publisher=publisher,
        type=kind,
        create_path=CreatePath.AFTER,
        install=baked or "not at all; its zip comes when it is attached",
        self_update=FLAGS,
        offline="attached later, it waits for its storage; a machine is created without it",
        version_query=rf"(Get-ChildItem {folder}).Name",
        hygiene=(rf"{folder}\*\RuntimeSettings\*",),
        docs=docs,
    )


COMPONENTS = (
    Component(
        name="windows-guest-agent",
        title="Windows guest agent",
        install="its MSI, before sysprep; an image that has an old one downloads at first boot",
        self_update="its MSI is the newest at the bake; Azure may move it once the machine runs",
        version_query=f"(Get-Item {_GUEST_AGENT}).VersionInfo.ProductVersion",
        services=("RdAgent", "WindowsAzureGuestAgent", "WindowsAzureTelemetryService"),
        offline="reports ready without its storage when the image has it; sysprep waits for it",
        hygiene=(r"C:\WindowsAzure\Logs\*", r"C:\Windows\Panther\unattend.xml"),
        docs="Reports the machine as ready and runs extensions.",
    ),
    _extension(
        "azure-monitor-agent",
        "Azure Monitor Agent",
        "Microsoft.Azure.Monitor",
        "AzureMonitorWindowsAgent",
        "Collects events and metrics. The MSI that can be downloaded is for client systems only.",
    ),
    _extension(
        "defender-for-endpoint",
        "Microsoft Defender for Endpoint",
        "Microsoft.Azure.AzureDefenderForServers",
        "MDE.Windows",
        "Onboards what Windows Server has from 2019 on (Sense, WinDefend). No image is onboarded.",
        baked="in Windows already; `Get-MpComputerStatus` has its versions",
    ),
    _extension(
        "entra-login",
        "Entra login",
        "Microsoft.Azure.ActiveDirectory",
        "AADLoginForWindows",
        "Lets people log in with their Entra account.",
    ),
    _extension(
        "custom-script",
        "Custom Script",
        "Microsoft.Compute",
        "CustomScriptExtension",
        "Runs a script once, which it downloads: bake what it would do.",
    ),
    _extension(
        "run-command",
        "Run Command",
        "Microsoft.CPlat.Core",
        "RunCommandWindows",
        "Runs commands on machines that are there: a tool for emergencies.",
    ),
    _extension(
        "application-health",
        "Application Health",
        "Microsoft.ManagedServices",
        "ApplicationHealthWindows",
        "Reports the health of an application. Prefer a probe of the load balancer.",
    ),
    _extension(
        "key-vault",
        "Key Vault",
        "Microsoft.Azure.KeyVault",
        "KeyVaultForWindows",
        "Brings certificates from a vault; `requireInitialSync: false` keeps creation free of it.",
    ),
    _extension(
        "machine-configuration",
        "Machine Configuration",
        "Microsoft.GuestConfiguration",
        "ConfigurationforWindows",
        "Audits settings for Azure Policy, which attaches it by itself.",
    ),
    _extension(
        "network-watcher",
        "Network Watcher",
        "Microsoft.Azure.NetworkWatcher",
        "NetworkWatcherAgentWindows",
        "Captures packets on demand.",
    ),
    _extension(
        "vm-snapshot",
        "VM snapshot",
        "Microsoft.Azure.RecoveryServices",
        "VMSnapshot",
        "Makes volumes consistent for Azure Backup, which brings it with the first backup.",
    ),
    _extension(
        "antimalware",
        "Microsoft Antimalware",
        "Microsoft.Azure.Security",
        "IaaSAntimalware",
        "Configures the antimalware that Windows has.",
        baked="in Windows already",
    ),
    _extension(
        "guest-attestation",
        "Guest attestation",
        "Microsoft.Azure.Security.WindowsAttestation",
        "GuestAttestation",
        "Attests the boot of machines with Trusted Launch, which boot without it as well.",
    ),
)
"""For reviewers of machine models: what may be asked for when, and what it would download."""
