"""Where the settings say that things are, by their ids, with nothing asked of anybody."""

from __future__ import annotations

from imagebake.kernel.settings import Settings


def group_id(settings: Settings) -> str:
    """The resource group that image templates and galleries are in."""
    return f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"


def gallery_id(settings: Settings) -> str:
    """The gallery that versions go to."""
    return f"{group_id(settings)}/providers/Microsoft.Compute/galleries/{settings.gallery}"
