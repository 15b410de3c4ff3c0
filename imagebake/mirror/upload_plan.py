"""Blobs to upload for an image, taken from the local mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from imagebake.azure.blob.uploads import Parcel, Shipment, merged
from imagebake.kernel.digest import sha256_bytes
from imagebake.mirror import bundles
from imagebake.mirror.local import Mirror
from imagebake.spec.lock import Bundle, LockedFile, LockedInstaller


def shipment(
    mirror: Mirror, parts: Iterable[Bundle], files: Iterable[LockedFile | LockedInstaller]
) -> Shipment:
    """Return the upload of the bundles *parts* and of *files*, all of which are in *mirror*.

    A build fetches the index of a bundle first, so that an index promises all that it names.
    """
    loose = Shipment(tuple(_file(mirror, file) for file in files), ())
    return merged([loose, *(_bundle(mirror, part) for part in parts)])


def _bundle(mirror: Mirror, bundle: Bundle) -> Shipment:
    place = mirror.bundle(bundle)
    base = f"bundles/{bundle.digest}/"
    goods = (
        Parcel(
            name=base + entry.file_name,
            sha256=entry.sha256,
            size=entry.size,
            content=place / entry.file_name,
        )
        for entry in bundles.entries(bundle.index)
    )
    listed = _text(
        base + bundles.PACKAGES,
        (place / bundles.PACKAGES).read_bytes(),
        lambda content: bundles.lists_same_files(content, bundle.index),
    )
    return Shipment((*goods, listed), (_text(base + bundles.INDEX, bundle.index),))


def _file(mirror: Mirror, file: LockedFile | LockedInstaller) -> Parcel:
    path = mirror.store.path(file.sha256)
    name = str(path.relative_to(mirror.root))
    return Parcel(name=name, sha256=file.sha256, size=path.stat().st_size, content=path)


def _text(name: str, content: bytes, accepts: Callable[[bytes], bool] | None = None) -> Parcel:
    return Parcel(
        name=name,
        sha256=sha256_bytes(content),
        size=len(content),
        content=content,
        accepts=accepts,
    )


def indexed_files(base: str, index: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and sha256 of each file that *index* lists, below *base*.

    Raises `ValueError` where it is not an index.
    """
    for entry in bundles.entries(index):
        yield base + entry.file_name, entry.sha256
