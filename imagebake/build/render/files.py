"""Write rendered scripts and templates to files, and identify the renderer."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from imagebake.kernel.context import Context
from imagebake.kernel.digest import sha256_bytes, sha256_file, sha256_json
from imagebake.kernel.host.files import write_atomically
from imagebake.session.configured_ids import gallery_id, group_id
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.plan import BakePlan, Delivery, Script, StepKind

IMAGE_TEMPLATE = "image_template.json"
MANIFEST = "manifest.json"
_SHEBANG = "#!/bin/sh -e"


def rendered_files(plan: BakePlan, delivery: Delivery, template: bytes) -> Mapping[str, bytes]:
    """Return everything rendered for *plan* by relative path, in order.

    *template* is the rendered image template. Scripts get the shebang line that Image Builder
    prepends to inline shell steps.
    """
    files = {IMAGE_TEMPLATE: template, MANIFEST: plan.manifest}
    for folder, scripts in (("customizers", plan.customizers), ("validators", plan.validators)):
        files |= _numbered(folder, scripts, delivery.mirror_url)
    return files


def write_files(files: Mapping[str, bytes], folder: Path) -> tuple[Path, ...]:
    """Write *files* below *folder* and return their paths; other files there are left alone.

    Files with the right content stay: replacing one costs more than rendering it.
    """
    written = []
    for name, content in files.items():
        path = folder / name
        mode = 0o755 if path.suffix == ".sh" else 0o644
        if not _is_there(path, content, mode):
            write_atomically(path, content, mode=mode, durable=False)  # rendered again in no time
        written.append(path)
    return tuple(written)


def _is_there(path: Path, content: bytes, mode: int) -> bool:
    try:
        return stat.S_IMODE(path.lstat().st_mode) == mode and path.read_bytes() == content
    except OSError:
        return False


def _numbered(folder: str, scripts: Iterable[Script], mirror_url: str) -> dict[str, bytes]:
    return {
        f"{folder}/{number:02}-{script.name}{_suffix(script)}": "\n".join(
            (
                *([_SHEBANG] if _suffix(script) == ".sh" else ()),
                *script.lines(mirror_url),
                "",
            )
        ).encode()
        for number, script in enumerate(scripts, start=1)
    }


def _suffix(script: Script) -> str:
    """Return the suffix of *script*'s file; steps that Azure performs itself are JSON."""
    if not script.is_inline:
        return ".json"
    return ".ps1" if script.kind is StepKind.POWERSHELL else ".sh"


_PACKAGE = Path(__file__).resolve().parents[2]
_CODE = ("spec", "build")


def rendering_identity(templates: Path, catalogue: Catalogue) -> str:
    """Return a digest over everything that affects rendering, besides the spec and the lock.

    It covers more code than needed. A false difference only costs a new rendering.
    """
    code = [path for name in _CODE for path in (_PACKAGE / name).rglob("*.py")]
    files = [*templates.rglob("*"), *code]
    # Paths are left out below, so that two checkouts have the same identity.
    digests = {str(path): sha256_file(path) for path in files if path.is_file()}
    return sha256_json(
        {"files": sorted(digests.values()), "catalogue": sha256_bytes(repr(catalogue).encode())}
    )


VERSION_STAND_IN = "YYYY.MMDD.N"
"""Stands where a bake puts the number that is next on its day."""


def expected_delivery(context: Context, plan: BakePlan) -> Delivery:
    """Return the destination of a bake of *plan*, with placeholders for values set by the bake."""
    settings, spec = context.settings, plan.spec
    group, gallery = group_id(settings), gallery_id(settings)
    identities = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    return Delivery(
        location=settings.location,
        identity=settings.identity or f"{identities}/imagebake",
        image_version_id=f"{gallery}/images/{spec.gallery.definition}/versions/{VERSION_STAND_IN}",
        mirror_url=settings.mirror_url or "file:///run/imagebake/mirror",
        regions=spec.regions,
        tags=tuple(sorted(spec.tags.items())),
    )
