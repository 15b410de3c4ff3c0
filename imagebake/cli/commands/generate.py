"""The task `generate`: write or compare the files that are generated from the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

from imagebake.cli.registry import load_tasks
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import ValidationFailed
from imagebake.kernel.flags import Flag
from imagebake.kernel.host.files import write_atomically


def generate(
    *,
    check: Annotated[bool, Flag("only say whether a generated file is stale")] = False,
) -> None:
    """Write every stale generated file; with *check* raise `ValidationFailed` instead."""
    context = open_context(quiet=True)
    stale = {
        path: wanted
        for path, produce in sorted(producers().items())
        if _read(context.workspace.root / path) != (wanted := produce())
    }
    if check and stale:
        raise ValidationFailed(
            f"generated files are stale: {', '.join(sorted(stale))}", hint="./inv generate"
        )
    for path, wanted in stale.items():
        write_atomically(context.workspace.root / path, wanted.encode())
        print(f"wrote {path}")
    if not stale:
        print("every generated file is as it should be")


def producers() -> Mapping[str, Callable[[], str]]:
    """Return the generator of each generated file, by path in the repository."""
    from imagebake.cli.error_reference import errors_page
    from imagebake.cli.task_reference import task_reference
    from imagebake.policy.reference import rules_page
    from imagebake.spec import codes, reference, schema
    from imagebake.spec.catalogue.reference import catalogue_page

    return {
        "docs/reference/tasks.md": lambda: task_reference(
            task.described() for task in load_tasks().values()
        ),
        "docs/reference/spec-reference.md": reference.page,
        "docs/reference/rules.md": rules_page,
        "docs/reference/errors.md": lambda: errors_page(
            (code.id, code.title, code.explanation) for code in codes.ALL
        ),
        "docs/reference/catalogue.md": catalogue_page,
        "schemas/image-spec.v1.schema.json": schema.text,
        "schemas/image-spec-base.v1.schema.json": schema.base_text,
    }


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
