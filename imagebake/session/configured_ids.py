"""Resource ids that follow from the settings, without a request to Azure."""

from __future__ import annotations

from imagebake.kernel.settings import Settings


def group_id(settings: Settings) -> str:
    """Return the id of the resource group of image templates and galleries."""
    return f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"


def gallery_id(settings: Settings) -> str:
    """Return the id of the gallery."""
    return f"{group_id(settings)}/providers/Microsoft.Compute/galleries/{settings.gallery}"
