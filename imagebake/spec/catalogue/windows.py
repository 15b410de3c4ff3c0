"""Components of Windows machines."""

from __future__ import annotations

from collections.abc import Mapping

from imagebake.spec.catalogue.component import (
    GUEST_AGENT,
    POWERSHELL_7,
    STATE,
    Component,
    CreatePath,
    Installation,
    InstallerKind,
    Number,
    Policy,
    Updater,
    Variable,
)
from imagebake.spec.catalogue.extensions import FLAGS

_PACKAGES = r"C:\Packages\Plugins"
_AZURE = r"C:\WindowsAzure"
_AGENT = "WindowsAzureGuestAgent.exe"
_PWSH = r"C:\Program Files\PowerShell\7\pwsh.exe"
_AZ = r"C:\Program Files\Microsoft SDKs\Azure\CLI2\wbin\az.cmd"
_AZCOPY = r"C:\Program Files\AzCopy"


def _extension(
    name: str, title: str, publisher: str, kind: str, docs: str, *, baked: str = ""
) -> Component:
    """Return an extension of Windows machines; *baked* names its payload in the image."""
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


_PINNED = (
    Component(
        name=GUEST_AGENT,
        title="Windows guest agent",
        install="its MSI, before sysprep; an image that has an old one downloads at first boot",
        self_update="its MSI is the newest at the bake; Azure may move it once the machine runs",
        version_query=(
            rf"Get-Item '{_AZURE}\Packages\{_AGENT}', '{_AZURE}\GuestAgent_*\{_AGENT}'"
            " -ErrorAction SilentlyContinue | ForEach-Object { $_.VersionInfo.ProductVersion }"
        ),
        services=("RdAgent", "WindowsAzureGuestAgent"),
        offline="reports ready without its storage when the image has it; sysprep waits for it",
        hygiene=(
            r"C:\WindowsAzure\Logs\*",
            r"C:\WindowsAzure\CollectGuestLogsTemp\*",
            r"C:\Packages\Plugins\*\*\RuntimeSettings\*",
            r"C:\Packages\Plugins\*\*\Status\*",
        ),
        installation=Installation(kind=InstallerKind.MSI, at_least=True),
        docs="Reports the machine as ready and runs extensions.",
    ),
    Component(
        name=POWERSHELL_7,
        title="PowerShell 7",
        install="its MSI; Windows PowerShell 5.1 stays beside it",
        self_update=(
            "installed without Microsoft Update; `POWERSHELL_UPDATECHECK=Off` for the machine"
        ),
        version_query=f"& '{_PWSH}' --version",
        installation=Installation(
            kind=InstallerKind.MSI,
            properties=("ADD_PATH=1", "USE_MU=0", "ENABLE_MU=0", "DISABLE_TELEMETRY=1"),
            variables=(Variable(name="POWERSHELL_UPDATECHECK", value="Off"),),
        ),
        docs="Runs scripts. Modules that are pinned go to its own folder as well.",
    ),
    Component(
        name="windows-azure-cli",
        title="Azure CLI",
        install="its MSI for 64 bits",
        self_update="`az upgrade` is a person's; missing extensions are not installed on the way",
        version_query=f"& '{_AZ}' version --output json",
        offline="every command is a call to Azure; an extension that is missing is an error",
        hygiene=(r"C:\Users\*\.azure", r"C:\Windows\System32\config\systemprofile\.azure"),
        installation=Installation(
            kind=InstallerKind.MSI,
            variables=(Variable(name="AZURE_EXTENSION_USE_DYNAMIC_INSTALL", value="no"),),
        ),
        docs="Speaks to Azure.",
    ),
    Component(
        name="windows-azcopy",
        title="AzCopy",
        install=f"its zip, into `{_AZCOPY}`, which joins the search path",
        self_update="it only tells of newer versions",
        version_query=f"& '{_AZCOPY}\\azcopy.exe' --version",
        offline="copies from and to storage, and does nothing by itself",
        hygiene=(r"C:\Users\*\.azcopy", r"C:\Windows\System32\config\systemprofile\.azcopy"),
        installation=Installation(kind=InstallerKind.ZIP, folder=_AZCOPY, program="azcopy.exe"),
        docs="Copies blobs.",
    ),
)

_ATTACHED = (
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

COMPONENTS = (*_PINNED, *_ATTACHED)
"""For reviewers of VM models: when each may be requested, and what it would download."""

PINNED: Mapping[str, Component] = {component.name: component for component in _PINNED}
"""Components that a spec of Windows may pin as agents, by name."""


_POLICIES = r"HKLM:\SOFTWARE\Policies\Microsoft"

POLICIES: tuple[Policy, ...] = tuple(
    Policy(number=Number(key=rf"{_POLICIES}\{key}", name=name, value=value), fetches=fetches)
    for key, name, value, fetches in (
        (r"Windows\WindowsUpdate\AU", "NoAutoUpdate", 1, "updates of Windows"),
        ("WindowsStore", "AutoDownload", 2, "updates of apps"),
        ("EdgeUpdate", "UpdateDefault", 0, "updates of Edge"),
        (r"Windows\CloudContent", "DisableWindowsConsumerFeatures", 1, "apps that are advertised"),
    )
)
"""Every image sets all of them; a customizer `update` still works, because it searches itself.

Updates of Defender's antivirus definitions stay on: they protect, and no start waits for them.
"""

UPDATERS: tuple[Updater, ...] = (
    Updater(service="edgeupdate", fetches="updates of Edge"),
    Updater(service="edgeupdatem", fetches="updates of Edge"),
    # Edge's policies hold in a domain alone; its tasks run everywhere.
    Updater(task="MicrosoftEdgeUpdateTask*", fetches="updates of Edge"),
)
"""Every image disables those that it has."""

_WINDOWS = r"C:\Windows"
_PROFILES = (r"C:\Users\*", rf"{_WINDOWS}\System32\config\systemprofile")

HYGIENE: tuple[str, ...] = (
    # Answers for an earlier set-up: sysprep would take its own from there.
    rf"{_WINDOWS}\Panther\unattend.xml",
    rf"{_WINDOWS}\Panther\Unattend\unattend.xml",
    rf"{_WINDOWS}\System32\Sysprep\unattend.xml",
    rf"{_WINDOWS}\System32\Sysprep\Panther\*",
    # The build's own traces.
    rf"{_WINDOWS}\Temp\*",
    rf"{_WINDOWS}\Logs\CBS\*",
    rf"{_WINDOWS}\Logs\DISM\*",
    rf"{_WINDOWS}\Prefetch\*",
    rf"{_WINDOWS}\SoftwareDistribution\Download\*",
    r"C:\inetpub\logs\*",
    rf"{STATE}\logs\*",
    # Keys and habits of those who built it.
    r"C:\ProgramData\ssh\ssh_host_*",
    r"C:\ProgramData\ssh\administrators_authorized_keys",
    *(
        rf"{profile}\{path}"
        for profile in _PROFILES
        for path in (
            r".ssh\authorized_keys",
            r".ssh\known_hosts",
            r"AppData\Local\Temp\*",
            r"AppData\Local\CrashDumps\*",
            r"AppData\Roaming\Microsoft\Windows\PowerShell\PSReadLine\*_history.txt",
        )
    ),
)
"""Paths that no component owns; the deprovisioning script removes them before sysprep."""
