"""Fill a container with parcels: side by side, only what is missing, and nothing twice.

A small file is written in one request; a large one in blocks, which nobody sees before the
last of them is there. The blocks are named after the file's own digest, so whoever comes
after us, be it we ourselves after a crash or another pipeline, goes on where we were.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.azure.blob.containers import BlocksLost, Container, Stamp, Stored
from imagebake.azure.client.requests import run_concurrently
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.progress import Step


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


BLOCK = 8 << 20
"""What is sent in one request; a blob has at most 50,000 of these, which is 390 GiB."""

Work = Callable[[], None]


@dataclass(slots=True, kw_only=True)
class Upload:
    """One filling of *container*; *step* is told of every byte that needs no more sending.

    Afterwards *wrong* has the parcels in whose places is something else, with what that is,
    and *sent* the bytes that went over the wire.
    """

    container: Container
    step: Step
    block: int = BLOCK
    wrong: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fill(self, parcels: Iterable[Parcel]) -> None:
        """Have each of *parcels*, which are `missing`, in its place; the largest go first."""
        missing = sorted(parcels, key=lambda one: -one.size)
        whole = [one for one in missing if one.size <= self.block]
        large = [one for one in missing if one.size > self.block]
        begun = run_concurrently(functools.partial(self._begin, one) for one in large)
        works: list[Work] = [work for works in begun for work in works]
        works += [functools.partial(self._create, one) for one in whole]
        run_concurrently(works)

    def missing(self, parcels: Iterable[Parcel]) -> tuple[Parcel, ...]:
        """Those of *parcels* in whose places is nothing; what is there is held against them."""
        wanted = tuple(parcels)
        folders = sorted({one.folder for one in wanted})
        found: dict[str, Stored] = {}
        for each in run_concurrently(
            functools.partial(self.container.listed, one) for one in folders
        ):
            found |= each
        run_concurrently(
            functools.partial(self._compare, one, found[one.name])
            for one in wanted
            if one.name in found
        )
        return tuple(one for one in wanted if one.name not in found)

    def _compare(self, parcel: Parcel, there: Stored) -> None:
        why = difference(parcel, there)
        if why and parcel.accepts:
            why = None if parcel.accepts(b"".join(self.container.pieces(parcel.name))) else why
        with self._lock:
            if why:
                self.wrong[parcel.name] = why
            else:
                self.step.advance(parcel.name, parcel.size)

    def _look_again(self, parcel: Parcel) -> None:
        """Somebody was faster: see that it is the same that they wrote."""
        self._compare(parcel, self.container.listed(parcel.name)[parcel.name])

    def _create(self, parcel: Parcel) -> None:
        content = _read(parcel, 0, parcel.size)
        stamp = _right(parcel, _Digests().take(content))
        if self.container.create(parcel.name, content, stamp):
            self._tell(parcel.name, parcel.size, sent=parcel.size)
        else:
            self._look_again(parcel)

    def _begin(self, parcel: Parcel) -> list[Work]:
        """What is left to do for a large parcel: its blocks, of which the last one finishes it."""
        stamp = _stamp_of(parcel, self.block)
        there = self.container.put_blocks(parcel.name)
        blocks = blocks_of(parcel, self.block)
        left = [one for one in blocks if there.get(one.id) != one.size]
        self._tell(parcel.name, parcel.size - sum(one.size for one in left), sent=0)
        large = _Large(parcel, stamp, tuple(one.id for one in blocks), len(left))
        if not left:
            return [functools.partial(self._finish, large)]
        return [functools.partial(self._put, large, one) for one in left]

    def _put(self, large: _Large, block: Block) -> None:
        parcel = large.parcel
        content = _read(parcel, block.offset, block.size)
        self.container.put_block(parcel.name, block.id, content)
        self._tell(parcel.name, block.size, sent=block.size)
        with self._lock:
            large.left -= 1
            is_last = large.left == 0
        if is_last:
            self._finish(large)

    def _finish(self, large: _Large) -> None:
        parcel = large.parcel
        try:
            if self.container.finish(parcel.name, large.blocks, large.stamp):
                return
        except BlocksLost:
            if parcel.name not in self.container.listed(parcel.name):
                raise
        there = self.container.listed(parcel.name)[parcel.name]
        if why := difference(parcel, there):
            with self._lock:
                self.wrong[parcel.name] = why

    def _tell(self, name: str, amount: int, *, sent: int) -> None:
        with self._lock:
            self.sent += sent
            if amount:
                self.step.advance(name, amount)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file; its *id* tells of which file, at which place, and of which size."""

    id: str
    offset: int
    size: int


@dataclass(slots=True)
class _Large:
    parcel: Parcel
    stamp: Stamp
    blocks: tuple[str, ...]
    left: int


@dataclass(slots=True)
class _Digests:
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    md5: hashlib._Hash = field(
        default_factory=functools.partial(hashlib.md5, usedforsecurity=False)
    )

    def take(self, content: bytes) -> Stamp:
        """The digests of everything so far, and of *content*."""
        self.sha256.update(content)
        self.md5.update(content)
        return Stamp(self.sha256.hexdigest(), self.md5.digest())


def blocks_of(parcel: Parcel, size: int) -> tuple[Block, ...]:
    """The blocks that *parcel* is sent in; their ids are equally long, as Azure wants them."""
    return tuple(
        Block(
            f"{parcel.sha256[:32]}-{size:010}-{offset // size:05}",
            offset,
            min(size, parcel.size - offset),
        )
        for offset in range(0, parcel.size, size)
    )


def difference(parcel: Parcel, there: Stored) -> str | None:
    """How what is *there* differs from *parcel*, as far as can be told without reading it.

    The MD5 is the service's own where it has seen the whole file at once.
    """
    if there.size != parcel.size:
        return f"has {there.size} bytes where {parcel.size} are wanted"
    if there.sha256 is None:
        return "does not say what it is: it was not we who wrote it"
    if there.sha256 != parcel.sha256:
        return f"has the sha256 {there.sha256} where {parcel.sha256} is wanted"
    if there.md5 is not None and there.md5 != _stamp_of(parcel, BLOCK).md5:
        return f"has the md5 {there.md5.hex()}, which is another file's"
    return None


def _stamp_of(parcel: Parcel, step: int) -> Stamp:
    digests = _Digests()
    stamp = digests.take(b"")
    for offset in range(0, parcel.size, step):
        stamp = digests.take(_read(parcel, offset, min(step, parcel.size - offset)))
    return _right(parcel, stamp)


def _right(parcel: Parcel, stamp: Stamp) -> Stamp:
    if stamp.sha256 != parcel.sha256:
        raise ArtifactError(
            f"{parcel.name} is not what its name says in the mirror on this machine",
            hint="./inv mirror verify puts it aside; then push again",
        )
    return stamp


def _read(parcel: Parcel, offset: int, size: int) -> bytes:
    if isinstance(parcel.content, bytes):
        return parcel.content[offset : offset + size]
    with parcel.content.open("rb") as file:
        file.seek(offset)
        return file.read(size)
