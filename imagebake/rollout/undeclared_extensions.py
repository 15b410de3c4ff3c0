"""Extensions in models of machines and scale sets that their image does not contain."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from imagebake.azure.model.fleet import Inventory, Machine, ScaleSet
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import definition_of, is_version, key, name_of, spoken
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.usage import could_be_latest
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import DeliveryMode

Asked = Mapping[str, Mapping[str, str]]
"""By machine id, the extensions of its model: handler by extension name."""
COLUMNS = ("resource", "version", "extension", "problem", "fix")


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeclaredExtension:
    """An extension *handler* that the model of *who* declares and *version* does not contain.

    *who* is the id of a machine or scale set; *name* is the extension's name in its model.
    """

    who: str
    name: str
    handler: str
    version: str
    why: str

    @property
    def command(self) -> str:
        """The command that removes the extension from the model."""
        # After the leading slash, an ARM id alternates between types and names.
        words = dict(zip(*[iter(self.who.strip("/").lower().split("/"))] * 2, strict=False))
        group = self.who.strip("/").split("/")[3] if "resourcegroups" in words else ""
        is_set = "virtualmachinescalesets" in words
        kind, option = ("vmss", "--vmss-name") if is_set else ("vm", "--vm-name")
        command = ["az", kind, "extension", "delete", "--resource-group", group]
        return shlex.join([*command, option, name_of(self.who), "--name", self.name])

    @property
    def cells(self) -> tuple[str, ...]:
        """The row under `COLUMNS`, for people."""
        return (spoken(self.who), spoken(self.version), self.handler, self.why, self.command)

    def to_json(self) -> dict[str, str]:
        """Return the row for programs."""
        return {
            "who": self.who,
            "version": self.version,
            "name": self.name,
            "extension": self.handler,
            "why": self.why,
            "command": self.command,
        }


def find_undeclared(
    specs: Iterable[ImageSpec], inventory: Inventory, asked: Asked
) -> tuple[UndeclaredExtension, ...]:
    """Find the extensions of scale sets, and of machines in *asked*, that their images lack.

    A scale set is checked against the version of its model and those of its instances. A
    definition stands for the latest version in its region.
    """
    index = VersionIndex(inventory)
    images = {key(index.named(spec.gallery.definition)): spec for spec in specs}
    found = [
        undeclared
        for scale_set in inventory.scale_sets
        for undeclared in _of_scale_set(scale_set, index, images)
    ]
    for machine in inventory.machines:
        for version in _run(machine, index):
            wanted = asked.get(key(machine.id), {})
            found += _beyond(machine.id, wanted, version, images)
    return tuple(dict.fromkeys(found))


def _of_scale_set(
    scale_set: ScaleSet, index: VersionIndex, images: Mapping[str, ImageSpec]
) -> Iterator[UndeclaredExtension]:
    model = Machine(id=scale_set.id, region=scale_set.region, image=scale_set.image)
    runs = [
        version for machine in (model, *scale_set.instances) for version in _run(machine, index)
    ]
    for version in {key(version.id): version for version in runs}.values():
        yield from _beyond(scale_set.id, scale_set.extensions, version, images)


def _run(machine: Machine, index: VersionIndex) -> Iterator[GalleryVersion]:
    """Yield the version that *machine* runs, or the versions that it may run."""
    named = machine.exact or machine.image
    if "/" not in named and named:
        named = f"{definition_of(machine.image)}/versions/{named}"
    if is_version(named):
        version = index.versions.get(key(named))
        yield from [version] if version else []
    elif named:
        yield from could_be_latest(index, definition_of(named), machine.region)


def _beyond(
    who: str, asked: Mapping[str, str], version: GalleryVersion, images: Mapping[str, ImageSpec]
) -> Iterator[UndeclaredExtension]:
    """Yield the extensions in *asked* that *version* would download or refuse."""
    spec = images.get(definition_of(version.id))
    if spec is None:
        return
    held = version.held
    if held is None:
        # Versions baked before the tag existed are judged by today's spec.
        held = frozenset(pin.handler.lower() for pin in spec.cached)
    agreed = held | {name.lower() for name in spec.guard.also}
    for name, handler in sorted(asked.items()):
        if handler.lower() not in agreed:
            why = _why(handler, spec)
            yield UndeclaredExtension(
                who=who, name=name, handler=handler, version=version.id, why=why
            )


def _why(handler: str, spec: ImageSpec) -> str:
    modes = {pin.handler.lower(): pin.mode for pin in spec.extensions}
    native = modes.get(handler.lower()) is DeliveryMode.NATIVE
    reason = "a package of the image does its work" if native else "the image does not contain it"
    return (
        f"{reason}: the agent refuses it"
        if spec.allowed is not None
        else f"{reason}: the agent downloads it"
    )


def undeclared_note(found: Iterable[UndeclaredExtension]) -> str:
    """Return the note that `status` prints; empty if nothing was found."""
    who = {extension.who for extension in found}
    if not who:
        return ""
    asks = "scale set declares" if len(who) == 1 else "scale sets declare"
    return f"{len(who)} {asks} extensions that their image does not contain: ./inv guard"
