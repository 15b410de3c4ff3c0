"""What the resources of Azure Resource Manager make machines depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imagebake.audit.found import (
    MACHINE,
    RUN_COMMAND,
    SCALE_SET,
    Extension,
    Found,
    Image,
    Resource,
    StartText,
    Unread,
)
from imagebake.audit.languages.arm import TEMPLATES
from imagebake.audit.languages.nodes import (
    Items,
    Literal,
    Node,
    Table,
    Unknown,
    entry,
    entry_place,
    items_of,
    text_of,
)

ON_BY_DEFAULT = "2025-04-01"
"""From this version of the API on, extensions upgrade themselves unless told not to."""


def found_in(resource: Resource) -> Iterator[Found]:
    """What is to be looked at in *resource*."""
    tail = resource.kind.split("/", 2)[-1]
    scale_set = resource.kind.split("/")[1] == "virtualmachinescalesets"
    machine = SCALE_SET if scale_set else MACHINE
    if resource.kind == TEMPLATES:
        yield from _image(
            resource, "image template", entry(resource.body, "properties", "source"), "type"
        )
    elif tail.endswith("extensions"):
        yield _extension(resource, machine, resource.body, resource.name)
    elif tail.endswith("runcommands"):
        yield _run_command(resource, machine)
    elif scale_set and tail == "virtualmachinescalesets":
        profile = entry(resource.body, "properties", "virtualMachineProfile")
        yield from _profile(resource, SCALE_SET, profile)
        yield from _extensions(resource, profile)
    elif tail == "virtualmachines":
        yield from _profile(resource, MACHINE, entry(resource.body, "properties"))


def _extensions(resource: Resource, profile: Node | None) -> Iterator[Found]:
    listed = entry(profile, "extensionProfile", "extensions")
    for item in items_of(listed):
        if isinstance(item, Table):
            yield _extension(resource, SCALE_SET, item, text_of(entry(item, "name")) or "")
        else:
            why = item.why if isinstance(item, Unknown) else "it is not written out"
            what = f"extensions of the scale set {resource.name}"
            yield Unread(item.source, item.at, what, why)


def _extension(resource: Resource, machine: str, table: Table, name: str) -> Extension:
    properties = entry(table, "properties") or table

    def get(key: str) -> Node | None:
        return entry(properties, key)

    kind = get("type")
    place = kind if kind and resource.context.via else None
    here = entry_place(properties, "type")
    here = (table.at if table is not resource.body else resource.at) if here is None else here
    settings = (get("settings"), get("protectedSettings"))
    return Extension(
        source=place.source if place else resource.source,
        at=place.at if place else here,
        machine=machine,
        name=name,
        publisher=get("publisher"),
        type=kind,
        version=get("typeHandlerVersion"),
        minor=get("autoUpgradeMinorVersion"),
        automatic=get("enableAutomaticUpgrade"),
        settings=tuple(one for one in settings if one is not None),
        context=resource.context,
        automatic_absent="on" if resource.api[:10] >= ON_BY_DEFAULT else "unsaid",
    )


def _run_command(resource: Resource, machine: str) -> Extension:
    source = entry(resource.body, "properties", "source")
    place = source or Literal(resource.source, resource.at, None)
    return Extension(
        source=place.source,
        at=place.at,
        machine=machine,
        name=resource.name,
        publisher=Literal(place.source, place.at, RUN_COMMAND[0]),
        type=Literal(place.source, place.at, RUN_COMMAND[1]),
        version=None,
        minor=None,
        automatic=None,
        settings=(source,) if source else (),
        context=resource.context,
        automatic_absent="none",
    )


def _profile(resource: Resource, machine: str, profile: Node | None) -> Iterator[Found]:
    reference = entry(profile, "storageProfile", "imageReference")
    yield from _image(resource, machine, reference, "publisher")
    for kind, text in (
        ("custom data", entry(profile, "osProfile", "customData")),
        ("user data", entry(profile, "userData")),
    ):
        if text is not None and not (isinstance(text, Literal) and text.value in (None, "")):
            yield StartText(
                text.source, text.at, machine, resource.name, kind, text, resource.context
            )


def _image(
    resource: Resource, machine: str, reference: Node | None, first: str
) -> Iterator[Image | Unread]:
    if reference is None or (isinstance(reference, Literal) and reference.value is None):
        return
    if not isinstance(reference, Table):
        for one in items_of(reference):
            if isinstance(one, Table):
                yield from _image(resource, machine, one, first)
            elif isinstance(one, Unknown | Items):
                why = one.why if isinstance(one, Unknown) else "it is not written out"
                yield Unread(one.source, one.at, f"the image of {resource.name or machine}", why)
        return
    get: Callable[[str], Node | None] = lambda key: entry(reference, key)  # noqa: E731 - short
    version = get("version")
    place = version or get("id") or get("imageVersionId") or reference
    yield Image(
        source=place.source,
        at=place.at,
        machine=machine,
        name=resource.name,
        parts=(get("publisher"), get("offer"), get("sku")),
        version=version,
        id=get("id") or get("imageVersionId") or get("communityGalleryImageId"),
        context=resource.context,
    )
