"""The tasks `versions` and `show`."""

from __future__ import annotations

from typing import Annotated

from imagebake.azure.compute import image_history
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import open_context
from imagebake.kernel.flags import ANY_IMAGE, JSON, VERSION, Word
from imagebake.lock import artifact_sources
from imagebake.lock.selection import find_spec, split_version
from imagebake.session.session import connect, list_versions, newest_version
from imagebake.spec.load import spec_names


def versions(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the versions of one image, or of all, newest first."""
    context = open_context(quiet=as_json)
    names = (image,) if image else spec_names(context.workspace.specs)
    specs = [find_spec(context, name) for name in names]
    with connect(context) as session:
        found = {spec.name: list_versions(context, spec, session) for spec in specs}
    if as_json:
        print_json({name: [row.to_json() for row in rows] for name, rows in found.items()})
        return
    rows = [(name, *row.cells) for name, listed in found.items() for row in listed]
    if not rows:
        print("no versions yet: ./inv bake " + (image or "--all"))
        return
    print_table(("image", *image_history.COLUMNS), rows)


def show(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the state, tags, regions and pins of one version."""
    context = open_context(quiet=as_json)
    image, wanted = split_version(version)
    spec = find_spec(context, image)
    with connect(context) as session:
        details = image_history.show(
            spec.gallery.definition,
            wanted or newest_version(context, spec, session),
            now=context.now,
            gallery=context.settings.gallery,
            cloud=session.cloud,
            records=artifact_sources.open_mirror(context),
        )
    if as_json:
        print_json(details.to_json())
        return
    print_table((f"{spec.name}@{details.row.version.version}", ""), details.cells)
    if details.manifest:
        pins = details.manifest.contents.get("pins", [])
        print()
        print_table(
            ("pin", "version", "kind"),
            [(str(pin["name"]), str(pin["version"]), str(pin["kind"])) for pin in pins],
        )
