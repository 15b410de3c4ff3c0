"""The extension store: published versions, their packages, and modes of failure."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

from imagebake.lab.fabric.exchange import FabricResponse, xml_response
from imagebake.lab.fabric.fabric_settings import (
    STORE_HOSTS,
    FabricExtension,
    GatewayMode,
    StoreMode,
)
from imagebake.lab.fabric.sample_extension import sample_package

NEWER_AGENT = "9.9.9.9"
"""The version of the agent that the store's manifest advertises to every machine."""

_KIND = "application/octet-stream"
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
_REFUSALS = {
    StoreMode.FORBIDDEN: ("AuthorizationFailure", "This request is not authorized."),
    StoreMode.NOT_FOUND: ("ResourceNotFound", "The specified resource does not exist."),
    StoreMode.PUBLIC_ACCESS_DENIED: (
        "PublicAccessNotPermitted",
        "Public access is not permitted on this storage account.",
    ),
}
_NEVER_COME = (StoreMode.RESET, StoreMode.BLACK_HOLE)

BAD_GATEWAY = FabricResponse(
    status=502, body=b'{"error":"upstream storage request failed"}', kind="application/json"
)
"""HostGAPlugin's response if it could not fetch an artifact itself."""


class ExtensionStore:
    """The content of Azure's package accounts, by path; every host of the store has all of it.

    *packages* are zips by handler name and version. For any other published extension the sample
    handler is served under that name, so that every image has something to install. *agents* are
    the versions in the agent's manifest; none of them can be downloaded. One store may serve many
    fabrics at once.
    """

    def __init__(
        self,
        packages: Mapping[tuple[str, str], bytes] | None = None,
        *,
        agents: Iterable[str] = (NEWER_AGENT,),
        ballast: int = 0,
    ) -> None:
        self._packages = dict(packages or {})
        self._sample = sample_package(ballast=ballast)
        self._versions: dict[str, tuple[str, ...]] = {}
        self._agents = tuple(agents)
        self._guard = threading.Lock()
        for name, version in self._packages:
            self._add(name, (version,))

    def publish(self, extensions: Iterable[FabricExtension]) -> None:
        """List the versions of *extensions* in their manifests from now on."""
        for extension in extensions:
            self._add(extension.name, extension.published)

    def _add(self, name: str, versions: Iterable[str]) -> None:
        with self._guard:
            known = self._versions.get(name, ())
            self._versions[name] = (
                *known,
                *(version for version in versions if version not in known),
            )

    def content(self, path: str) -> bytes | None:
        """Return the content at *path*, or None."""
        name = path.rpartition("/")[2]
        if name == agent_manifest_name():
            return _manifest("WALinuxAgent", self._agents).encode()
        if name.endswith("_manifest.xml"):
            handler = name.removesuffix("_manifest.xml")
            versions = self._versions.get(handler)
            return _manifest(handler, versions).encode() if versions else None
        handler, _, version = name.removesuffix(".zip").partition("__")
        if not name.endswith(".zip") or version not in self._versions.get(handler, ()):
            return None
        return self._packages.get((handler, version), self._sample)

    def answer(self, path: str, mode: StoreMode, *, slow: float) -> FabricResponse:
        """Answer a request for *path* while the store is in *mode*; *slow* is in seconds."""
        if mode in _REFUSALS:
            return _refusal(mode)
        if mode in _NEVER_COME:
            return FabricResponse(reset=True, status=0)
        content = self.content(path)
        if content is None:
            return _refusal(StoreMode.NOT_FOUND)
        whole = FabricResponse(body=content, kind=_KIND)
        return _spoiled(whole, mode, slow=slow)

    def answer_for_host(
        self, gateway: GatewayMode, path: str, mode: StoreMode, *, slow: float
    ) -> FabricResponse:
        """Answer a request for *path* that HostGAPlugin passes on to this store."""
        if gateway is GatewayMode.BAD_GATEWAY:
            return BAD_GATEWAY
        if gateway is GatewayMode.HEALTHY:
            return self.answer(path, StoreMode.UP, slow=slow)
        if mode in _NEVER_COME:
            return BAD_GATEWAY
        return self.answer(path, mode, slow=slow)


def manifest_urls(extension: FabricExtension) -> tuple[str, ...]:
    """Return the manifest's addresses, in the order in which a goal state lists them."""
    name = extension.name
    return tuple(f"https://{host}/{name}/{name}_manifest.xml" for host in extension.hosts)


def agent_manifest_urls() -> tuple[str, ...]:
    """Return the addresses of the agent's own manifest."""
    return tuple(f"https://{host}/agent/{agent_manifest_name()}" for host in STORE_HOSTS)


def agent_manifest_name() -> str:
    """Return the last part of those addresses."""
    return "WALinuxAgent_Prod_manifest.xml"


def _spoiled(whole: FabricResponse, mode: StoreMode, *, slow: float) -> FabricResponse:
    if mode is StoreMode.SLOW:
        return whole.with_changes(delay=slow / 2, spread=slow / 2)
    if mode is StoreMode.TRUNCATED:
        return whole.with_changes(sent=len(whole.body) // 2)
    if mode is StoreMode.WRONG_BYTES:
        return whole.with_changes(body=bytes(byte ^ 0x20 for byte in whole.body))
    return whole


def _manifest(handler: str, versions: Iterable[str]) -> str:
    plugins = "".join(
        f"<Plugin><Version>{escape(version)}</Version><Uris>"
        + "".join(
            f"<Uri>https://{host}/{handler}/{handler}__{version}.zip</Uri>" for host in STORE_HOSTS
        )
        + "</Uris></Plugin>"
        for version in versions
    )
    return (
        f"{_DECLARATION}<PluginVersionManifest><Plugins>{plugins}</Plugins>"
        "<InternalPlugins/></PluginVersionManifest>"
    )


def _refusal(mode: StoreMode) -> FabricResponse:
    code, message = _REFUSALS[mode]
    text = f"{_DECLARATION}<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return xml_response(text, int(mode)).with_changes(headers=(("x-ms-error-code", code),))
