"""Notes on image template runs: one file per run under way, and the last twenty that ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.run_note import RunNote, read_note
from imagebake.azure.resources.providers import Providers
from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.host.files import write_atomically
from imagebake.session.session import CloudSession
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan

_KEPT = 20
_SECRET = 0o600
"""File mode of a note: its continuation token is a URL with a signature."""


@dataclass(frozen=True, slots=True)
class RunNotes:
    """Notes below *folder*, which is one per cloud."""

    folder: Path

    def keep(self, note: RunNote) -> None:
        """Write the note of a run that is under way, replacing an earlier one."""
        write_atomically(self._path(note.template), note.content(), mode=_SECRET)

    def find(self, template: str) -> RunNote | None:
        """Return the note of the run of *template* if one is under way."""
        return _read(self._path(template))

    def under_way(self, image: str) -> tuple[RunNote, ...]:
        """Return the runs of *image* that have no recorded end, oldest first."""
        return self._of(image, self.folder.glob("*.json"))

    def ended(self, image: str) -> tuple[RunNote, ...]:
        """Return the runs of *image* that ended, oldest first."""
        return self._of(image, (self.folder / "ended").glob("*.json"))

    def end(self, note: RunNote) -> None:
        """Move the note of a run to the ended ones; only the last twenty are kept."""
        ended = note.with_changes(token="")
        write_atomically(self._end_path(note), ended.content(), mode=_SECRET)
        self.drop(note.template)
        for old in self.ended(note.image)[:-_KEPT]:
            self._end_path(old).unlink(missing_ok=True)

    def drop(self, template: str) -> None:
        """Delete the note of a run that never started."""
        self._path(template).unlink(missing_ok=True)

    def _path(self, template: str) -> Path:
        return self.folder / f"{template}.json"

    def _end_path(self, note: RunNote) -> Path:
        # The time comes first so that names sort by age.
        moment = note.begun.replace(":", "").replace("-", "")
        return self.folder / "ended" / f"{moment}-{note.template}.json"

    def _of(self, image: str, paths: Iterable[Path]) -> tuple[RunNote, ...]:
        notes = [note for path in paths if (note := _read(path)) and note.image == image]
        return tuple(sorted(notes, key=lambda note: note.begun))


def _read(path: Path) -> RunNote | None:
    try:
        return read_note(path.read_bytes())
    except FileNotFoundError:
        return None


def run_notes(context: Context) -> RunNotes:
    """Return the notes on runs in the cloud that the settings name."""
    return RunNotes(context.workspace.runs / context.settings.cloud)


def runs_under_way(context: Context, image: str) -> tuple[RunNote, ...]:
    """Return the runs of *image* in the configured gallery that have no recorded end."""
    mine = context.settings
    here = (mine.subscription, mine.resource_group, mine.gallery)
    return tuple(
        note
        for note in run_notes(context).under_way(image)
        if (note.subscription, note.resource_group, note.gallery) == here
    )


def require_runs_under_way(
    context: Context, spec: ImageSpec, session: CloudSession
) -> tuple[RunNote, ...]:
    """Return the runs of *spec* to resume; raises `UsageError` if there are none."""
    if found := runs_under_way(context, spec.name):
        return found
    # A run in another gallery explains an empty result better than "none".
    elsewhere = run_notes(context).under_way(spec.name)
    if elsewhere:
        other = elsewhere[-1]
        raise UsageError(
            f"the run of {spec.name} that was begun {other.begun} is in gallery {other.gallery}"
            f" of {other.resource_group} in subscription {other.subscription}",
            hint="the settings name another; set them as they were then",
        )
    raise UsageError(
        f"no run of {spec.name} is under way: {_what_there_is(context, spec, session)}",
        hint=f"./inv bake {spec.name} starts one where it is needed",
    )


def require_plan(note: RunNote) -> BakePlan:
    """Return the plan of a run; `UsageError` if another version of imagebake wrote it."""
    if plan := note.read_plan():
        return plan
    raise UsageError(
        f"the note of the run of {note.image} was written by another version of imagebake",
        hint=f"that one can resume it; ./inv bake {note.image} waits for it, too, while it runs",
    )


def require_providers(context: Context, session: CloudSession) -> None:
    """Require the resource providers of a build in Azure; the emulator registers them all."""
    if context.settings.cloud == "azure":
        register = context.settings.register_providers == "yes"
        Providers(session.cloud).require(register=register, note=context.progress.note)


def report_other_runs(context: Context, image: str, template: str) -> None:
    """Note the runs of *image* that are under way besides the one of *template*."""
    for note in runs_under_way(context, image):
        if note.template != template:
            context.progress.note(
                f"a run for other content of {image}, started {note.begun}, has no recorded end:"
                f" ./inv bake {image} --resume ends it"
            )


def _what_there_is(context: Context, spec: ImageSpec, session: CloudSession) -> str:
    ended = run_notes(context).ended(spec.name)
    last = f"the last one ended {ended[-1].state}" if ended else "none was started from here"
    versions = Gallery(session.cloud, context.settings.gallery).versions(spec.gallery.definition)
    newest = f"the newest version is {versions[-1].version}" if versions else "there is no version"
    return f"{last}, and {newest}"
