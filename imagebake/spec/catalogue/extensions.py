"""Linux extensions and files that a spec cannot pin as agents."""

from __future__ import annotations

from imagebake.spec.catalogue.component import Component, CreatePath

FLAGS = "`autoUpgradeMinorVersion: false` and `enableAutomaticUpgrade: false`, both written out"
"""Properties that keep an extension at its version: Azure's default for the second is true."""

ZIP = "its official zip, with `mode: cached`"


def extension(
    *,
    name: str,
    title: str,
    publisher: str,
    type: str,  # noqa: A002 - what Azure calls it
    docs: str,
    create_path: CreatePath = CreatePath.AFTER,
    install: str = ZIP,
    offline: str = "attached later, it waits for its storage; a machine is created without it",
    services: tuple[str, ...] = (),
    version_query: str = "",
    hygiene: tuple[str, ...] = (),
) -> Component:
    """Return a Linux extension with the paths that the guest agent gives it."""
    folder = f"/var/lib/waagent/{publisher}.{type}"
    return Component(
        name=name,
        title=title,
        publisher=publisher,
        type=type,
        create_path=create_path,
        install=install,
        self_update=FLAGS,
        offline=offline,
        services=services,
        version_query=version_query or f"ls -d {folder}-*",
        hygiene=(*hygiene, f"{folder}-*/config/*.settings"),
        docs=docs,
    )


COMPONENTS = (
    extension(
        name="azure-monitor-agent",
        title="Azure Monitor Agent",
        publisher="Microsoft.Azure.Monitor",
        type="AzureMonitorLinuxAgent",
        install="`azuremonitoragent.deb` out of its official zip",
        services=(
            "azuremonitoragent.service",
            "azuremonitor-coreagent.service",
            "azuremonitor-agentlauncher.service",
            "metrics-extension.service",
        ),
        version_query="dpkg-query -W -f='${Package}_${Version}\\n' 'azuremonitoragent*'",
        offline=(
            "needs an identity and its configuration service to do anything; with the same "
            "version in the image the extension skips its installation"
        ),
        hygiene=(
            "/etc/opt/microsoft/azuremonitoragent/config-cache/*",
            "/var/opt/microsoft/azuremonitoragent/*",
        ),
        docs="Collects logs and metrics. Each version is supported for a year; needs rsyslog.",
    ),
    extension(
        name="dependency-agent",
        title="Dependency agent",
        publisher="Microsoft.Azure.Monitoring.DependencyAgent",
        type="DependencyAgentLinux",
        create_path=CreatePath.NEVER,
        install="not at all",
        docs="Draws maps of connections. It retires on 2028-06-30.",
    ),
    extension(
        name="custom-script",
        title="Custom Script",
        publisher="Microsoft.Azure.Extensions",
        type="CustomScript",
        create_path=CreatePath.NEVER,
        install="a systemd unit in the image, or cloud-init's custom data, in its place",
        offline="downloads its script: no machine may wait for it",
        docs="Runs a script once. What is in the image, or in the custom data, needs no download.",
    ),
    extension(
        name="run-command",
        title="Run Command",
        publisher="Microsoft.CPlat.Core",
        type="RunCommandHandlerLinux",
        create_path=CreatePath.NEVER,
        install="not at all; Azure brings it with the first command",
        docs="Runs commands on machines that are there: a tool for emergencies, not for creation.",
    ),
    extension(
        name="application-health",
        title="Application Health",
        publisher="Microsoft.ManagedServices",
        type="ApplicationHealthLinux",
        offline="a scale set that waits for it stands still; a load balancer's probe needs nothing",
        docs="Reports the health of an application. Prefer a probe of the load balancer.",
    ),
    extension(
        name="machine-configuration",
        title="Machine Configuration",
        publisher="Microsoft.GuestConfiguration",
        type="ConfigurationForLinux",
        services=("gcd.service",),
        docs=(
            "Audits settings for Azure Policy, which attaches it by itself: look at the "
            "assignments. Its instance must be called AzurePolicyforLinux."
        ),
    ),
    extension(
        name="key-vault",
        title="Key Vault",
        publisher="Microsoft.Azure.KeyVault",
        type="KeyVaultForLinux",
        services=("akvvm_service.service",),
        offline="with `requireInitialSync: false` a machine does not wait for the vault",
        docs="Brings certificates from a vault, and keeps them fresh.",
    ),
    extension(
        name="network-watcher",
        title="Network Watcher",
        publisher="Microsoft.Azure.NetworkWatcher",
        type="NetworkWatcherAgentLinux",
        create_path=CreatePath.NEVER,
        install="not at all; Azure adds it when packets are captured",
        docs="Captures packets on demand.",
    ),
    extension(
        name="vm-snapshot",
        title="VM snapshot",
        publisher="Microsoft.Azure.RecoveryServices",
        type="VMSnapshotLinux",
        create_path=CreatePath.NEVER,
        install="not at all; Azure Backup brings it with the first backup",
        docs="Makes file systems consistent for Azure Backup.",
    ),
    extension(
        name="security-monitoring",
        title="Security monitoring",
        publisher="Microsoft.Azure.Security.Monitoring",
        type="AzureSecurityLinuxAgent",
        services=("azsecd.service",),
        docs="Scans for Defender for Cloud.",
    ),
    extension(
        name="guest-attestation",
        title="Guest attestation",
        publisher="Microsoft.Azure.Security.LinuxAttestation",
        type="GuestAttestation",
        docs="Attests the boot of machines with Trusted Launch, which boot without it as well.",
    ),
    Component(
        name="github-runner",
        title="GitHub Actions runner",
        install="its archive, as a file pin; what `installdependencies.sh` asks for, as packages",
        version_query="./bin/Runner.Listener --version",
        services=("actions.runner.*.service",),
        self_update="`config.sh --disableupdate`; a runner must still be renewed about monthly",
        offline="registers itself once the machine is there; no image is registered",
        hygiene=("/opt/runner/.credentials*", "/opt/runner/.runner", "/opt/runner/_diag/*"),
        docs="Runs jobs of workflows.",
    ),
    Component(
        name="bicep",
        title="Bicep",
        install="its one program, as a file pin with mode 0755",
        version_query="bicep --version",
        self_update="does not update itself",
        offline="compiles offline; modules of a registry are downloads",
        docs="Compiles templates, for runners.",
    ),
)
"""Extensions go under `extensions` of a spec; files under `pins`."""
