"""Faults that a rehearsal provokes in a sandbox, by runbook."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagebake.drill.outages import IDENTITY, STORE, with_outage
from imagebake.emulator.outages import Outages
from imagebake.kernel.context import Context
from imagebake.rollout.operation import FIRST, open_rollout
from imagebake.spec.model.image_spec import ImageSpec

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """*before* lists the commands that precede the fault, after a bake promoted to all rings.

    With *beats* the runbook makes machines, which need root here.
    """

    inject_fault: Callable[[Context, ImageSpec], None]
    before: Callable[[ImageSpec], Commands] = lambda _: ()
    settings: Mapping[str, str] = field(default_factory=dict)
    beats: bool = False


_SECOND = {"SECOND_GALLERY": "second", "SECOND_LOCATION": "northeurope"}


def _promoted(spec: ImageSpec) -> Commands:
    """The newest version, brought to every ring: with an override, because nothing soaks here."""
    rings = (ring.name for ring in spec.rollout_rings)
    why = ("--override", "rehearsal")
    return tuple(("promote", spec.name, "--ring", ring, *why) for ring in rings)


def bake_and_promote(spec: ImageSpec) -> Commands:
    """Return the commands before any fault: bake a version and promote it to all rings."""
    return (("bake", spec.name), *_promoted(spec))


def _store_unreadable(context: Context, _: ImageSpec) -> None:
    with_outage(Outages(), STORE, announced=True).write(context.workspace.emulator)


def _storm(context: Context, _: ImageSpec) -> None:
    with_outage(Outages(), IDENTITY, announced=True).write(context.workspace.emulator)


def _caches_gone(context: Context, _: ImageSpec) -> None:
    """A machine that was never used: it has the mirror, and nothing that was built."""
    shutil.rmtree(context.workspace.engine)


def _mirror_lost(context: Context, _: ImageSpec) -> None:
    shutil.rmtree(context.workspace.mirror)


def _region_lost(context: Context, _: ImageSpec) -> None:
    Outages(lost=frozenset({context.settings.location})).write(context.workspace.emulator)


def _gallery_deleted(context: Context, spec: ImageSpec) -> None:
    """Delete every version from a gallery with soft delete."""
    with open_rollout(context, FIRST) as at:
        galleries, endpoint = at.session.cloud.compute.galleries, at.session.cloud.endpoint
        keep = {"properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}}
        names = (endpoint.resource_group, context.settings.gallery)
        at.session.cloud.ask("keep what is deleted", galleries.begin_update, *names, keep)
        for version in at.fleet.inventory(consumers=False).of(spec.gallery.definition):
            at.fleet.set_deletion_block(version.id, on=False)
            at.fleet.delete(version.id)


def _nothing(_: Context, __: ImageSpec) -> None:
    """The bad version was promoted already."""


def _again(spec: ImageSpec) -> Commands:
    return (("bake", spec.name), *_promoted(spec))


FAULTS: Mapping[str, Fault] = {
    "bad-image": Fault(inject_fault=_nothing, before=_again, beats=True),
    "extension-store-unreadable": Fault(inject_fault=_store_unreadable, beats=True),
    "gallery-deleted": Fault(inject_fault=_gallery_deleted),
    "hosted-runners-gone": Fault(inject_fault=_caches_gone),
    "identity-storm": Fault(inject_fault=_storm, beats=True),
    "mirror-lost": Fault(inject_fault=_mirror_lost),
    "region-lost": Fault(
        inject_fault=_region_lost,
        before=lambda spec: (("dr", "copy", spec.name),),
        settings=_SECOND,
    ),
}
"""By the runbook's name."""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") + "\n"


def change_content(context: Context, spec: ImageSpec) -> None:
    """Have the scratch spec make another image: twins of a bad version are bad as well."""
    path = context.workspace.specs / f"{spec.name}.yaml"
    step = '  - {name: rehearsal, inline: ["echo rehearsed | sudo tee /etc/rehearsal"]}\n'
    text = _text(path)
    found = re.search(r"^customizers:\n", text, re.MULTILINE)
    if found:
        text = text[: found.end()] + step + text[found.end() :]
    else:
        text = f"{text.rstrip()}\ncustomizers:\n{step}"
    path.write_text(text, encoding="utf-8")


def add_heartbeat(context: Context, spec: ImageSpec) -> None:
    """Give the sandbox's spec a heartbeat with a plain image and a check for `change_content`."""
    path = context.workspace.specs / f"{spec.name}.yaml"
    own = re.sub(r"^heartbeat:.*\n(?:[ #].*\n|\n)*", "", _text(path), flags=re.MULTILINE)
    terms = "{plain: true, script: [test ! -e /etc/rehearsal], timeout_seconds: 120}"
    path.write_text(f"{own.rstrip()}\nheartbeat: {terms}\n", encoding="utf-8")


def local_context(context: Context, settings: Mapping[str, str]) -> Context:
    """*context* as its commands see it: never Azure, and with the settings of a trouble."""
    mine = context.settings
    return replace(
        context,
        settings=replace(
            mine,
            cloud="local",
            in_use=FIRST,
            second_gallery=settings.get("SECOND_GALLERY", mine.second_gallery),
            second_location=settings.get("SECOND_LOCATION", mine.second_location),
        ),
    )
