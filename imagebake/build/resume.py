"""What a bake looks at first: runs that nobody follows, by their notes, and providers."""

from __future__ import annotations

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.run_note import RunNote
from imagebake.azure.resources.providers import Providers
from imagebake.build.run_notes import RunNotes
from imagebake.kernel.context import Site
from imagebake.kernel.errors import UsageError
from imagebake.session.session import End
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan


def notes(site: Site) -> RunNotes:
    """The notes of the runs in the Azure that the settings name."""
    return RunNotes(site.workspace.runs / site.settings.cloud)


def under_way(site: Site, image: str) -> tuple[RunNote, ...]:
    """The runs of *image* that were started from here, and whose end nobody has seen."""
    mine = site.settings
    here = (mine.subscription, mine.resource_group, mine.gallery)
    return tuple(
        note
        for note in notes(site).going(image)
        if (note.subscription, note.resource_group, note.gallery) == here
    )


def require_under_way(site: Site, spec: ImageSpec, end: End) -> tuple[RunNote, ...]:
    """The runs of *spec* to resume; where there are none, an error says what there is."""
    if found := under_way(site, spec.name):
        return found
    elsewhere = notes(site).going(spec.name)
    if elsewhere:
        other = elsewhere[-1]
        raise UsageError(
            f"the run of {spec.name} that was begun {other.begun} is in gallery {other.gallery}"
            f" of {other.resource_group} in subscription {other.subscription}",
            hint="the settings name another; set them as they were then",
        )
    raise UsageError(
        f"no run of {spec.name} is under way: {_what_there_is(site, spec, end)}",
        hint=f"./inv bake {spec.name} starts one where it is needed",
    )


def require_plan(note: RunNote) -> BakePlan:
    """The plan of a run; one that another version of imagebake wrote cannot be resumed."""
    if plan := note.read_plan():
        return plan
    raise UsageError(
        f"the note of the run of {note.image} was written by another version of imagebake",
        hint=f"that one can resume it; ./inv bake {note.image} waits for it, too, while it runs",
    )


def require_providers(site: Site, end: End) -> None:
    """Have the resource providers that a build in Azure needs; the emulator has them all."""
    if site.settings.cloud == "azure":
        register = site.settings.register_providers == "yes"
        Providers(end.cloud).require(register=register, note=site.progress.note)


def tell_of_others(site: Site, image: str, template: str) -> None:
    """Say that runs of *image* are under way besides the one of *template*."""
    for note in under_way(site, image):
        if note.template != template:
            site.progress.note(
                f"a run for other content of {image}, begun {note.begun}, was never seen to end:"
                f" ./inv bake {image} --resume ends it"
            )


def _what_there_is(site: Site, spec: ImageSpec, end: End) -> str:
    ended = notes(site).past(spec.name)
    last = f"the last one ended {ended[-1].state}" if ended else "none was started from here"
    versions = Gallery(end.cloud, site.settings.gallery).versions(spec.gallery.definition)
    newest = f"the newest version is {versions[-1].version}" if versions else "there is no version"
    return f"{last}, and {newest}"
