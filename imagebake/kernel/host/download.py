"""The one door to downloads: resumed, capped, verified, and silent about secrets."""

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
from imagebake.kernel.host.http import Connections, Dropped, Reach, Unresumable, shown

_CHUNK = 1 << 18
_BODY_MODE = 0o444


def nothing(amount: int) -> None:
    """Hear of *amount* bytes and do nothing."""
    del amount


def cannot_store(target: Path, error: OSError) -> ArtifactError:
    """Say why *target* could not be written, above all when the disk is full."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArtifactError(
            f"no space is left in {target.parent}",
            hint="make room (./inv clean), then run it again",
        )
    return ArtifactError(f"{target} cannot be written: {error.strerror}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a download must be: its digest, and its size in bytes where that is known.

    *redirects* are the hosts that its server may send us to.
    """

    url: str
    sha256: str
    size: int | None = None
    redirects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloader:
    """Downloads through *connections*, trying each file *attempts* times.

    *max_bytes* caps what no lock gives a size for; *pause* waits so many seconds before
    another attempt. One downloader serves any number of threads.
    """

    connections: Connections
    max_bytes: int
    pause: Callable[[float], None]
    attempts: int = 4

    def read(self, url: str, *, reach: Reach, limit: int) -> bytes:
        """The content at *url*, of at most *limit* bytes, for a caller that verifies it."""
        for attempt in range(self.attempts):
            try:
                with self.connections.get(url, reach=reach) as response:
                    content = response.read(limit + 1)
                    if len(content) <= limit:
                        # urllib3 reports a body that was cut short by the read after its end.
                        content += response.read(1)
            except Dropped:
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
        wanted: Wanted,
        target: Path,
        *,
        reach: Reach,
        on_bytes: Callable[[int], None] = nothing,
        go_on: Callable[[], bool] = lambda: True,
    ) -> int:
        """Put the file *wanted* at *target* and say how many bytes it has.

        It appears there whole, verified and read-only, or not at all; what arrived of it
        stays in a hidden file beside it, from which the next call goes on. Of several
        processes that want the same file one downloads it and the others wait for it.
        *go_on* is asked between pieces; when it says no, the download ends as dropped.
        """
        with _partial(target) as file:
            if file is None:
                return target.stat().st_size
            arrival = _Arrival(self, wanted, file, target, on_bytes, go_on)
            for attempt in range(self.attempts):
                try:
                    return arrival.complete(reach)
                except Dropped:
                    if attempt + 1 == self.attempts or not go_on():
                        raise
                    self.pause(float(attempt))
        raise AssertionError("an attempt either returns or raises")


class _Arrival:
    """One file on its way from its first byte to its place."""

    def __init__(  # noqa: PLR0917 - built in one place
        self,
        downloader: Downloader,
        wanted: Wanted,
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
        self._told = 0

    def complete(self, reach: Reach) -> int:
        """Fetch what is missing, verify all of it and put it in its place."""
        state = hashlib.sha256()
        offset = self._rehash(state)
        resumed = offset > 0
        if offset != self._wanted.size:
            offset = self._append(state, offset, reach)
        if state.hexdigest() != self._wanted.sha256:
            self._file.truncate(0)
            if resumed:
                raise Dropped(f"what had arrived of {shown(self._wanted.url)} was not part of it")
            _partial_path(self._target).unlink(missing_ok=True)
            raise ArtifactError(
                f"{shown(self._wanted.url)} has the sha256 {state.hexdigest()}"
                f" where {self._wanted.sha256} is wanted",
                hint="the archive, or something on the way, changed it; nothing was kept",
            )
        self._publish()
        return offset

    def _rehash(self, state: hashlib._Hash) -> int:
        """Digest what an earlier attempt left; drop it where it cannot be the beginning."""
        self._file.seek(0)
        while piece := self._file.read(_CHUNK):
            state.update(piece)
        offset = self._file.tell()
        if offset > self._limit:
            self._file.truncate(0)
            raise Dropped(f"what had arrived of {shown(self._wanted.url)} was too much of it")
        self._tell(offset)
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
                self._tell(offset)
                if not self._go_on():
                    raise Dropped(f"the download of {shown(url)} was stopped")
        return offset

    @contextlib.contextmanager
    def _from_the_start_next_time(self) -> Iterator[None]:
        try:
            yield
        except Unresumable:
            self._file.truncate(0)
            raise

    def _write(self, piece: bytes) -> None:
        try:
            self._file.write(piece)
        except OSError as error:
            raise cannot_store(self._target, error) from error

    def _publish(self) -> None:
        try:
            self._file.flush()
            os.fchmod(self._file.fileno(), _BODY_MODE)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot_store(self._target, error) from error
        _partial_path(self._target).replace(self._target)

    def _tell(self, offset: int) -> None:
        """Report progress once, however often a part of the file is fetched again."""
        if offset > self._told:
            self._on_bytes(offset - self._told)
            self._told = offset

    def _give_up(self) -> None:
        _partial_path(self._target).unlink(missing_ok=True)


def _partial_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[BinaryIO | None]:
    """Own what has arrived of *target*; None when *target* is whole already."""
    path = _partial_path(target)
    while not target.exists():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise cannot_store(target, error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file):
                yield file
                return
    yield None


def _is_still(path: Path, file: BinaryIO) -> bool:
    """Whether *file* is what *path* names; another process may have moved it into place."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _too_large(url: str, limit: int) -> ArtifactError:
    return ArtifactError(
        f"{shown(url)} is larger than {limit} bytes",
        hint="for a package, what the lock says; else what the setting max_artifact_mb allows",
    )
