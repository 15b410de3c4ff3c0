"""Keep the repository's workflows what its specs and settings ask for."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.kernel.host.files import write_atomically
from imagebake.render.workflows import HEADER

DRIFTED, MISSING, ABANDONED = "W001", "W002", "W003"
_HINT = "./inv pipelines writes it"


def check_pipelines(root: Path, wanted: Mapping[str, str]) -> None:
    """Compare the workflows of the repository at *root* with those *wanted*.

    Raises `SpecError` that names, for each, the first line that differs; a workflow that
    we once generated and that nothing asks for any more counts as well.
    """
    wrong = [
        complaint
        for path, text in sorted(wanted.items())
        if (complaint := _compare(path, _read(root / path), text))
    ]
    wrong += [
        Diagnostic(
            path=path,
            line=1,
            column=1,
            code=ABANDONED,
            message="nothing asks for this workflow any more",
            hint="./inv pipelines deletes it",
        )
        for path in _abandoned(root, wanted)
    ]
    if wrong:
        raise SpecError(wrong)


def write_pipelines(root: Path, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Write the workflows that are not as *wanted*, delete what is not; say what was done.

    Raises `UsageError`, and writes nothing, where a file of the same name is somebody's own.
    """
    foreign = [path for path in sorted(wanted) if not _ours(_read(root / path))]
    if foreign:
        raise UsageError(
            f"{', '.join(foreign)}: written by hand, and would be lost",
            hint="rename it, or delete it, and run ./inv pipelines again",
        )
    done = []
    for path, text in sorted(wanted.items()):
        if _read(root / path) != text:
            write_atomically(root / path, text.encode())
            done.append(f"wrote {path}")
    for path in _abandoned(root, wanted):
        (root / path).unlink()
        done.append(f"deleted {path}")
    return tuple(done)


def _compare(path: str, there: str | None, wanted: str) -> Diagnostic | None:
    if there == wanted:
        return None
    if there is None:
        return Diagnostic(
            path=path, line=1, column=1, code=MISSING, message="it is missing", hint=_HINT
        )
    pairs = itertools.zip_longest(there.splitlines(), wanted.splitlines())
    number, (has, should) = next(
        ((number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]),
        (1, (None, None)),
    )
    if has is None:
        message = f"it ends before {should!r}"
    elif should is None:
        message = "it should have ended"
    else:
        message = f"it should be {should!r}"
    return Diagnostic(
        path=path,
        line=number,
        column=1,
        code=DRIFTED,
        message=message,
        hint=_HINT,
        source=has or "",
        width=max(1, len(has or "")),
    )


def _abandoned(root: Path, wanted: Mapping[str, str]) -> tuple[str, ...]:
    folder = root / ".github" / "workflows"
    names = sorted(folder.glob("*.yml")) if folder.is_dir() else []
    paths = (path.relative_to(root).as_posix() for path in names)
    return tuple(
        path
        for path in paths
        if path not in wanted and (_read(root / path) or "").startswith(HEADER)
    )


def _ours(text: str | None) -> bool:
    return text is None or text.startswith(HEADER)


def _read(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else None
