"""Whether this machine can bake an image, and why not."""

from __future__ import annotations

from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import system_packages
from imagebake.spec.model.image_spec import ImageSpec


def refuse_windows(context: Context, spec: ImageSpec) -> None:
    """Raise `UsageError` where *spec* is Windows, before anything is done for it here."""
    if spec.gallery.is_windows and (reason := reason_not_bakeable(context, spec)):
        raise UsageError(
            f"{spec.name} cannot be baked here: {reason}",
            hint=f"IMAGEBAKE_CLOUD=azure ./inv bake {spec.name}",
        )


def reason_not_bakeable(context: Context, spec: ImageSpec) -> str | None:
    """Why this machine cannot bake *spec*; None when it can."""
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
