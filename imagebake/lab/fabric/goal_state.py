"""Goal states of a machine, and their documents: XML of the wire server, and vmSettings."""

from __future__ import annotations

import datetime as dt
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from imagebake.lab.fabric.certificates import Tenant, make_tenant
from imagebake.lab.fabric.extension_store import agent_manifest_urls, manifest_urls
from imagebake.lab.fabric.fabric_settings import (
    STATUS_HOST,
    WIRE_SERVER,
    FabricExtension,
    FabricMachine,
    GoalState,
    GoalStateSource,
)

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_WIRE = "2012-11-30"
_YEAR_ONE = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_SPACE = uuid.UUID("6b1f1a52-7f6c-4c35-9a42-0d6a0f6f3c11")
STATUS_URL = f"https://{STATUS_HOST}/$system/machine.status?sv=2018-03-28&sr=b&sig=imagebake"
"""The address that the goal state gives the agent for its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalStateRevision:
    """One goal state; *number* grows with every change, by either channel.

    *incarnation* grows with the wire server's goal states only, as on Azure. *ticks* is the time of
    the change, from which the agent decides which of the two is newer.
    """

    machine: FabricMachine
    tenant: Tenant
    incarnation: int
    number: int
    ticks: int
    extensions: tuple[FabricExtension, ...]
    source: GoalStateSource
    host: str
    sealed: Mapping[str, str]

    @property
    def container(self) -> str:
        """The id of the container on the host that the machine runs in."""
        return str(uuid.uuid5(_SPACE, f"container {self.machine.vm_id}"))

    @property
    def instance(self) -> str:
        """The role instance, which health reports name."""
        return f"_{self.machine.name}"

    @property
    def activity(self) -> str:
        """The id of the operation behind this goal state, the same in both of its documents."""
        return str(uuid.uuid5(_SPACE, f"activity {self.machine.vm_id} {self.number}"))

    @property
    def tag(self) -> str:
        """The ETag of its vmSettings."""
        return str(1_000_000 + self.number)


def ticks_of(moment: dt.datetime) -> int:
    """Return *moment* in the wire's unit: tenths of a microsecond since the year one."""
    return (moment - _YEAR_ONE) // dt.timedelta(microseconds=1) * 10


def versions() -> str:
    """Return the document of the wire server's protocol versions."""
    return (
        f"{_DECLARATION}<Versions><Preferred><Version>2015-04-05</Version></Preferred><Supported>"
        f"<Version>2015-04-05</Version><Version>{_WIRE}</Version></Supported></Versions>"
    )


def goal_state(wanted: GoalStateRevision) -> str:
    """Return the goal state itself: the machine's ids, and the addresses of its other documents."""
    base = f"http://{wanted.host}/machine/{wanted.container}/{wanted.instance}?comp="
    number = wanted.incarnation

    def config(kind: str) -> str:
        return escape(f"{base}config&type={kind}&incarnation={number}")

    return f"""{_DECLARATION}<GoalState>
 <Version>{_WIRE}</Version>
 <Incarnation>{number}</Incarnation>
 <Machine>
  <ExpectedState>Started</ExpectedState>
  <StopRolesDeadlineHint>300000</StopRolesDeadlineHint>
  <LBProbePorts><Port>16001</Port></LBProbePorts>
  <ExpectHealthReport>FALSE</ExpectHealthReport>
 </Machine>
 <Container>
  <ContainerId>{wanted.container}</ContainerId>
  <RoleInstanceList><RoleInstance>
   <InstanceId>{wanted.instance}</InstanceId>
   <State>Started</State>
   <Configuration>
    <HostingEnvironmentConfig>{config("hostingEnvironmentConfig")}</HostingEnvironmentConfig>
    <SharedConfig>{config("sharedConfig")}</SharedConfig>
    <Certificates>{escape(f"{base}certificates&incarnation={number}")}</Certificates>
    <ExtensionsConfig>{config("extensionsConfig")}</ExtensionsConfig>
    <FullConfig>{config("fullConfig")}</FullConfig>
    <ConfigName>{wanted.container}.{number}.{wanted.instance}.xml</ConfigName>
   </Configuration>
  </RoleInstance></RoleInstanceList>
 </Container>
</GoalState>"""


def hosting_environment(wanted: GoalStateRevision) -> str:
    """Return the hosting environment, of which the agent reads three names."""
    name, role = quoteattr(wanted.machine.name), quoteattr(wanted.instance)
    return (
        f'{_DECLARATION}<HostingEnvironmentConfig version="1.0.0.0" '
        f'goalStateIncarnation="{wanted.incarnation}"><StoredCertificates/>'
        f'<Deployment name={name} guid="{{{wanted.container}}}" incarnation="1">'
        f'<Service name={name} guid="{{{uuid.UUID(int=0)}}}"/></Deployment>'
        f'<Incarnation number="1" instance={role} guid="{{{wanted.container}}}"/>'
        f'<Role guid="{{{wanted.container}}}" name={name} softwareType="ApplicationPackage"/>'
        "</HostingEnvironmentConfig>"
    )


def shared_config(wanted: GoalStateRevision) -> str:
    """Return the shared configuration, which the agent only stores."""
    return (
        f'{_DECLARATION}<SharedConfig version="1.0.0.0" '
        f'goalStateIncarnation="{wanted.incarnation}">'
        f'<Deployment name={quoteattr(wanted.machine.name)} guid="{{{wanted.container}}}" '
        'incarnation="0"/></SharedConfig>'
    )


def certificates(wanted: GoalStateRevision, transport: str) -> str:
    """Return the tenant's certificate and key for the holder of *transport*'s key.

    Raises `ValueError` if *transport* is not a certificate.
    """
    return (
        f"{_DECLARATION}<CertificateFile><Version>{_WIRE}</Version>"
        f"<Incarnation>{wanted.incarnation}</Incarnation>"
        "<Format>Pkcs7BlobWithPfxContents</Format>"
        f"<Data>{wanted.tenant.delivered(transport)}</Data></CertificateFile>"
    )


def extensions_config(wanted: GoalStateRevision) -> str:
    """Return the extensions as the wire server announces them."""
    uris = "".join(f"<Uri>{escape(url)}</Uri>" for url in agent_manifest_urls())
    plugins = "".join(_plugin(extension) for extension in wanted.extensions)
    settings = "".join(_plugin_settings(extension, wanted) for extension in wanted.extensions)
    return f"""{_DECLARATION}<Extensions version="1.0.0.0"
 goalStateIncarnation="{wanted.incarnation}">
 <GuestAgentExtension xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
  <GAFamilies><GAFamily><Name>Prod</Name><Uris>{uris}</Uris></GAFamily></GAFamilies>
 </GuestAgentExtension>
 <StatusUploadBlob statusBlobType="BlockBlob">{escape(STATUS_URL)}</StatusUploadBlob>
 <InVMGoalStateMetaData inSvdSeqNo="{wanted.number}" createdOnTicks="{wanted.ticks}"
  activityId="{wanted.activity}" correlationId="{wanted.activity}"/>
 <Plugins>{plugins}</Plugins>
 <PluginSettings>{settings}</PluginSettings>
</Extensions>"""


def vm_settings(wanted: GoalStateRevision) -> dict[str, Any]:
    """Return the extensions as HostGAPlugin announces them.

    As on Azure they are always there. For a goal state of the wire server they have the same
    content and the source Fabric, and the agent then prefers the wire server's.
    """
    fast = wanted.source is GoalStateSource.FAST_TRACK
    return {
        "hostGAPluginVersion": "1.0.8.160",
        "vmSettingsSchemaVersion": "0.0",
        "activityId": wanted.activity,
        "correlationId": wanted.activity,
        "inSvdSeqNo": wanted.number,
        "extensionsLastModifiedTickCount": wanted.ticks,
        "extensionGoalStatesSource": "FastTrack" if fast else "Fabric",
        "onHold": False,
        "statusUploadBlob": {"statusBlobType": "BlockBlob", "value": STATUS_URL},
        "inVMMetadata": {
            "subscriptionId": wanted.machine.subscription,
            "resourceGroupName": wanted.machine.resource_group,
            "vmName": wanted.machine.name,
            "location": wanted.machine.location,
            "vmId": wanted.machine.vm_id,
            "vmSize": wanted.machine.size,
            "osType": "Linux",
        },
        "requiredFeatures": [],
        "gaFamilies": [{"name": "Prod", "uris": list(agent_manifest_urls())}],
        "extensionGoalStates": [_goal(extension, wanted) for extension in wanted.extensions],
    }


def _plugin(extension: FabricExtension) -> str:
    location, failover = (quoteattr(url) for url in manifest_urls(extension))
    return (
        f"<Plugin name={quoteattr(extension.name)} version={quoteattr(extension.version)} "
        f'location={location} failoverlocation={failover} state="enabled" '
        f'autoUpgrade="{str(extension.auto_upgrade).lower()}" runAsStartupTask="false" '
        'isJson="true" useExactVersion="true"/>'
    )


def _plugin_settings(extension: FabricExtension, wanted: GoalStateRevision) -> str:
    handler: dict[str, Any] = {
        **_protected(extension, wanted),
        "publicSettings": dict(extension.settings),
    }
    document = {"runtimeSettings": [{"handlerSettings": handler}]}
    return (
        f"<Plugin name={quoteattr(extension.name)} version={quoteattr(extension.version)}>"
        f'<RuntimeSettings seqNo="{extension.sequence}">{escape(json.dumps(document))}'
        "</RuntimeSettings></Plugin>"
    )


def _goal(extension: FabricExtension, wanted: GoalStateRevision) -> dict[str, Any]:
    location, failover = manifest_urls(extension)
    settings = {
        **_protected(extension, wanted),
        "publicSettings": json.dumps(dict(extension.settings)),
    }
    return {
        "name": extension.name,
        "version": extension.version,
        "location": location,
        "failoverLocation": failover,
        "additionalLocations": [],
        "state": "enabled",
        "autoUpgrade": extension.auto_upgrade,
        "runAsStartupTask": False,
        "isJson": True,
        "useExactVersion": True,
        "settingsSeqNo": extension.sequence,
        "settings": [settings],
    }


def _protected(extension: FabricExtension, wanted: GoalStateRevision) -> dict[str, str]:
    if extension.protected_settings is None:
        return {}
    return {
        "protectedSettingsCertThumbprint": wanted.tenant.thumbprint,
        "protectedSettings": wanted.sealed[extension.name],
    }


_TICK = 10
"""The smallest difference in time that the agent can see."""


class GoalStates:
    """The current goal states of a machine, one by each channel; the first is the wire server's.

    A new one by the wire server has a new incarnation; one by FastTrack keeps it, as on Azure. Each
    is later than all before it, even if the clock goes back.
    """

    def __init__(self, machine: FabricMachine, now: dt.datetime) -> None:
        self._machine = machine
        self._tenant = make_tenant(now)
        self._guard = threading.Lock()
        self._wanted: dict[GoalStateSource, GoalStateRevision] = {}
        self._latest = GoalStateSource.EXTENSIONS_CONFIG
        self.set(GoalState(), now)

    @property
    def wire_server(self) -> GoalStateRevision:
        """The goal state that the wire server hands out."""
        with self._guard:
            return self._wanted[GoalStateSource.EXTENSIONS_CONFIG]

    @property
    def latest(self) -> GoalStateRevision:
        """The newest goal state, which HostGAPlugin hands out."""
        with self._guard:
            return self._wanted[self._latest]

    def set(self, state: GoalState, now: dt.datetime) -> None:
        """Make *state* the newest; its protected settings are encrypted here, once."""
        sealed = {
            extension.name: self._tenant.sealed(extension.protected_settings)
            for extension in state.extensions
            if extension.protected_settings is not None
        }
        with self._guard:
            latest = self._wanted.get(self._latest)
            wire = self._wanted.get(GoalStateSource.EXTENSIONS_CONFIG)
            step = 1 if state.source is GoalStateSource.EXTENSIONS_CONFIG else 0
            self._wanted[state.source] = GoalStateRevision(
                machine=self._machine,
                tenant=self._tenant,
                incarnation=(wire.incarnation if wire else 0) + step,
                number=latest.number + 1 if latest else 1,
                # Later than the last one, even if the clock goes back.
                ticks=max(latest.ticks + _TICK if latest else 0, ticks_of(now)),
                extensions=state.extensions,
                source=state.source,
                host=":".join(map(str, WIRE_SERVER)),
                sealed=sealed,
            )
            self._latest = state.source
