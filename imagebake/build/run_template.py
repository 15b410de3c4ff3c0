"""Run an image template from elsewhere and report its outputs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import CloudError
from imagebake.kernel.progress import Progress
from imagebake.spec.model.image_spec import (
    Architecture,
    GalleryDefinition,
    GalleryImageIdentifier,
    Generation,
    SecurityType,
)

_IMAGE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Compute/galleries/(?P<gallery>[^/]+)/images/(?P<image>[^/]+)(/.*)?",
    re.IGNORECASE,
)
_MINUTES = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRunResult:
    """Outputs of a template run: pairs of run output name and resource id or address."""

    template: str
    made: tuple[tuple[str, str], ...]


def run_template(
    body: Mapping[str, Any], *, cloud: Clients, connect: Callable[..., Clients], progress: Progress
) -> TemplateRunResult:
    """Create, run and delete the image template *body* in *cloud*.

    Missing galleries and image definitions of its distributors are created; *connect* makes
    clients for another subscription and resource group. Raises `BakeFailed` if the run fails,
    `CloudError` if the template is rejected.
    """
    distributors = body["properties"].get("distribute") or ()
    with progress.step("Prepare galleries"):
        for distributor in distributors:
            _prepare(distributor, cloud, connect)
    name = f"try-{sha256_json(body)[:16]}"
    templates = ImageTemplates(cloud, is_free=lambda _: True, note=progress.note)
    with progress.step("Build image") as step, templates.template(name, body) as run:
        minutes = body["properties"].get("buildTimeoutInMinutes") or _MINUTES
        run.finish(step.note, limit=minutes * 60.0)
        return TemplateRunResult(template=name, made=templates.outputs(name))


def _prepare(
    distributor: Mapping[str, Any], cloud: Clients, connect: Callable[..., Clients]
) -> None:
    found = _IMAGE.fullmatch(str(distributor.get("galleryImageId", "")))
    if not found:  # a disk, or an id that the service refuses in its own words
        return
    endpoint = dataclasses.replace(
        cloud.endpoint,
        subscription=found["subscription"],
        resource_group=found["group"],
        location=_home(distributor) or cloud.endpoint.location,
    )
    with connect(endpoint) as clients:
        # Image Builder requires the gallery and the definition to exist before a run.
        gallery = Gallery(clients, found["gallery"])
        gallery.ensure()
        try:
            gallery.ensure_definition(_definition(found["image"]))
        except CloudError as error:
            if error.code != "DefinitionDiffers":  # the template's own, made earlier
                raise


def _home(distributor: Mapping[str, Any]) -> str | None:
    """Return a target region for a new gallery: its own region must be among them."""
    regions = distributor.get("targetRegions") or distributor.get("replicationRegions") or ()
    names = (region.get("name") if isinstance(region, dict) else region for region in regions)
    return next((str(name).replace(" ", "").lower() for name in names if name), None)


def _definition(name: str) -> GalleryDefinition:
    return GalleryDefinition(
        definition=name,
        identifier=GalleryImageIdentifier(publisher="imagebake", offer="try", sku=name[:64]),
        generation=Generation.V2,
        security=SecurityType.STANDARD,
        architecture=Architecture.X64,
    )
