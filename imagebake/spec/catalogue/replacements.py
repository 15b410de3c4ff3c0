"""Replacements of extensions whose packages would be downloaded at provisioning."""

from __future__ import annotations

from dataclasses import dataclass

from imagebake.spec.model.pins import DeliveryMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """How the function of an extension reaches a machine without a download.

    *component* is the catalogue's component that takes over, *package* a package to pin; either
    may be empty. *identity* says that the extension needs a token to do its work.
    """

    mode: DeliveryMode
    advice: str
    component: str = ""
    package: str = ""
    identity: bool = False

    def __str__(self) -> str:
        named = f", {self.component}" if self.component else ""
        named = f", package {self.package}" if self.package else named
        return f"mode {self.mode.value}{named}: {self.advice}"


_NATIVE, _CACHED, _ABSENT = DeliveryMode.NATIVE, DeliveryMode.CACHED, DeliveryMode.ABSENT

_SCRIPT = Replacement(
    mode=_NATIVE,
    component="cloud-init",
    advice="bake what the script does; what differs by machine goes into custom data",
)
_WINDOWS_SCRIPT = Replacement(mode=_NATIVE, advice="bake what the script does")
_HEALTH = Replacement(
    mode=_ABSENT, advice="let a probe of the load balancer watch, or attach it after creation"
)
_MONITOR = Replacement(
    mode=_ABSENT,
    identity=True,
    advice="a policy attaches it after creation; no machine waits for it",
)
_LATER = Replacement(mode=_ABSENT, advice="attach it after creation, never in the model")
_RETIRED = Replacement(mode=_ABSENT, advice="it is retired: leave it out")
_POLICY = Replacement(
    mode=_ABSENT, identity=True, advice="Azure Policy attaches it by itself, after creation"
)
_VAULT = Replacement(
    mode=_ABSENT,
    identity=True,
    advice="attach it after creation, with requireInitialSync: false",
)
_ENCRYPTION = Replacement(
    mode=_ABSENT, advice="encryption at host does it without an extension; else attach it later"
)
_WINDOWS_HAS = Replacement(mode=_NATIVE, advice="Windows has it; bake its configuration")
_COMMANDS = Replacement(
    mode=_ABSENT, advice="a tool for emergencies; bake what every machine needs"
)
_DRIVER = Replacement(mode=_NATIVE, advice="bake the driver")

UNKNOWN = Replacement(
    mode=_CACHED,
    advice="the image serves its official zip (or native, where a package does the same)",
)
"""Replacement for extensions that the catalogue does not know."""

REPLACEMENTS = {
    "microsoft.azure.extensions.customscript": _SCRIPT,
    "microsoft.ostcextensions.customscriptforlinux": _SCRIPT,
    "microsoft.compute.customscriptextension": _WINDOWS_SCRIPT,
    "microsoft.powershell.dsc": _WINDOWS_SCRIPT,
    "microsoft.ostcextensions.dscforlinux": _SCRIPT,
    "microsoft.cplat.core.runcommandhandlerlinux": _COMMANDS,
    "microsoft.cplat.core.runcommandhandlerwindows": _COMMANDS,
    "microsoft.cplat.core.runcommandlinux": _COMMANDS,
    "microsoft.cplat.core.runcommandwindows": _COMMANDS,
    "microsoft.azure.monitor.azuremonitorlinuxagent": _MONITOR,
    "microsoft.azure.monitor.azuremonitorwindowsagent": _MONITOR,
    "microsoft.azure.monitoring.dependencyagent.dependencyagentlinux": _RETIRED,
    "microsoft.azure.monitoring.dependencyagent.dependencyagentwindows": _RETIRED,
    "microsoft.enterprisecloud.monitoring.omsagentforlinux": _RETIRED,
    "microsoft.enterprisecloud.monitoring.microsoftmonitoringagent": _RETIRED,
    "microsoft.azure.diagnostics.linuxdiagnostic": _MONITOR,
    "microsoft.azure.diagnostics.iaasdiagnostics": _MONITOR,
    "microsoft.azure.azuredefenderforservers.mde.linux": Replacement(
        mode=_NATIVE,
        package="mdatp",
        advice="bake it, never onboarded; onboard after creation",
    ),
    "microsoft.azure.azuredefenderforservers.mde.windows": _WINDOWS_HAS,
    "microsoft.azure.activedirectory.aadsshloginforlinux": Replacement(
        mode=_NATIVE,
        package="aadsshlogin",
        identity=True,
        advice="bake it with its configuration; the extension turns it on after creation",
    ),
    "microsoft.azure.activedirectory.aadloginforwindows": _LATER,
    "microsoft.managedservices.applicationhealthlinux": _HEALTH,
    "microsoft.managedservices.applicationhealthwindows": _HEALTH,
    "microsoft.guestconfiguration.configurationforlinux": _POLICY,
    "microsoft.guestconfiguration.configurationforwindows": _POLICY,
    "microsoft.azure.keyvault.keyvaultforlinux": _VAULT,
    "microsoft.azure.keyvault.keyvaultforwindows": _VAULT,
    "microsoft.azure.networkwatcher.networkwatcheragentlinux": _LATER,
    "microsoft.azure.networkwatcher.networkwatcheragentwindows": _LATER,
    "microsoft.azure.recoveryservices.vmsnapshotlinux": _LATER,
    "microsoft.azure.recoveryservices.vmsnapshot": _LATER,
    "microsoft.azure.security.monitoring.azuresecuritylinuxagent": _LATER,
    "microsoft.azure.security.linuxattestation.guestattestation": _LATER,
    "microsoft.azure.security.windowsattestation.guestattestation": _LATER,
    "microsoft.azure.security.iaasantimalware": _WINDOWS_HAS,
    "microsoft.azure.security.azurediskencryption": _ENCRYPTION,
    "microsoft.azure.security.azurediskencryptionforlinux": _ENCRYPTION,
    "microsoft.cplat.proxyagent.proxyagentlinux": Replacement(
        mode=_NATIVE, package="azure-proxy-agent", advice="bake it"
    ),
    "microsoft.cplat.proxyagent.proxyagentwindows": _LATER,
    "microsoft.compute.jsonaddomainextension": Replacement(
        mode=_NATIVE, advice="join the domain from a script in the image, after creation"
    ),
    "microsoft.compute.vmaccessagent": _LATER,
    "microsoft.compute.bginfo": Replacement(mode=_ABSENT, advice="nothing needs it: leave it out"),
    "microsoft.ostcextensions.vmaccessforlinux": _LATER,
    "microsoft.hpccompute.nvidiagpudriverlinux": _DRIVER,
    "microsoft.hpccompute.nvidiagpudriverwindows": _DRIVER,
    "microsoft.hpccompute.amdgpudriverlinux": _DRIVER,
    "microsoft.hpccompute.amdgpudriverwindows": _DRIVER,
}
"""By publisher and type in lower case, because templates spell them differently."""


def replacement(publisher: str, extension_type: str) -> Replacement:
    """Return the replacement of an extension; `UNKNOWN` where the catalogue has none."""
    return REPLACEMENTS.get(f"{publisher}.{extension_type}".lower(), UNKNOWN)
