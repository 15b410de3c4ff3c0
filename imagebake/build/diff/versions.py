"""Compare what is in two baked versions, read as `validate` reads it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from imagebake.build.diff.image_diff import ImageDiff, contrast
from imagebake.inspection.tree import read_contents
from imagebake.kernel.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """An image that can be read: its name, and its root file system as a tar.

    Two of the same *content_sha256* are the same, and are not read.
    """

    name: str
    content_sha256: str | None
    open_tar: Callable[[], AbstractContextManager[BinaryIO]]


def diff(old: Readable, new: Readable, *, progress: Progress) -> ImageDiff:
    """Read both images and name what differs.

    Raises `ValidationFailed` where one cannot be read.
    """
    if old.content_sha256 and old.content_sha256 == new.content_sha256:
        return ImageDiff(old=old.name, new=new.name)
    contents = []
    for image in (old, new):
        with progress.step(f"Read {image.name}"), image.open_tar() as stream:
            contents.append(read_contents(stream))
    return contrast(*contents, names=(old.name, new.name))
