"""Terraform: what the blocks of machines and scale sets make them depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from imagebake.audit.found import SCALE_SET, Context, Extension, Found, Image, StartText, Unread
from imagebake.audit.languages.evaluate import evaluate
from imagebake.audit.languages.hcl import Block
from imagebake.audit.languages.nodes import Entry, Literal, Name, Node, Table, Unknown
from imagebake.audit.languages.terraform_scope import TerraformScope
from imagebake.audit.languages.values import turns
from imagebake.audit.library import Library
from imagebake.audit.source import Source

_REFERENCES = frozenset(
    {"source_image_reference", "storage_image_reference", "storage_profile_image_reference"}
)


class Module(NamedTuple):
    """A module that is being read, and one of its files."""

    scope: TerraformScope
    context: Context
    source: Source

    def value(self, attributes: Mapping[str, Entry], *names: str) -> Node | None:
        """What one of *names* is set to; None where none is, or it is null."""
        for name in names:
            if name in attributes:
                found = evaluate(attributes[name].value, self.scope)
                return None if isinstance(found, Literal) and found.value is None else found
        return None

    @property
    def library(self) -> Library:
        """Where other files come from."""
        return self.scope.library


def extension(block: Block, machine: str, name: str, module: Module) -> Extension:
    """The extension that a block is, with the defaults of the provider."""
    kind = module.value(block.attributes, "type")
    place = kind if kind and module.context.via else None
    written = block.attributes.get("type")
    settings = (
        module.value(block.attributes, "settings"),
        module.value(block.attributes, "protected_settings"),
    )
    return Extension(
        source=place.source if place else module.source,
        at=place.at if place else written.at if written else block.at,
        machine=machine,
        name=name,
        publisher=module.value(block.attributes, "publisher"),
        type=kind,
        version=module.value(block.attributes, "type_handler_version"),
        minor=module.value(
            block.attributes, "auto_upgrade_minor_version", "auto_upgrade_minor_version_enabled"
        ),
        automatic=module.value(
            block.attributes, "automatic_upgrade_enabled", "enable_automatic_upgrade"
        ),
        settings=tuple(one for one in settings if one is not None),
        context=module.context,
        minor_absent=machine == SCALE_SET,
    )


def machine_parts(block: Block, machine: str, name: str, module: Module) -> Iterator[Found]:
    """What a block of a machine or a scale set has in it."""
    for kind, place in (
        ("custom data", block.attributes),
        ("user data", block.attributes),
        *(("custom data", profile.attributes) for profile in _profiles(block)),
    ):
        text = module.value(place, kind.replace(" ", "_"), f"{kind.replace(' ', '_')}_base64")
        if text is not None:
            yield StartText(text.source, text.at, machine, name, kind, text, module.context)
    yield from _images(block, machine, name, module)
    for inner in block.blocks:
        if inner.kind == "extension":
            yield extension(inner, machine, name, module)
        elif inner.kind == "dynamic" and inner.labels[:1] == ("extension",):
            yield from _dynamic(inner, machine, name, module)


def _profiles(block: Block) -> Iterator[Block]:
    for inner in block.blocks:
        if inner.kind in {"os_profile", "linux_configuration", "windows_configuration"}:
            yield inner
            yield from _profiles(inner)


def _images(block: Block, machine: str, name: str, module: Module) -> Iterator[Image]:
    for inner in block.blocks:
        if inner.kind in _REFERENCES:
            version = module.value(inner.attributes, "version")
            parts = tuple(
                module.value(inner.attributes, one) for one in ("publisher", "offer", "sku")
            )
            reference = module.value(inner.attributes, "id")
            place = version or reference
            yield Image(
                source=place.source if place else module.source,
                at=place.at if place else inner.at,
                machine=machine,
                name=name,
                parts=parts,
                version=version,
                id=reference,
                context=module.context,
            )
    identity = module.value(block.attributes, "source_image_id")
    if identity is not None:
        yield Image(identity.source, identity.at, machine, name, (), None, identity, module.context)


def _dynamic(block: Block, machine: str, name: str, module: Module) -> Iterator[Found]:
    """The extensions of a `dynamic` block: each of them, where it can be known."""
    loop, contents = block.attributes.get("for_each"), block.inner("content")
    if not contents or loop is None:
        return
    iterator = "extension"
    if (named := block.attributes.get("iterator")) and isinstance(named.value, Name):
        iterator = named.value.name
    over = evaluate(loop.value, module.scope)
    if isinstance(over, Unknown):
        yield Unread(module.source, block.at, f"dynamic extensions of {name}", over.why)
    inside = module._replace(context=module.context._replace(repeated=True))
    for key, value in turns(over) or [(over, over)]:
        module.scope.bound.append({iterator: pair(block.at, key, value)})
        yield extension(contents[0], machine, name, inside)
        module.scope.bound.pop()


def pair(at: int, key: Node, value: Node) -> Table:
    """What a loop gives its body: a `key` and a `value`."""
    entries = {"key": Entry(at, "key", key), "value": Entry(at, "value", value)}
    return Table(value.source, at, entries)
