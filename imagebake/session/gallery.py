"""`versions` and `show`: what has been baked."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel.flags import ANY_IMAGE, JSON, VERSION, Word

from imagebake.azure.compute import image_history as views
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Site
from imagebake.kernel.errors import UsageError
from imagebake.lock import artifact_sources
from imagebake.lock.selection import spec_of, split_version
from imagebake.session import session
from imagebake.session.session import End
from imagebake.spec.load import spec_names
from imagebake.spec.model.image_spec import ImageSpec


def versions(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the versions of one image, or of all, newest first."""
    site = context.site(quiet=as_json)
    names = (image,) if image else spec_names(site.workspace.specs)
    specs = [spec_of(site, name) for name in names]
    with session.connect(site) as end:
        found = {spec.name: _rows(site, spec, end) for spec in specs}
    if as_json:
        print_json({name: [row.to_json() for row in rows] for name, rows in found.items()})
        return
    rows = [(name, *row.cells) for name, listed in found.items() for row in listed]
    if not rows:
        print("no versions yet: ./inv bake " + (image or "--all"))
        return
    print_table(("image", *views.COLUMNS), rows)


def _rows(site: Site, spec: ImageSpec, end: End) -> tuple[views.VersionRow, ...]:
    return views.versions(
        spec.gallery.definition, now=site.now, gallery=site.settings.gallery, cloud=end.cloud
    )


def show(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print everything known of one version."""
    site = context.site(quiet=as_json)
    image, wanted = split_version(version)
    spec = spec_of(site, image)
    with session.connect(site) as end:
        details = views.show(
            spec.gallery.definition,
            wanted or newest(site, spec, end),
            now=site.now,
            gallery=site.settings.gallery,
            cloud=end.cloud,
            records=artifact_sources.mirror(site),
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


def meant(site: Site, spec: ImageSpec, wanted: str | None, end: End) -> GalleryVersion:
    """The version *wanted* of *spec*, or its newest; raises `UsageError` when there is none."""
    version, _ = views.find_version(
        spec.gallery.definition,
        wanted or newest(site, spec, end),
        gallery=site.settings.gallery,
        cloud=end.cloud,
    )
    return version


def newest(site: Site, spec: ImageSpec, end: End) -> str:
    """The number of the newest usable version of *spec*, hidden or not."""
    healthy = [row for row in _rows(site, spec, end) if row.version.healthy]
    if not healthy:
        raise UsageError(f"there is no version of {spec.name} yet", hint=f"./inv bake {spec.name}")
    return str(healthy[0].version.version)
