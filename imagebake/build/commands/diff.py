"""The task `diff`: compare the contents of two baked versions."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

from imagebake.build.diff.image_diff import ImageDiff, ReadableImage
from imagebake.build.diff.image_diff import diff_images as compare
from imagebake.build.diff.image_report import (
    COLUMNS,
    MOST,
    headline,
    image_diff_page,
    markdown,
    measures,
    rows,
)
from imagebake.kernel.console import format_table, print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import CHANGES, UsageError
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import find_spec, split_version
from imagebake.session.session import CloudSession, connect, find_version

_FORMS = {".html": image_diff_page, ".md": markdown}


def diff(
    old: Annotated[str, Word("IMAGE@VERSION to compare with")] = "",
    new: Annotated[str, Word("IMAGE@VERSION (default: the newest of the same image)")] = "",
    *,
    out: Annotated[str, Flag("a file for the report: .html or .md")] = "",
    as_markdown: Annotated[bool, Flag("print Markdown", name="markdown")] = False,
    exit_code: Annotated[bool, Flag("end with 8 when something differs")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Print the differences from version *old* to version *new*, or write them to *out*.

    Without *new* the image's newest version is compared.
    """
    form = _FORMS.get(Path(out).suffix) if out else None
    if out and form is None:
        raise UsageError(f"{out} is neither .html nor .md", hint="--out diff.html")
    if as_json and as_markdown:
        raise UsageError("--markdown and --json are two ways to print: choose one")
    context = open_context(quiet=as_json)
    with connect(context) as session:
        sides = (
            _readable(context, old, session),
            _readable(context, new or split_version(old)[0], session),
        )
        result = compare(*sides, progress=context.progress)
    if form:
        write_atomically(Path(out), form(result).encode())
        print(f"{out}: {headline(result)}")
    elif as_json:
        print_json(result.to_json())
    elif as_markdown:
        print(markdown(result), end="")
    else:
        print(_text(result))
    if exit_code and result.differences:
        return CHANGES
    return 0


def _readable(context: Context, named: str, session: CloudSession) -> ReadableImage:
    image, wanted = split_version(named)
    spec = find_spec(context, image)
    found = find_version(context, spec, wanted, session)
    return ReadableImage(
        name=f"{spec.name}@{found.version}",
        content_sha256=session.images.content(found.id),
        open_tar=functools.partial(session.images.open_tar, found.id),
    )


def _text(result: ImageDiff) -> str:
    """The comparison for a terminal."""
    parts = [headline(result)]
    for area, differences in result.areas():
        lines = rows(area, differences)
        _, *shown = format_table(COLUMNS, lines[:MOST]).splitlines()
        left = len(lines) - MOST
        shown += [f"   {left} more: --markdown shows them"] if left > 0 else []
        parts += ["", area.value, *(f"  {line}" for line in shown)]
    if figures := measures(result):
        parts += ["", format_table(("", "", ""), figures).strip("\n")]
    return "\n".join(parts)
