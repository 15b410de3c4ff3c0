"""What a mirror in the cloud is filled with: files under the names by which builds fetch them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A file on its way: its *name* below the mirror's address, its digest, and its bytes.

    *content* is where the bytes are, or the bytes themselves where nothing keeps them.
    *accepts* tells of other bytes whether they are as good; nothing is where it is None.
    """

    name: str
    sha256: str
    size: int
    content: Path | bytes
    accepts: Callable[[bytes], bool] | None = None

    @property
    def folder(self) -> str:
        """The name up to its last slash, which it ends with."""
        return self.name[: self.name.rindex("/") + 1]


@dataclass(frozen=True, slots=True)
class Shipment:
    """The *goods*, and the *indexes* of bundles, which may arrive only after all goods have."""

    goods: tuple[Parcel, ...]
    indexes: tuple[Parcel, ...]

    @property
    def parcels(self) -> tuple[Parcel, ...]:
        """Everything, in an order in which it may arrive."""
        return (*self.goods, *self.indexes)

    @property
    def size(self) -> int:
        """The bytes of all of it."""
        return sum(parcel.size for parcel in self.parcels)


def merged(shipments: Iterable[Shipment]) -> Shipment:
    """Several shipments as one, in which nothing is there twice."""
    goods: dict[str, Parcel] = {}
    indexes: dict[str, Parcel] = {}
    for one in shipments:
        goods |= {parcel.name: parcel for parcel in one.goods}
        indexes |= {parcel.name: parcel for parcel in one.indexes}
    return Shipment(tuple(goods.values()), tuple(indexes.values()))
