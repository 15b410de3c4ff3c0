"""What people type: names, help texts, and one call each."""

from __future__ import annotations

from invoke import Context

from imagebake.app import task

IMAGE = "an image: the name of a spec in image_specs/"
JSON = "print JSON for programs"


@task(
    words=["image"],
    help={
        "image": IMAGE,
        "all": "every spec that this machine can bake",
        "locked": "refuse to bake when the archive no longer has what the lock names",
        "force": "bake even though an image of the same content exists",
        "json": JSON,
    },
)
def bake(
    c: Context, image: str = "", all: bool = False, locked: bool = False, force: bool = False,
    json: bool = False,
) -> None:
    """Bake an image version from a spec and its lock."""
    from imagebake.commands import bake as command

    command.bake(image, every=all, locked=locked, force=force, as_json=json)
