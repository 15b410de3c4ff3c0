"""Rules about the guest agent and services at an image's first boot: P221 to P230."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.inspection.contents import Contents, FileKind
from imagebake.kernel.text.versions import DebianVersion
from imagebake.policy.facts import ImageFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.catalogue.component import SelfUpdateStop
from imagebake.spec.model.delivery import AGENTS, CACHE_ADDRESS

WAAGENT_CONF = "/etc/waagent.conf"
"""The agent's configuration."""

AGENT_COPIES = f"{AGENTS}/WALinuxAgent-"
"""Path prefix of goal-state agents that are restaged after generalisation."""

_DOWNLOADED_BY = "imagebake's design: provisioning downloads nothing"
_AGENT = "WALinuxAgent configuration, measured with every artifact host dead"
_UPDATE_KEY = "AutoUpdate.UpdateToLatestVersion"
_KNOWS_UPDATE_KEY = DebianVersion("2.10.0.8")
_CLOUD_UPDATES = re.compile(
    r"^\s*(package_(?:update|upgrade|reboot_if_required)|apt_(?:update|upgrade))\s*:\s*(?:true|yes|on)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _settings(contents: Contents) -> dict[str, str] | None:
    """Return the agent's settings, of repeated ones the last; None without an agent."""
    text = contents.text(WAAGENT_CONF)
    if text is None:
        return None
    lines = (line.partition("#")[0].partition("=") for line in text.splitlines())
    return {key.strip(): value.strip().strip('"') for key, equals, value in lines if equals}


def _agent_version(contents: Contents) -> DebianVersion | None:
    for package in contents.packages:
        if package.name in {"waagent", "walinuxagent"} and not package.gone:
            return DebianVersion(package.version)
    return None


def _staged_agent(contents: Contents) -> bool:
    """Return whether an agent that knows `UpdateToLatestVersion` is stored for restaging."""
    folders = contents.matching(AGENT_COPIES + "*")
    names = {entry.path[len(AGENT_COPIES) :].partition("/")[0] for entry in folders}
    return any(
        re.fullmatch(r"[\d.]*\d", name) and DebianVersion(name) >= _KNOWS_UPDATE_KEY
        for name in names
    )


@rule(
    "P221",
    "Every pinned agent's services start at boot",
    why="the package is there and nothing runs; only a boot would show it",
    source="measurement: mdatp of spring 2026 left its service disabled after a reboot",
    fix="enable the service in a customizer: sudo systemctl enable SERVICE",
)
def services_are_enabled(facts: ImageFacts) -> Iterator[Breach]:
    """A unit that another one starts statically counts as enabled."""
    units = facts.contents.units
    for pin in facts.spec.agents:
        known = facts.catalogue.components.get(pin.agent)
        for unit in known.services if known else ():
            if unit in units.masked:
                yield Breach(unit, f"{pin.agent} needs it, and it is masked")
            elif unit not in units.known:
                yield Breach(unit, f"{pin.agent} needs it, and the image has no such unit")
            elif unit not in units.enabled:
                yield Breach(unit, f"{pin.agent} needs it, and it is not enabled")


@rule(
    "P222",
    "What downloads at first boot is masked",
    why="in an outage machines would wait for it, and in a fleet all of them at once",
    source=_DOWNLOADED_BY,
    fix="mask it in a customizer: sudo systemctl mask UNIT",
)
def downloaders_are_masked(facts: ImageFacts) -> Iterator[Breach]:
    """Only units that the image has; disabled is not enough, another unit could start them."""
    units = facts.contents.units
    for download in facts.catalogue.downloads:
        if download.unit in units.known - units.masked:
            yield Breach(download.unit, f"it fetches {download.fetches}, and is not masked")


@rule(
    "P223",
    "Pinned agents do not update themselves",
    why="the image would hold one version and every machine run another, after a download",
    source="catalogue of components",
    fix="look which customizer changes what the install step wrote",
)
def self_updates_are_off(facts: ImageFacts) -> Iterator[Breach]:
    """The lines and files that the catalogue has for the pinned version."""
    for pin in facts.spec.agents:
        known = facts.catalogue.components.get(pin.agent)
        stop = known.stop(pin.newest) if known else SelfUpdateStop()
        for setting in stop.settings:
            lines = (facts.contents.text(setting.path) or "").splitlines()
            if [line for line in lines if line.startswith(f"{setting.key}=")] != [setting.line]:
                yield Breach(setting.path, f"{pin.agent} needs the line {setting.line!r}")
        for drop_in in stop.drop_ins:
            if facts.contents.resolve(drop_in.path) is None:
                yield Breach(drop_in.path, f"{pin.agent} needs the file, and it is not there")


@rule(
    "P229",
    "The guest agent asks for no newer one",
    why="it would fetch a manifest at first boot: 246 s without a status when the host is dead",
    source=_AGENT,
    fix=f"set AutoUpdate.Enabled=n in {WAAGENT_CONF}",
)
def agent_does_not_update_itself(facts: ImageFacts) -> Iterator[Breach]:
    """Before 2.10 the agent knows `Enabled` only, and with 'y' and a dead host never reports."""
    settings, version = _settings(facts.contents), _agent_version(facts.contents)
    if settings is None or version is None or settings.get("AutoUpdate.Enabled", "y") == "n":
        return
    if settings.get(_UPDATE_KEY, "y") != "n":
        yield Breach(WAAGENT_CONF, "AutoUpdate is on")
    elif version < _KNOWS_UPDATE_KEY and not _staged_agent(facts.contents):
        yield Breach(WAAGENT_CONF, f"agent {version} ignores {_UPDATE_KEY}, and AutoUpdate is on")


@rule(
    "P224",
    "The guest agent works where extensions expect it",
    why="extensions have /var/lib/waagent written into them",
    source="WALinuxAgent issue 2949",
    fix=f"take Lib.Dir out of {WAAGENT_CONF}",
)
def agent_directory_is_the_usual(facts: ImageFacts) -> Iterator[Breach]:
    """The setting exists and must not be used."""
    folder = (_settings(facts.contents) or {}).get("Lib.Dir", "/var/lib/waagent")
    if folder.rstrip("/") != "/var/lib/waagent":
        yield Breach(WAAGENT_CONF, f"Lib.Dir is {folder}")


@rule(
    "P225",
    "Exactly one of cloud-init and the guest agent provisions",
    why="with neither no account and no keys are created; the machine never reports ready",
    source="WALinuxAgent configuration: Provisioning.Agent",
    fix="pin the agent cloud-init in the spec, and leave Provisioning.Agent as it is packaged",
)
def a_provisioner_is_enabled(facts: ImageFacts) -> Iterator[Breach]:
    """`auto` takes cloud-init where it is enabled."""
    settings = _settings(facts.contents)
    if settings is None:
        return
    agent = settings.get("Provisioning.Agent", "auto")
    has_cloud_init = any(
        package.name == "cloud-init" and not package.gone for package in facts.contents.packages
    )
    if agent == "disabled" or (agent == "waagent" and has_cloud_init):
        yield Breach(WAAGENT_CONF, f"Provisioning.Agent is {agent}")
    elif agent == "cloud-init" and not has_cloud_init:
        yield Breach(WAAGENT_CONF, "Provisioning.Agent is cloud-init, which is not installed")


@rule(
    "P226",
    "The guest agent uses a proxy for cached extensions only",
    why="a proxy of the build network is not there for the machines",
    source=_AGENT,
    fix=f"take HttpProxy.Host and HttpProxy.Port out of {WAAGENT_CONF}",
)
def proxy_is_the_cache(facts: ImageFacts) -> Iterator[Breach]:
    """The image's own cache listens on the loopback address."""
    host = (_settings(facts.contents) or {}).get("HttpProxy.Host", "None")
    if host in {"", "None"} or (facts.spec.cached and host == CACHE_ADDRESS[0]):
        return
    yield Breach(WAAGENT_CONF, f"HttpProxy.Host is {host}")


@rule(
    "P227",
    "cloud-init does not update packages",
    why="the archive would be asked at the first boot of every machine",
    source="cloud-init documentation, package update and upgrade module",
    fix="take the key out: images are updated by baking",
)
def cloud_init_does_not_update(facts: ImageFacts) -> Iterator[Breach]:
    """Look for the keys in `/etc/cloud`."""
    for path, text in facts.contents.texts.items():
        if path.startswith("/etc/cloud/") and path.endswith(".cfg"):
            for match in _CLOUD_UPDATES.finditer(text):
                yield Breach(path, f"it has {match[1]!r} on")


@rule(
    "P228",
    "No service policy of the build is left",
    why="it forbids packages to start their services, on every machine",
    source="invoke-rc.d(8), policy-rc.d",
    fix="remove it at the end of the customizer that wrote it",
)
def no_service_policy(facts: ImageFacts) -> Iterator[Breach]:
    """Build tools put one in place so that nothing starts."""
    for path in ("/usr/sbin/policy-rc.d", "/sbin/policy-rc.d"):
        entry = facts.contents.files.get(path)
        if entry is not None and entry.kind is not FileKind.DIRECTORY and not _owned(facts, path):
            yield Breach(path, "it is there, and no package owns it")


def _owned(facts: ImageFacts, path: str) -> bool:
    return path in facts.contents.owned
