"""The task `ledger`: the requests of a version's last first boots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from imagebake.kernel.console import format_table, print_json
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import JSON, VERSION, Word
from imagebake.lab.ledger import LedgerEntry
from imagebake.lock.selection import find_spec, split_version
from imagebake.proof.first_boots import record_keeper
from imagebake.proof.records import LedgerRecord
from imagebake.session.session import connect, find_version

COLUMNS = (
    "time",
    "first boot",
    "unit",
    "process",
    "kind",
    "host",
    "path",
    "bytes",
    "answer",
)
_LONGEST = 60


def ledger(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print everything that the last first boots of a version, and its control, asked for."""
    context = open_context(quiet=as_json)
    image, wanted = split_version(version)
    spec = find_spec(context, image)
    with connect(context) as session:
        found = find_version(context, spec, wanted, session)
    kept = record_keeper(context, found).ledger()
    if kept is None:
        raise UsageError(
            f"{spec.name}@{found.version} has not had a first boot here",
            hint=f"as root: ./inv validate {spec.name}@{found.version}",
        )
    if as_json:
        print_json(kept.to_json())
    else:
        print(page(f"{spec.name}@{found.version}", kept))


def page(subject: str, kept: LedgerRecord) -> str:
    """The ledger as people read it: the image's own part first, then its control's."""
    own = list(kept.entries(control=False))
    boots = sum(not control for _, control, _ in kept.boots)
    counted = f"{boots} first boot{'' if boots == 1 else 's'} of {subject}, {kept.at}"
    packets = ", ".join(f"{name} {count}" for name, count in sorted(kept.packets().items()))
    parts = [format_table(COLUMNS, _rows(own)), ""] if own else []
    parts += [f"{counted}: {'asked for what is above' if own else 'asked for nothing'}"]
    parts += [f"packets, counted by the kernel: {packets}"] if packets else []
    control = list(kept.entries(control=True))
    if control:
        parts += ["", "The negative control asked for this, as it must:", ""]
        parts += [format_table(COLUMNS, _rows(control))]
    return "\n".join(parts)


def _rows(entries: Iterable[tuple[str, LedgerEntry]]) -> Iterable[tuple[str, ...]]:
    for name, entry in entries:
        place = f"{entry.host}:{entry.port}" if entry.port else entry.host
        process = entry.process if len(entry.process) <= _LONGEST else entry.process[:_LONGEST]
        cells = (
            entry.time.strftime("%H:%M:%S.%f")[:-3],
            name,
            entry.unit,
            process,
            str(entry.kind),
            place,
            entry.path.strip(),
            str(entry.size),
            entry.answer,
        )
        yield tuple(cell or "-" for cell in cells)
