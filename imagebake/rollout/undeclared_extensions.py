"""Which models ask for extensions that the version they run does not hold."""

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
"""By the id of a machine, the extensions of its model: what the agent calls each, by its name."""
COLUMNS = ("who", "runs", "asks for", "why that is too much", "what mends it")


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeclaredExtension:
    """*who*, a machine or a scale set, asks for *handler*, which *version* does not hold.

    *name* is what the extension is called in the model.
    """

    who: str
    name: str
    handler: str
    version: str
    why: str

    @property
    def command(self) -> str:
        """What takes the extension out of the model."""
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
        """The row for programs."""
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
    """What the models of scale sets, and of the machines in *asked*, ask for beyond their images.

    A scale set is held against the version that its model names and against those that its
    instances run; a definition stands for what is the latest in its region.
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
    """The version that *machine* runs, or may run."""
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
    """What of *asked* a machine of *version* has to download, or is refused."""
    spec = images.get(definition_of(version.id))
    if spec is None:
        return
    held = version.held
    if held is None:
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
    reason = "a package of the image does its work" if native else "the image does not hold it"
    return (
        f"{reason}: the agent refuses it" if spec.allowed is not None else f"{reason}: a download"
    )


def undeclared_note(found: Iterable[UndeclaredExtension]) -> str:
    """What `status` says of *found*; empty where there is nothing."""
    who = {extension.who for extension in found}
    if not who:
        return ""
    asks = "scale set asks" if len(who) == 1 else "scale sets ask"
    return f"{len(who)} {asks} for extensions that their image does not hold: ./inv guard"
