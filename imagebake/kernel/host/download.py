"""Downloads: resumed, limited in size, verified by digest."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.http import (
    Connections,
    Reach,
    ResumeRefused,
    TransferInterrupted,
    display_url,
)

_CHUNK = 1 << 18
_BODY_MODE = 0o444


def ignore_progress(amount: int) -> None:
    """Discard a report of progress."""
    del amount


def storage_error(target: Path, error: OSError) -> ArtifactError:
    """Return the error for a failed write of *target*, with a hint for a full disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArtifactError(
            f"no space is left in {target.parent}",
            hint="make room (./inv clean), then run it again",
        )
    return ArtifactError(f"{target} cannot be written: {error.strerror}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """A file to download: its digest, and its size in bytes where that is known.

    *redirects* are the hosts that its server may redirect to.
    """

    url: str
    sha256: str
    size: int | None = None
    redirects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloader:
    """Downloads through *connections*, with up to *attempts* for each file.

    *max_bytes* limits files whose size is not locked; *pause* waits the given seconds before
    another attempt. A downloader may be shared by any number of threads.
    """

    connections: Connections
    max_bytes: int
    pause: Callable[[float], None]
    attempts: int = 4

    def read(self, url: str, *, reach: Reach, limit: int) -> bytes:
        """Return the content at *url*, at most *limit* bytes; the caller verifies it."""
        for attempt in range(self.attempts):
            try:
                with self.connections.get(url, reach=reach) as response:
                    content = response.read(limit + 1)
                    if len(content) <= limit:
                        # urllib3 reports a body that was cut short by the read after its end.
                        content += response.read(1)
            except TransferInterrupted:
                if attempt + 1 == self.attempts:
                    raise
                self.pause(float(attempt))
            else:
                if len(content) > limit:
                    raise _too_large(url, limit)
                return content
        raise AssertionError("an attempt either returns or raises")

    def fetch(
        self,
        wanted: DownloadRequest,
        target: Path,
        *,
        reach: Reach,
        on_bytes: Callable[[int], None] = ignore_progress,
        go_on: Callable[[], bool] = lambda: True,
    ) -> int:
        """Download a file to *target* and return its size in bytes.

        The file appears whole, verified and read-only, or not at all. A partial download stays
        in a hidden file beside it and is resumed by the next call. When several processes
        request the same file, one downloads it and the others wait. *go_on* is called between
        chunks; when it returns false, the download raises `TransferInterrupted`.
        """
        with _partial(target) as file:
            if file is None:
                return target.stat().st_size
            arrival = _Transfer(self, wanted, file, target, on_bytes, go_on)
            for attempt in range(self.attempts):
                try:
                    return arrival.complete(reach)
                except TransferInterrupted:
                    if attempt + 1 == self.attempts or not go_on():
                        raise
                    self.pause(float(attempt))
        raise AssertionError("an attempt either returns or raises")


class _Transfer:
    """One file from its first byte to its final place."""

    def __init__(  # noqa: PLR0917 - built in one place
        self,
        downloader: Downloader,
        wanted: DownloadRequest,
        file: BinaryIO,
        target: Path,
        on_bytes: Callable[[int], None],
        go_on: Callable[[], bool],
    ) -> None:
        self._connections = downloader.connections
        self._limit = downloader.max_bytes if wanted.size is None else wanted.size
        self._wanted = wanted
        self._file = file
        self._target = target
        self._on_bytes = on_bytes
        self._go_on = go_on
        self._reported = 0

    def complete(self, reach: Reach) -> int:
        """Fetch the missing bytes, verify the whole file and move it into place."""
        state = hashlib.sha256()
        offset = self._rehash(state)
        resumed = offset > 0
        if offset != self._wanted.size:
            offset = self._append(state, offset, reach)
        if state.hexdigest() != self._wanted.sha256:
            self._file.truncate(0)
            if resumed:
                raise TransferInterrupted(
                    f"what had arrived of {display_url(self._wanted.url)} was not part of it"
                )
            _partial_path(self._target).unlink(missing_ok=True)
            raise ArtifactError(
                f"{display_url(self._wanted.url)} has the sha256 {state.hexdigest()}"
                f" where {self._wanted.sha256} is wanted",
                hint="the archive, or something on the way, changed it; nothing was kept",
            )
        self._publish()
        return offset

    def _rehash(self, state: hashlib._Hash) -> int:
        """Hash the partial file of an earlier attempt; discard it where it is too long."""
        self._file.seek(0)
        while piece := self._file.read(_CHUNK):
            state.update(piece)
        offset = self._file.tell()
        if offset > self._limit:
            self._file.truncate(0)
            raise TransferInterrupted(
                f"what had arrived of {display_url(self._wanted.url)} was too much of it"
            )
        self._report(offset)
        return offset

    def _append(self, state: hashlib._Hash, offset: int, reach: Reach) -> int:
        url = self._wanted.url
        with (
            self._from_the_start_next_time(),
            self._connections.get(
                url, reach=reach, offset=offset, redirects=self._wanted.redirects
            ) as response,
        ):
            announced = response.length_remaining
            if announced is not None and offset + announced > self._limit:
                self._give_up()
                raise _too_large(url, self._limit)
            while piece := response.read(_CHUNK):
                offset += len(piece)
                if offset > self._limit:
                    self._give_up()
                    raise _too_large(url, self._limit)
                self._write(piece)
                state.update(piece)
                self._report(offset)
                if not self._go_on():
                    raise TransferInterrupted(f"the download of {display_url(url)} was stopped")
        return offset

    @contextlib.contextmanager
    def _from_the_start_next_time(self) -> Iterator[None]:
        try:
            yield
        except ResumeRefused:
            self._file.truncate(0)
            raise

    def _write(self, piece: bytes) -> None:
        try:
            self._file.write(piece)
        except OSError as error:
            raise storage_error(self._target, error) from error

    def _publish(self) -> None:
        try:
            self._file.flush()
            os.fchmod(self._file.fileno(), _BODY_MODE)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise storage_error(self._target, error) from error
        _partial_path(self._target).replace(self._target)

    def _report(self, offset: int) -> None:
        """Report each byte once, even when a part of the file is fetched again."""
        if offset > self._reported:
            self._on_bytes(offset - self._reported)
            self._reported = offset

    def _give_up(self) -> None:
        _partial_path(self._target).unlink(missing_ok=True)


def _partial_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[BinaryIO | None]:
    """Lock and open the partial file of *target*; yield None when *target* exists already."""
    path = _partial_path(target)
    while not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Opened before it is locked, so it must not be truncated: another process may be
            # writing it.
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise storage_error(target, error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(path, file):
                continue
            if not target.exists():
                yield file
                return
            # Another process published the target between our look and our lock, so the partial
            # file is a new one without a purpose.
            path.unlink(missing_ok=True)
    yield None


def _is_still(path: Path, file: BinaryIO) -> bool:
    """Return whether *path* still names *file*; another process may have moved it into place."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _too_large(url: str, limit: int) -> ArtifactError:
    return ArtifactError(
        f"{display_url(url)} is larger than {limit} bytes",
        hint="for a package, what the lock says; else what the setting max_artifact_mb allows",
    )
