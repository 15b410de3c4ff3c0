"""The notes of runs: one file for each that is under way, and for the last ones that ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagebake.azure.model.run_note import RunNote, read_note
from imagebake.kernel.host.files import write_atomically

_KEPT = 20
_SECRET = 0o600
"""A continuation token is an address with a signature in it."""


@dataclass(frozen=True, slots=True)
class RunNotes:
    """Notes below *folder*, which is one for each Azure that is spoken to."""

    folder: Path

    def keep(self, note: RunNote) -> None:
        """Write down a run that is under way, in place of what was known of it."""
        write_atomically(self._path(note.template), note.content(), mode=_SECRET)

    def find(self, template: str) -> RunNote | None:
        """The note of the run of *template* that is under way, as far as is known."""
        return _read(self._path(template))

    def going(self, image: str) -> tuple[RunNote, ...]:
        """The runs of *image* whose end nobody has seen, the oldest first."""
        return self._of(image, self.folder.glob("*.json"))

    def past(self, image: str) -> tuple[RunNote, ...]:
        """The runs of *image* that ended, the oldest first; the last twenty are kept."""
        return self._of(image, (self.folder / "ended").glob("*.json"))

    def end(self, note: RunNote) -> None:
        """Put down how a run ended: it is not under way any more."""
        ended = note.with_changes(token="")
        write_atomically(self._end_path(note), ended.content(), mode=_SECRET)
        self.drop(note.template)
        for old in self.past(note.image)[:-_KEPT]:
            self._end_path(old).unlink(missing_ok=True)

    def drop(self, template: str) -> None:
        """Forget a run that never began."""
        self._path(template).unlink(missing_ok=True)

    def _path(self, template: str) -> Path:
        return self.folder / f"{template}.json"

    def _end_path(self, note: RunNote) -> Path:
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
