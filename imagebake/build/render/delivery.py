"""Render the scripts that stage agents and extensions for use without a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from imagebake.build.render.steps import RenderContext, drop_in_values, root_script
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.component import DropIn, Setting
from imagebake.spec.model.delivery import (
    AGENT_STATE,
    AGENTS,
    CACHE,
    CACHE_ADDRESS,
    CACHE_CONFIGURATION,
    CACHE_UNIT,
    PACKAGES,
    RESTAGE,
    TRUST,
    agent_folder,
    package_name,
)
from imagebake.spec.model.pins import AgentPin, ExtensionPin
from imagebake.spec.plan import Script

AGENT_CONFIGURATION = "/etc/waagent.conf"
"""Configuration file of the Azure Linux Agent."""

PROXY = (
    Setting(path=AGENT_CONFIGURATION, key="HttpProxy.Host", value=CACHE_ADDRESS[0]),
    Setting(path=AGENT_CONFIGURATION, key="HttpProxy.Port", value=str(CACHE_ADDRESS[1])),
)
"""Agent settings that route its requests through the cache; documented, and agent-only."""

ARTIFACT_HOSTS = (
    "*.blob.core.windows.net",
    "*.blob.core.chinacloudapi.cn",
    "*.blob.core.usgovcloudapi.net",
    *(f"*.z{zone:02}.blob.storage.azure.net" for zone in range(100)),
    *(f"*.z{zone}.blob.storage.azure.net" for zone in range(10)),
)
"""Hosts of extension packages; the accounts differ between regions and clouds."""

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""The system's CA certificates."""

_UNPACK = "delivery/unpack.py"


def render_delivery(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    """Yield the customizers that keep what generalisation deletes, and have it restored."""
    pin, cached = _goal_state_agent(facts), facts.spec.cached
    if pin and (kept := pin.wanted_file):
        yield root_script(
            "keep-agent",
            "agent",
            templates,
            sha256=kept.sha256,
            package=kept.destination,
            folder=agent_folder(AGENTS, kept.version),
            unpack=templates.file(_UNPACK),
        )
    if cached:
        yield root_script(
            "serve-extensions",
            "cache",
            templates,
            needs=("python3", "openssl"),
            texts=[drop_in_values(file) for file in _cache_files(facts, templates)],
            unit=CACHE_UNIT,
            settings=PROXY,
        )
    if pin or cached:
        script = render_restage(facts, templates)
        yield root_script("write-restage", "restage", templates, path=RESTAGE, script=script)


def render_restage(facts: RenderContext, templates: Templates) -> str:
    """Render the script that restores the packages after generalisation."""
    pin = _goal_state_agent(facts)
    agent = pin.goal_state_agent if pin else None
    return templates.shell(
        "delivery/restage.sh.j2",
        services=facts.guest_agent.services if facts.guest_agent else (),
        state=AGENT_STATE,
        # Generalisation deletes the agent's state folder; the copy outside of it survives.
        agent=agent_folder(AGENTS, agent.version) if agent else None,
        packages=[
            f"{PACKAGES}/{package_name(pin.handler, pin.version)}" for pin in facts.spec.cached
        ],
    )


def render_delivery_check(facts: RenderContext, templates: Templates) -> Iterator[Script]:
    """Yield the validator that checks the staged files on a machine made from the image."""
    pin, cached = _goal_state_agent(facts), facts.spec.cached
    if not pin and not cached:
        return
    ours = [(RESTAGE, render_restage(facts, templates))]
    if cached:
        ours += [
            (file.path, "\n".join((*file.lines, ""))) for file in _cache_files(facts, templates)
        ]
    yield Script(
        name="check-delivery",
        text=templates.shell(
            "validate/delivery.sh.j2",
            agent=_agent_check(pin) if pin else None,
            unpack=templates.file(_UNPACK),
            packages=[check for pin in cached if (check := _package_check(pin))],
            texts=[{"path": path, "sha256": sha256_bytes(text.encode())} for path, text in ours],
            unit=CACHE_UNIT if cached else None,
            settings=PROXY if cached else (),
        ),
    )


def extension_entry(extension: ExtensionPin) -> dict[str, Any]:
    """Return the entry of *extension* in an image's manifest."""
    entry = {
        "handler": extension.handler,
        "version": extension.version,
        "mode": extension.mode.value,
    }
    if extension.package:
        entry["sha256"] = extension.package.sha256
    return entry


def cache_configuration(extensions: tuple[ExtensionPin, ...]) -> bytes:
    """Render the configuration of the cache: the hosts it answers for, and its packages."""
    host, port = CACHE_ADDRESS
    # A private source may be outside of the publishers' usual hosts.
    own = (_domain(extension.package.file) for extension in extensions if extension.package)
    return canonical_json(
        {
            "host": host,
            "port": port,
            "ports": [443],
            "trust": TRUST,
            "authorities": AUTHORITIES,
            "hosts": list(dict.fromkeys((*ARTIFACT_HOSTS, *filter(None, own)))),
            "extensions": [
                {
                    "name": extension.handler,
                    "version": extension.version,
                    "file": f"{PACKAGES}/{package_name(extension.handler, extension.version)}",
                }
                for extension in extensions
            ],
        }
    )


def _domain(url: str) -> str | None:
    """Return a wildcard for the host of *url* and its siblings; None for an IP address."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        parent = host.partition(".")[2]
        return f"*.{parent}" if "." in parent else host
    return None


def _goal_state_agent(facts: RenderContext) -> AgentPin | None:
    return next((pin for pin in facts.spec.agents if pin.goal_state_agent), None)


def _cache_files(facts: RenderContext, templates: Templates) -> Iterator[DropIn]:
    units = "/etc/systemd/system"
    shipped = [
        (CACHE, "cache.py"),
        (f"{units}/{CACHE_UNIT}", CACHE_UNIT),
        ("/etc/tmpfiles.d/imagebake-cache.conf", "tmpfiles.conf"),
    ]
    services = facts.guest_agent.services if facts.guest_agent else ()
    shipped += [
        (f"{units}/{service}.d/10-imagebake-cache.conf", "agent-drop-in.conf")
        for service in services
    ]
    for path, name in shipped:
        text = templates.file(f"delivery/{name}")
        yield DropIn(path=path, lines=tuple(text.splitlines()))
    configuration = cache_configuration(facts.spec.cached).decode()
    yield DropIn(path=CACHE_CONFIGURATION, lines=tuple(configuration.splitlines()))


def _agent_check(pin: AgentPin) -> dict[str, str] | None:
    kept = pin.wanted_file
    if kept is None:
        return None
    return {
        "sha256": kept.sha256,
        "package": kept.destination,
        "folder": agent_folder(AGENTS, kept.version),
        "restaged": agent_folder(AGENT_STATE, kept.version),
    }


def _package_check(extension: ExtensionPin) -> dict[str, str] | None:
    kept = extension.wanted_file
    if kept is None:
        return None
    return {
        "sha256": kept.sha256,
        "kept": kept.destination,
        "restaged": f"{AGENT_STATE}/{kept.name}",
    }
