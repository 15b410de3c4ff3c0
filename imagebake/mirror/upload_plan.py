"""What an image needs of a mirror in the cloud, taken from the mirror that is here."""

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
    """The bundles *parts* and the *files*, all of whose bytes must be in *mirror*.

    A build fetches the index of a bundle first, so whoever sees one sees all it names.
    """
    loose = Shipment(tuple(_file(mirror, file) for file in files), ())
    return merged([loose, *(_bundle(mirror, part) for part in parts)])


def _bundle(mirror: Mirror, bundle: Bundle) -> Shipment:
    place = mirror.bundle(bundle)
    base = f"bundles/{bundle.digest}/"
    goods = (
        Parcel(
            name=base + one.file_name,
            sha256=one.sha256,
            size=one.size,
            content=place / one.file_name,
        )
        for one in bundles.entries(bundle.index)
    )
    listed = _text(
        base + bundles.PACKAGES,
        (place / bundles.PACKAGES).read_bytes(),
        lambda content: bundles.lists(content, bundle.index),
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


def promised(base: str, index: bytes) -> Iterator[tuple[str, str]]:
    """What an *index* says is beside it below *base*: names, and the sha256 of each.

    Raises `ValueError` where it is not an index.
    """
    for one in bundles.entries(index):
        yield base + one.file_name, one.sha256
