"""What each runbook is about, made to happen in a scratch copy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagebake.drill.outages import IDENTITY, STORE, with_outage
from imagebake.emulator.outages import Outages
from imagebake.kernel.context import Site
from imagebake.rollout.operation import FIRST, place
from imagebake.spec.model.image_spec import ImageSpec

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """*before* is what had been done when it happened, on top of a baked image in all rings.

    With *beats* the page makes machines, which need root here: the image is watched then.
    """

    strike: Callable[[Site, ImageSpec], None]
    before: Callable[[ImageSpec], Commands] = lambda _: ()
    settings: Mapping[str, str] = field(default_factory=dict)
    beats: bool = False


_SECOND = {"SECOND_GALLERY": "second", "SECOND_LOCATION": "northeurope"}


def _promoted(spec: ImageSpec) -> Commands:
    """The newest version, brought to every ring: with an override, because nothing soaks here."""
    rings = (ring.name for ring in spec.rollout_rings)
    why = ("--override", "rehearsal")
    return tuple(("promote", spec.name, "--ring", ring, *why) for ring in rings)


def before_all(spec: ImageSpec) -> Commands:
    """What has been done before any trouble: a version is baked, and current in all rings."""
    return (("bake", spec.name), *_promoted(spec))


def _store_unreadable(site: Site, _: ImageSpec) -> None:
    with_outage(Outages(), STORE, told=True).write(site.workspace.emulator)


def _storm(site: Site, _: ImageSpec) -> None:
    with_outage(Outages(), IDENTITY, told=True).write(site.workspace.emulator)


def _caches_gone(site: Site, _: ImageSpec) -> None:
    """A machine that was never used: it has the mirror, and nothing that was built."""
    shutil.rmtree(site.workspace.engine)


def _mirror_lost(site: Site, _: ImageSpec) -> None:
    shutil.rmtree(site.workspace.mirror)


def _region_lost(site: Site, _: ImageSpec) -> None:
    Outages(lost=frozenset({site.settings.location})).write(site.workspace.emulator)


def _gallery_deleted(site: Site, spec: ImageSpec) -> None:
    """Every version is deleted, from a gallery that keeps what is deleted for some days."""
    with place(site, FIRST) as at:
        galleries, endpoint = at.end.cloud.compute.galleries, at.end.cloud.endpoint
        keep = {"properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}}
        names = (endpoint.resource_group, site.settings.gallery)
        at.end.cloud.ask("keep what is deleted", galleries.begin_update, *names, keep)
        for one in at.fleet.inventory(consumers=False).of(spec.gallery.definition):
            at.fleet.guard(one.id, on=False)
            at.fleet.delete(one.id)


def _nothing(_: Site, __: ImageSpec) -> None:
    """What is bad was promoted already."""


def _again(spec: ImageSpec) -> Commands:
    return (("bake", spec.name), *_promoted(spec))


TROUBLES: Mapping[str, Trouble] = {
    "bad-image": Trouble(strike=_nothing, before=_again, beats=True),
    "extension-store-unreadable": Trouble(strike=_store_unreadable, beats=True),
    "gallery-deleted": Trouble(strike=_gallery_deleted),
    "hosted-runners-gone": Trouble(strike=_caches_gone),
    "identity-storm": Trouble(strike=_storm, beats=True),
    "mirror-lost": Trouble(strike=_mirror_lost),
    "region-lost": Trouble(
        strike=_region_lost, before=lambda spec: (("dr", "copy", spec.name),), settings=_SECOND
    ),
}
"""By the runbook's name."""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") + "\n"


def other_content(site: Site, spec: ImageSpec) -> None:
    """Have the scratch spec make another image: twins of a bad version are bad as well."""
    path = site.workspace.specs / f"{spec.name}.yaml"
    step = '  - {name: rehearsal, inline: ["echo rehearsed | sudo tee /etc/rehearsal"]}\n'
    text = _text(path)
    found = re.search(r"^customizers:\n", text, re.MULTILINE)
    if found:
        text = text[: found.end()] + step + text[found.end() :]
    else:
        text = f"{text.rstrip()}\ncustomizers:\n{step}"
    path.write_text(text, encoding="utf-8")


def watched(site: Site, spec: ImageSpec) -> None:
    """Have the scratch spec's heartbeats tell whose fault a miss is, and see `other_content`."""
    path = site.workspace.specs / f"{spec.name}.yaml"
    own = re.sub(r"^heartbeat:.*\n(?:[ #].*\n|\n)*", "", _text(path), flags=re.MULTILINE)
    terms = "{plain: true, script: [test ! -e /etc/rehearsal], timeout_seconds: 120}"
    path.write_text(f"{own.rstrip()}\nheartbeat: {terms}\n", encoding="utf-8")


def local(site: Site, settings: Mapping[str, str]) -> Site:
    """*site* as its commands see it: never Azure, and with the settings of a trouble."""
    mine = site.settings
    return replace(
        site,
        settings=replace(
            mine,
            cloud="local",
            in_use=FIRST,
            second_gallery=settings.get("SECOND_GALLERY", mine.second_gallery),
            second_location=settings.get("SECOND_LOCATION", mine.second_location),
        ),
    )
