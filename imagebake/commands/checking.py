"""`validate`: rules over specs and locks, and images read back."""

from __future__ import annotations

from imagebake import app
from imagebake import lock as locks
from imagebake.app import Site
from imagebake.catalog.components import CATALOGUE
from imagebake.commands.output import print_json
from imagebake.commands.selection import chosen, split_version
from imagebake.errors import LockError
from imagebake.model.lock import Lock
from imagebake.model.spec import ImageSpec
from imagebake.specs.load import load_all
from imagebake.validate import Report, joined, report_image, report_spec, require, validate_spec


def validate(image: str, *, every: bool, rules_only: bool, as_json: bool) -> None:
    """Check specs and, unless *rules_only*, their newest versions; exit 3 on errors."""
    site = app.site(quiet=as_json)
    name, version = split_version(image) if image else ("", None)
    specs = chosen(site, name, every=every)
    others = tuple(load_all(site.workspace.specs, root=site.workspace.root).values())
    read = {spec.name: _lock(site, spec) for spec in specs}
    reports = [_rules(site, spec, read[spec.name], others) for spec in specs]
    if not rules_only:
        reports = _with_images(site, specs, read, version, reports)
    if as_json:
        print_json([report.to_json() for report in reports])
    else:
        print("\n\n".join(map(str, reports)))
    require(reports)


def _lock(site: Site, spec: ImageSpec) -> Lock | None:
    """The lock of *spec*; None when there is none, which is a finding of its own."""
    path = site.workspace.lock_path(spec.name)
    return locks.load_lock(path) if path.is_file() else None


def _rules(site: Site, spec: ImageSpec, lock: Lock | None, others: tuple[ImageSpec, ...]) -> Report:
    findings = validate_spec(
        spec,
        lock,
        catalogue=CATALOGUE,
        location=site.settings.location,
        today=site.now.date(),
        others=others,
    )
    return report_spec(spec, findings)


def _with_images(
    site: Site,
    specs: tuple[ImageSpec, ...],
    read: dict[str, Lock | None],
    version: str | None,
    reports: list[Report],
) -> list[Report]:
    from imagebake import ends
    from imagebake.commands.gallery import meant

    complete = []
    with ends.connect(site) as end:
        for spec, report in zip(specs, reports, strict=True):
            lock = read[spec.name]
            if lock is None:
                raise LockError(f"{spec.name} has no lock", hint=f"./inv lock {spec.name}")
            found = meant(site, spec, version, end)
            name = f"{spec.name}@{found.version}"
            with site.progress.step(f"Read {name}"), end.images.open_tar(found.id) as stream:
                image = report_image(name, stream, spec, lock, catalogue=CATALOGUE)
            complete.append(joined((report, image)))
    return complete
