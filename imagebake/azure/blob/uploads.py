"""Upload files to the mirror's container: concurrently, only what is missing, resumable.

A small file is written in one request; a large one in blocks, which readers do not see before
they are committed. Block ids contain the file's own digest, so a later upload, ours after a
crash or another pipeline's, continues with the blocks that are there.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.azure.blob.containers import BlobContainer, BlobDigests, BlocksLost, StoredBlob
from imagebake.azure.client.requests import run_concurrently
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.progress import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadItem:
    """A file to upload: its *name* below the mirror's address, its digest, and its bytes.

    *content* is a path, or the bytes themselves where no file holds them. *accepts* decides
    whether other bytes in the mirror are as good; without it none are.
    """

    name: str
    sha256: str
    size: int
    content: Path | bytes
    accepts: Callable[[bytes], bool] | None = None

    @property
    def folder(self) -> str:
        """The name up to and with its last slash."""
        return self.name[: self.name.rindex("/") + 1]


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """The *files*, and the *indexes* of bundles, which may arrive only after all files have."""

    files: tuple[UploadItem, ...]
    indexes: tuple[UploadItem, ...]

    @property
    def items(self) -> tuple[UploadItem, ...]:
        """All items, in an order in which they may arrive."""
        return (*self.files, *self.indexes)

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(item.size for item in self.items)


def merged(plans: Iterable[UploadPlan]) -> UploadPlan:
    """Merge *plans* into one without duplicates."""
    files: dict[str, UploadItem] = {}
    indexes: dict[str, UploadItem] = {}
    for plan in plans:
        files |= {item.name: item for item in plan.files}
        indexes |= {item.name: item for item in plan.indexes}
    return UploadPlan(tuple(files.values()), tuple(indexes.values()))


BLOCK = 8 << 20
"""Bytes sent in one request; a blob has at most 50,000 blocks, which is 390 GiB of these."""

Work = Callable[[], None]


@dataclass(slots=True, kw_only=True)
class Upload:
    """One upload to *container*; *step* advances by every byte that needs no more sending.

    Afterwards *wrong* holds the reason for each item in whose place is a different blob, and
    *sent* the bytes that were transferred.
    """

    container: BlobContainer
    step: Step
    block: int = BLOCK
    wrong: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fill(self, items: Iterable[UploadItem]) -> None:
        """Upload *items*, which are `missing`; the largest go first."""
        missing = sorted(items, key=lambda item: -item.size)
        whole = [item for item in missing if item.size <= self.block]
        large = [item for item in missing if item.size > self.block]
        begun = run_concurrently(functools.partial(self._begin, item) for item in large)
        works: list[Work] = [work for works in begun for work in works]
        works += [functools.partial(self._create, item) for item in whole]
        run_concurrently(works)

    def missing(self, items: Iterable[UploadItem]) -> tuple[UploadItem, ...]:
        """Return those of *items* that have no blob yet; existing blobs are compared."""
        wanted = tuple(items)
        folders = sorted({item.folder for item in wanted})
        found: dict[str, StoredBlob] = {}
        for each in run_concurrently(
            functools.partial(self.container.listed, folder) for folder in folders
        ):
            found |= each
        run_concurrently(
            functools.partial(self._compare, item, found[item.name])
            for item in wanted
            if item.name in found
        )
        return tuple(item for item in wanted if item.name not in found)

    def _compare(self, item: UploadItem, there: StoredBlob) -> None:
        why = difference(item, there)
        if why and item.accepts:
            why = None if item.accepts(b"".join(self.container.pieces(item.name))) else why
        with self._lock:
            if why:
                self.wrong[item.name] = why
            else:
                self.step.advance(item.name, item.size)

    def _compare_present(self, item: UploadItem) -> None:
        """Compare the blob that another client has just created."""
        self._compare(item, self.container.listed(item.name)[item.name])

    def _create(self, item: UploadItem) -> None:
        content = _read(item, 0, item.size)
        digests = _checked(item, _RunningDigests().take(content))
        if self.container.create(item.name, content, digests):
            self._record(item.name, item.size, sent=item.size)
        else:
            self._compare_present(item)

    def _begin(self, item: UploadItem) -> list[Work]:
        """Return the work left for a large file: a block each; the last one commits the blob."""
        digests = _digests_of(item, self.block)
        there = self.container.put_blocks(item.name)
        blocks = blocks_of(item, self.block)
        left = [block for block in blocks if there.get(block.id) != block.size]
        self._record(item.name, item.size - sum(block.size for block in left), sent=0)
        large = _LargeFile(item, digests, tuple(block.id for block in blocks), len(left))
        if not left:
            return [functools.partial(self._finish, large)]
        return [functools.partial(self._put, large, block) for block in left]

    def _put(self, large: _LargeFile, block: Block) -> None:
        item = large.item
        content = _read(item, block.offset, block.size)
        self.container.put_block(item.name, block.id, content)
        self._record(item.name, block.size, sent=block.size)
        with self._lock:
            large.left -= 1
            is_last = large.left == 0
        if is_last:
            self._finish(large)

    def _finish(self, large: _LargeFile) -> None:
        item = large.item
        try:
            if self.container.finish(item.name, large.blocks, large.digests):
                return
        except BlocksLost:
            if item.name not in self.container.listed(item.name):
                raise
        there = self.container.listed(item.name)[item.name]
        if why := difference(item, there):
            with self._lock:
                self.wrong[item.name] = why

    def _record(self, name: str, amount: int, *, sent: int) -> None:
        with self._lock:
            self.sent += sent
            if amount:
                self.step.advance(name, amount)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a file; its *id* encodes the file's digest, the block size and its place."""

    id: str
    offset: int
    size: int


@dataclass(slots=True)
class _LargeFile:
    item: UploadItem
    digests: BlobDigests
    blocks: tuple[str, ...]
    left: int


@dataclass(slots=True)
class _RunningDigests:
    sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    md5: hashlib._Hash = field(
        default_factory=functools.partial(hashlib.md5, usedforsecurity=False)
    )

    def take(self, content: bytes) -> BlobDigests:
        """Add *content* and return the digests of everything so far."""
        self.sha256.update(content)
        self.md5.update(content)
        return BlobDigests(self.sha256.hexdigest(), self.md5.digest())


def blocks_of(item: UploadItem, size: int) -> tuple[Block, ...]:
    """Split *item* into blocks; Azure requires ids of equal length within a blob."""
    return tuple(
        Block(
            f"{item.sha256[:32]}-{size:010}-{offset // size:05}",
            offset,
            min(size, item.size - offset),
        )
        for offset in range(0, item.size, size)
    )


def difference(item: UploadItem, there: StoredBlob) -> str | None:
    """Return how the blob *there* differs from *item*, as far as its properties show; else None.

    The MD5 is computed by the service where the file was written in one request.
    """
    if there.size != item.size:
        return f"has {there.size} bytes where {item.size} are wanted"
    if there.sha256 is None:
        return "does not say what it is: it was not we who wrote it"
    if there.sha256 != item.sha256:
        return f"has the sha256 {there.sha256} where {item.sha256} is wanted"
    if there.md5 is not None and there.md5 != _digests_of(item, BLOCK).md5:
        return f"has the md5 {there.md5.hex()}, which is another file's"
    return None


def _digests_of(item: UploadItem, step: int) -> BlobDigests:
    running = _RunningDigests()
    digests = running.take(b"")
    for offset in range(0, item.size, step):
        digests = running.take(_read(item, offset, min(step, item.size - offset)))
    return _checked(item, digests)


def _checked(item: UploadItem, digests: BlobDigests) -> BlobDigests:
    if digests.sha256 != item.sha256:
        raise ArtifactError(
            f"{item.name} is not what its name says in the mirror on this machine",
            hint="./inv mirror verify puts it aside; then push again",
        )
    return digests


def _read(item: UploadItem, offset: int, size: int) -> bytes:
    if isinstance(item.content, bytes):
        return item.content[offset : offset + size]
    with item.content.open("rb") as file:
        file.seek(offset)
        return file.read(size)
