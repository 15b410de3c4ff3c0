"""The task `map`: resources that images need, and resources that need images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import ANY_IMAGE, JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import select_specs
from imagebake.rollout.dependency_graph import DependencyMap, build_dependency_map
from imagebake.rollout.dependency_report import Drawing, map_page, map_svg, markdown
from imagebake.rollout.operation import open_rollout
from imagebake.session.session import Destination

PICTURES: dict[str, Callable[[Drawing], str]] = {
    ".html": map_page,
    ".svg": map_svg,
    ".md": markdown,
}
"""How a map is drawn, by the ending of the file's name."""


def print_map(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    out: Annotated[str, Flag("a file for the picture: its name ends in .svg, .html or .md")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the dependencies, or draw them into the file *out*."""
    draw = _picture(out) if out else None
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    with open_rollout(context) as at:
        found = build_dependency_map(
            specs, at.inventory(), _surroundings(context, at.session.destination)
        )
    if draw:
        write_atomically(Path(out), draw(found.to_json()).encode())
        context.progress.note(f"wrote {out}")
    if as_json:
        print_json(found.to_json())
    elif not draw:
        print_table(("who", "", "needs"), _rows(found))


def _rows(found: DependencyMap) -> list[tuple[str, str, str]]:
    names = {node.id: f"{node.kind} {node.name}" for node in found.nodes.values()}
    return [(names[need.who], need.how, names[need.what]) for need in sorted(found.needs)]


def _surroundings(context: Context, to: Destination) -> dict[str, str]:
    """Return the resources that every image needs besides its gallery."""
    return {"mirror": to.mirror_url, "identity": to.identity, "subnet": context.settings.subnet}


def _picture(out: str) -> Callable[[Drawing], str]:
    ending = Path(out).suffix.lower()
    if ending not in PICTURES:
        raise UsageError(
            f"{out} is no name for a picture", hint=f"it ends in {', '.join(PICTURES)}"
        )
    return PICTURES[ending]
