"""Preconditions of a bake on this machine and in this subscription."""

from __future__ import annotations

from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import system_packages
from imagebake.spec.model.image_spec import ImageSpec


def refuse_windows(context: Context, spec: ImageSpec) -> None:
    """Raise `UsageError` if *spec* is Windows and the bake would run on this machine."""
    if spec.gallery.is_windows and (reason := reason_not_bakeable(context, spec)):
        raise UsageError(
            f"{spec.name} cannot be baked here: {reason}",
            hint=f"IMAGEBAKE_CLOUD=azure ./inv bake {spec.name}",
        )


def reason_not_bakeable(context: Context, spec: ImageSpec) -> str | None:
    """Return why this machine cannot bake *spec*; None if it can."""
    if context.settings.cloud != "local":
        return None
    if spec.gallery.is_windows:
        return "it is Windows, which only Azure can run"
    if spec.local is None:
        return "its spec does not say how to make its base here (local:)"
    own = system_packages.architecture()
    if spec.gallery.architecture.debian != own:
        return f"it is for {spec.gallery.architecture.debian}, and this machine is {own}"
    return None
