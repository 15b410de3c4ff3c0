"""Specs that pin a goal-state agent and cache an extension, and the zips of both."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from imagebake.build.render.delivery import cache_configuration
from imagebake.build.render.scripts import image_manifest
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.spec.lock import Lock
from imagebake.spec.model.delivery import (
    AGENT_STATE,
    AGENTS,
    CACHE,
    CACHE_CONFIGURATION,
    CACHE_UNIT,
    POLICY,
    RESTAGE,
    SWITCH,
    agent_folder,
    policy,
)
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec
from tests.support.images import WAAGENT_CONF, Node, link, text

VERSION = "2.15.0.1"
HANDLER = "Contoso.Demo.Hello"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def a_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip with the same bytes wherever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def an_agent_zip(version: str = VERSION, *, more: Mapping[str, bytes] | None = None) -> bytes:
    """The package of a goal-state agent, laid out as the daemon wants it; its egg does nothing."""
    egg = f"bin/WALinuxAgent-{version}-py3.egg"
    command = {"enableCommand": f"python -u {egg} -run-exthandlers"}
    manifest = [{"name": "WALinuxAgent", "version": 1.0, "handlerManifest": command}]
    return a_zip(
        {
            "HandlerManifest.json": json.dumps(manifest).encode(),
            "manifest.xml": b"<ExtensionImage/>",
            egg: b"an egg",
            **(more or {}),
        }
    )


AGENT_ZIP = an_agent_zip()
EXTENSION_ZIP = a_zip({"HandlerManifest.json": b"[{}]", "bin/handler.sh": b"#!/bin/sh\n"})


def an_agent_with_its_own(
    content: bytes = AGENT_ZIP,
    *,
    version: str = VERSION,
    **changes: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """The pin of Debian 12's agent with a newer goal-state agent."""
    agent = {
        "file": f"https://files.example/agent/{version}.zip",
        "version": version,
        "sha256": sha256_bytes(content),
    }
    pin = {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1", "goal_state_agent": agent}
    return pin | changes


def a_cached_extension(
    content: bytes = EXTENSION_ZIP,
    **changes: Any,  # noqa: ANN401 - any field
) -> dict[str, Any]:
    """An extension that the image serves to its own agent."""
    extension = {
        "publisher": "Contoso.Demo",
        "type": "Hello",
        "version": "1.2.3",
        "mode": "cached",
        "reason": "a policy looks for the resource",
        "package": {
            "file": "https://packages.blob.example.test/hello/1.2.3.zip",
            "sha256": sha256_bytes(content),
        },
    }
    return extension | changes


def a_delivering_spec(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A spec with both."""
    fields = {"pins": (an_agent_with_its_own(),), "extensions": (a_cached_extension(),)}
    return a_spec(**(fields | changes))


def delivered_tree(spec: ImageSpec, lock: Lock) -> dict[str, Node | None]:
    """What an image of such a spec has beyond what every image has."""
    units = "/etc/systemd/system"
    conf = WAAGENT_CONF.replace("AutoUpdate.Enabled=n\n", "")
    lines = (
        "AutoUpdate.Enabled=y",
        "AutoUpdate.UpdateToLatestVersion=n",
        "HttpProxy.Host=127.0.0.1",
        "HttpProxy.Port=3129",
        "",
    )
    tree: dict[str, Node | None] = {
        "/etc/imagebake/manifest.json": Node(image_manifest(spec, lock, lock_sha256=lock.sha256)),
        "/etc/waagent.conf": text(conf + "\n".join(lines)),
        RESTAGE: text("#!/bin/sh\n", 0o755),
        CACHE: text("serve()\n"),
        CACHE_CONFIGURATION: Node(cache_configuration(spec.cached)),
        f"{units}/{CACHE_UNIT}": text("[Service]\n"),
        f"{units}/multi-user.target.wants/{CACHE_UNIT}": link(f"{units}/{CACHE_UNIT}"),
        f"{units}/walinuxagent.service.d/10-imagebake-cache.conf": text("[Unit]\n"),
        f"{agent_folder(AGENTS, VERSION)}.zip": Node(AGENT_ZIP),
        f"/opt/imagebake/ext/{HANDLER}__1.2.3.zip": Node(EXTENSION_ZIP, 0o600),
        f"{AGENT_STATE}/{HANDLER}__1.2.3.zip": Node(EXTENSION_ZIP, 0o600),
    }
    if spec.allowed is not None:
        tree[POLICY] = Node(canonical_json(policy(spec.allowed)))
        tree["/etc/waagent.conf"] = text(f"{conf}{chr(10).join(lines)}{'='.join(SWITCH)}\n")
    for folder in (agent_folder(AGENTS, VERSION), agent_folder(AGENT_STATE, VERSION)):
        tree[f"{folder}/HandlerManifest.json"] = text("[]")
        tree[f"{folder}/bin/agent.egg"] = text("egg")
    return tree
