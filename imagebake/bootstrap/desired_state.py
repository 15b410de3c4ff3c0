"""Desired resources of a subscription, and the settings that follow from them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from imagebake.azure.model.gallery import TAG_PROTECTED
from imagebake.bootstrap.rbac import environments
from imagebake.bootstrap.resources import BootstrapLayout, GalleryLocation, is_repository
from imagebake.build.plan import plain_definition
from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import process
from imagebake.kernel.settings import Settings
from imagebake.spec.load import load_all
from imagebake.spec.model.image_spec import GalleryDefinition, ImageSpec

_GITHUB = re.compile(
    r"(?:git@github\.com:|(?:https|ssh)://(?:[^/@]*@)?github\.com/)(.+?)(?:\.git)?/?"
)
_TAG = re.compile(r"[^<>%&\\?/=,]{1,512}")


def desired_foundation(context: Context) -> BootstrapLayout:
    """Return the resources that the settings and specs of *context* need."""
    settings = context.settings
    specs = load_all(context.workspace.specs, root=context.workspace.root).values()
    it = BootstrapLayout(
        subscription=settings.subscription,
        first=GalleryLocation(
            name=settings.gallery, group=settings.resource_group, location=settings.location
        ),
        second=_second(settings),
        definitions=tuple(_definitions(specs)),
        regions=_regions(settings, specs),
        repository=_repository(context),
        mirror_url=settings.mirror_url,
        tags=_tags(settings.resource_tags) | {TAG_PROTECTED: "bakes and rollouts stand on it"},
    )
    if it.has_unsupported_mirror:
        raise UsageError(
            f"mirror_url is {settings.mirror_url!r}, which no storage account can have",
            hint="https://ACCOUNT.blob.core.windows.net/CONTAINER, or empty for one that is made",
        )
    return it


def _second(settings: Settings) -> GalleryLocation | None:
    if not settings.second_gallery:
        return None
    return GalleryLocation(
        name=settings.second_gallery,
        group=settings.second_resource_group,
        location=settings.second_location,
    )


def _definitions(specs: Collection[ImageSpec]) -> Iterator[GalleryDefinition]:
    """Return the definition of every image, and of the plain image that heartbeats compare with."""
    found: dict[str, GalleryDefinition] = {}
    for spec in sorted(specs, key=lambda spec: spec.gallery.definition):
        found.setdefault(spec.gallery.definition, spec.gallery)
        if spec.heartbeat.plain:
            plain = plain_definition(spec.gallery)
            found.setdefault(plain.definition, plain)
    return iter(found.values())


def _regions(settings: Settings, specs: Collection[ImageSpec]) -> tuple[str, ...]:
    """Return the regions of heartbeats; none where the settings name existing subnets."""
    if settings.subnet:
        return ()
    return tuple(sorted({region.name for spec in specs for region in spec.regions}))


def _repository(context: Context) -> str:
    """Return OWNER/NAME on GitHub, from the settings or the clone's origin; else an empty text."""
    if repository := context.settings.repository:
        if not is_repository(repository):
            raise UsageError(f"repository is {repository!r}", hint="it is OWNER/NAME, as on GitHub")
        return repository
    root = context.workspace.root
    asked = process.run(["git", "-C", root, "remote", "get-url", "origin"], check=False)
    found = None if asked.code else _GITHUB.fullmatch(asked.text.strip())
    return found[1] if found and is_repository(found[1]) else ""


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, found, value = (part.strip() for part in pair.partition("="))
        if not found or not _TAG.fullmatch(name) or name in tags:
            raise UsageError(
                f"resource_tags has {pair!r}",
                hint="it is NAME=VALUE, each name once, with commas between them",
            )
        tags[name] = value
    return tags


def notes(it: BootstrapLayout) -> tuple[str, ...]:
    """Return notes for the person who approves the plan."""
    return tuple(_notes(it))


def _notes(it: BootstrapLayout) -> Iterator[str]:
    yield (
        "Whoever applies it gives roles: Owner, or Contributor with User Access Administrator,"
        " on the subscription"
    )
    yield (
        f"The mirror {it.account} has no public network: `mirror push` runs inside of network"
        f" {it.build_network}, or one that is peered with it"
    )
    yield (
        "The NAT gateway, its address, the private endpoint and the storage cost money while they"
        " are there; nothing else does"
    )
    if not it.repository:
        yield (
            "Nobody knows the repository, so no workflow can log in: set `repository` in"
            " imagebake.yaml to OWNER/NAME"
        )
    if not it.regions:
        yield "Networks of heartbeats are left alone, because the setting `subnet` names others"


def next_settings(settings: Settings, it: BootstrapLayout) -> tuple[tuple[str, str], ...]:
    """Return the settings to change, so that bakes use the new resources."""
    wanted = {
        "subscription": (settings.subscription, it.subscription),
        "identity": (settings.identity, it.identity_id("service")),
        "build_identity": (settings.build_identity, it.identity_id("build")),
        "mirror_url": (settings.mirror_url, it.mirror),
    }
    return tuple((name, new) for name, (old, new) in wanted.items() if old != new)


def next_variables(it: BootstrapLayout) -> tuple[str, ...]:
    """Return the `gh` commands that set the variables of the workflows."""
    if not it.repository:
        return ()
    tenant = '"$(az account show --query tenantId -o tsv)"'
    client = '"$(az identity show --query clientId -o tsv -g {} -n {})"'
    commands = [f"gh variable set AZURE_TENANT_ID -R {it.repository} --body {tenant}"]
    for name in environments():
        mine = client.format(it.first.group, it.identity_name(name))
        commands.append(
            f"gh variable set AZURE_CLIENT_ID -R {it.repository} --env {name} --body {mine}"
        )
    return tuple(commands)
