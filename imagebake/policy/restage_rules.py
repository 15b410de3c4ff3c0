"""Rules about agents and extensions that wait in an image for its first boot: P231 to P239."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from imagebake.inspection.contents import Contents, FileKind
from imagebake.policy.agent_rules import WAAGENT_CONF
from imagebake.policy.facts import ImageFacts
from imagebake.policy.paths import absent, files_at
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.delivery import (
    AGENT_STATE,
    AGENTS,
    CACHE,
    CACHE_ADDRESS,
    CACHE_CONFIGURATION,
    CACHE_UNIT,
    KEPT,
    POLICY,
    RESTAGE,
    SWITCH,
    agent_folder,
    package_name,
    policy,
)
from imagebake.spec.model.pins import GoalStateAgent

_BAKE = "look which customizer changes it, or bake it again: ./inv bake IMAGE --force"
_MEASURED = "WALinuxAgent, measured with every artifact host dead"
_DESIGN = "imagebake's design: delivery modes"
_AGENT_UNIT = "walinuxagent.service"
_PROGRAM = 0o755


def _goal_state_agent(facts: ImageFacts) -> GoalStateAgent | None:
    return next((pin.goal_state_agent for pin in facts.spec.agents if pin.goal_state_agent), None)


def _files_below(contents: Contents, folder: str) -> Mapping[str, str | None]:
    """Return the digests of the files below *folder*, by their relative paths."""
    return {
        entry.path[len(folder) + 1 :]: entry.sha256
        for entry in contents.below(folder)
        if entry.kind is not FileKind.DIRECTORY
    }


@rule(
    "P231",
    "The pinned goal-state agent waits where the daemon looks for it",
    why="the daemon runs what it finds: the package's own, old agent, or none at all",
    source=_MEASURED,
    fix=_BAKE,
)
def agent_is_restaged(facts: ImageFacts) -> Iterator[Breach]:
    """The stored copy must have a manifest, and the restaged files must equal it."""
    agent = _goal_state_agent(facts)
    if agent is None:
        return
    kept = agent_folder(AGENTS, agent.version)
    restaged = agent_folder(AGENT_STATE, agent.version)
    wanted = _files_below(facts.contents, kept)
    if "HandlerManifest.json" not in wanted:
        yield Breach(kept, f"the goal-state agent {agent.version} is not there")
    elif not _files_below(facts.contents, restaged):
        yield Breach(restaged, "it has not been put back after generalisation")
    elif _files_below(facts.contents, restaged) != wanted:
        yield Breach(restaged, f"it is not what {kept} has")


@rule(
    "P232",
    "No other goal-state agent is on the disk",
    why="the daemon runs the newest that it finds, whichever is pinned",
    source="WALinuxAgent: UpdateHandler.run_latest",
    fix="generalise: sudo waagent -force -deprovision+user, then restage the pinned agent",
)
def no_other_agent_is_there(facts: ImageFacts) -> Iterator[Breach]:
    """Directories and zips count; each is reported once."""
    agent = _goal_state_agent(facts)
    found = set[str]()
    for folder in (AGENT_STATE, AGENTS):
        pinned = agent_folder(folder, agent.version) if agent else ""
        start = f"{folder}/WALinuxAgent-"
        for entry in facts.contents.matching(start + "*"):
            path = start + entry.path[len(start) :].partition("/")[0]
            if path not in {pinned, f"{pinned}.zip"}:
                found.add(path)
    for path in sorted(found):
        yield Breach(path, "it is an agent, and not the one that is pinned")


@rule(
    "P233",
    "The zip of every cached extension waits where the agent looks for it",
    why="the agent would download it, or install something else than the publisher signed",
    source=_MEASURED,
    fix=_BAKE,
)
def packages_are_restaged(facts: ImageFacts) -> Iterator[Breach]:
    """The zip must equal the official one, and only root may change it."""
    for extension in facts.spec.cached:
        path = f"{AGENT_STATE}/{package_name(extension.handler, extension.version)}"
        entry = facts.contents.files.get(path)
        if entry is None or extension.package is None:
            yield Breach(path, "it has not been put back after generalisation")
        elif entry.sha256 != extension.package.sha256:
            yield Breach(path, f"it is not the zip of {extension.handler} that is pinned")
        elif entry.mode & 0o077 or (entry.uid, entry.gid) != (0, 0):
            yield Breach(path, f"its mode is {entry.mode:04o}; it is for root alone")


@rule(
    "P234",
    "No extension's zip waits that nothing serves",
    why="the agent asks for the manifest first, so that a zip alone does not survive an outage",
    source=_MEASURED,
    fix="list it in 'extensions' with 'mode: cached', or take the zip out",
)
def no_zip_waits_alone(facts: ImageFacts) -> Iterator[Breach]:
    """Zips in the agent's directory and in the stored copies are checked."""
    cached = {package_name(extension.handler, extension.version) for extension in facts.spec.cached}
    for entry in files_at(facts.contents, f"{AGENT_STATE}/*.zip", f"{KEPT}/ext/*"):
        name = entry.path.rpartition("/")[2]
        if name not in cached and not name.startswith("WALinuxAgent-"):
            yield Breach(entry.path, "no extension of the spec is cached from it")


@rule(
    "P235",
    "The image's own extension cache starts at boot, and the agent asks through it",
    why="otherwise the agent asks the network, which is what the cache is there to spare it",
    source=_DESIGN,
    fix=_BAKE,
)
def cache_is_set_up(facts: ImageFacts) -> Iterator[Breach]:
    """Check the unit, the program, its configuration, and the agent's settings."""
    if not facts.spec.cached:
        return
    units, contents = facts.contents.units, facts.contents
    if CACHE_UNIT in units.masked or CACHE_UNIT not in units.known & units.enabled:
        yield Breach(CACHE_UNIT, "it does not start at boot")
    for path in (CACHE, f"/etc/systemd/system/{_AGENT_UNIT}.d/10-imagebake-cache.conf"):
        if contents.resolve(path) is None:
            yield Breach(path, "it is not there")
    wanted = {(extension.handler, extension.version) for extension in facts.spec.cached}
    if _served(contents.text(CACHE_CONFIGURATION) or "") != wanted:
        yield Breach(CACHE_CONFIGURATION, "it does not name the cached extensions of the spec")
    lines = (contents.text(WAAGENT_CONF) or "").splitlines()
    for key, value in zip(("Host", "Port"), CACHE_ADDRESS, strict=True):
        if f"HttpProxy.{key}={value}" not in lines:
            yield Breach(WAAGENT_CONF, f"it has no line 'HttpProxy.{key}={value}'")


@rule(
    "P236",
    "What is kept can be restaged",
    why="without the script the next generalisation leaves the agent's directory empty",
    source=_DESIGN,
    fix=_BAKE,
)
def restage_script_is_there(facts: ImageFacts) -> Iterator[Breach]:
    """The script must be a program that root owns."""
    if not facts.spec.cached and _goal_state_agent(facts) is None:
        return
    entry = facts.contents.files.get(RESTAGE)
    if entry is None or entry.kind is not FileKind.FILE:
        yield Breach(RESTAGE, "it is not there")
    elif entry.mode != _PROGRAM or (entry.uid, entry.gid) != (0, 0):
        yield Breach(RESTAGE, f"it is {entry.mode:04o} of {entry.uid}:{entry.gid}")


@rule(
    "P238",
    "The agent's allow-list is the spec's",
    why="machines would run extensions that were not reviewed, or refuse those that they need",
    source="WALinuxAgent: ExtensionPolicyEngine; an agent that cannot read its list runs nothing",
    fix=_BAKE,
)
def allow_list_is_there(facts: ImageFacts) -> Iterator[Breach]:
    """Check its content and owner, and that the agent is configured to read it."""
    allowed = facts.spec.allowed
    if allowed is None:
        return
    text, entry = facts.contents.text(POLICY), facts.contents.files.get(POLICY)
    if text is None or entry is None:
        yield Breach(POLICY, "it is not there")
    elif _json(text) != policy(allowed):
        yield Breach(POLICY, "it does not allow what the spec allows")
    elif entry.mode & 0o022 or (entry.uid, entry.gid) != (0, 0):
        yield Breach(POLICY, f"it is {entry.mode:04o} of {entry.uid}:{entry.gid}")
    line = "=".join(SWITCH)
    if line not in (facts.contents.text(WAAGENT_CONF) or "").splitlines():
        yield Breach(WAAGENT_CONF, f"it has no line {line!r}")


no_key_of_the_cache = absent(
    "P237",
    "The extension cache has no key yet",
    f"{KEPT}/*.key",
    f"{KEPT}/*.pem",
    f"{KEPT}/*.p12",
    f"{KEPT}/tls/*",
    "/run/imagebake-cache/*",
    why="every machine would have it, and any owner of the image could pose as an artifact host",
    source="imagebake's security rules: keys are made on each machine, at every start",
    fix="remove the file",
)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _served(text: str) -> set[tuple[str, str]]:
    try:
        return {
            (extension["name"], extension["version"])
            for extension in json.loads(text)["extensions"]
        }
    except (ValueError, KeyError, TypeError):
        return set()
