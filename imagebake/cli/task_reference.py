"""The task reference: every task and flag, every setting, every exit code, as Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel import errors, settings
from imagebake.kernel.text.docstrings import field_docs

HEAD = """# Tasks

Written by `./inv generate`; do not edit. `./inv TASK` in a clone and `imagebake TASK` where the
package is installed are the same. Results go to standard output, progress and errors to standard
error; `--json` prints canonical JSON.
"""


@dataclass(frozen=True, slots=True)
class TaskHelp:
    """One task as its help describes it: *words* may be given without their flag."""

    name: str
    summary: str
    words: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


def task_reference(tasks: Iterable[TaskHelp]) -> str:
    """The page `docs/reference/tasks.md`."""
    parts = [HEAD, *(_task(task) for task in tasks), _settings(), _exit_codes()]
    return "\n".join(parts)


def _task(task: TaskHelp) -> str:
    words = "".join(f" [{word.upper()}]" for word in task.words)
    lines = [f"## {task.name}", "", f"    ./inv {task.name}{words}", "", task.summary, ""]
    if task.options:
        rows = [(f"`{flag}`", text) for flag, text in task.options]
        lines += _table(("option", "what it does"), rows)
    return "\n".join(lines)


def _settings() -> str:
    docs = field_docs(Path(settings.__file__))[settings.Settings.__name__]
    rows = [
        (
            f"`{field.name}`",
            f"`{settings.PREFIX}{field.name.upper()}`" if field.type == "str" else "",
            f"`{field.default}`" if field.type == "str" else "none",
            docs[field.name],
        )
        for field in dataclasses.fields(settings.Settings)
    ]
    where = f"From `{settings.FILE}` beside `image_specs/`, or the environment, which wins."
    head = ["## Settings", "", where, ""]
    return "\n".join(head + _table(("key", "variable", "default", "meaning"), rows))


def _exit_codes() -> str:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ImagebakeError)
    ]
    meanings: dict[int, list[str]] = {0: ["done"], 1: ["a mistake in imagebake itself"]}
    for kind in kinds:
        if kind is not errors.ImagebakeError:
            summary = (kind.__doc__ or "").splitlines()[0].rstrip(".")
            meanings.setdefault(kind.exit_code, []).append(summary)
    meanings[errors.CHANGES] = ["no failure: with `--exit-code`, something changes"]
    meanings[130] = ["interrupted"]
    rows = [(str(code), "; ".join(texts)) for code, texts in sorted(meanings.items())]
    return "\n".join(["## Exit codes", "", *_table(("code", "meaning"), rows)])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(map(_cell, line))} |" for line in lines] + [""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
