"""The local mirror: artifacts of bakes, fetched before the bake and kept."""

from __future__ import annotations

import concurrent.futures
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.kernel.digest import sha256_file
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.download import Downloader, DownloadRequest
from imagebake.kernel.host.files import file_lock, write_atomically
from imagebake.kernel.host.http import ARCHIVE, PUBLIC, ArtifactNotFound, Reach
from imagebake.kernel.progress import Step
from imagebake.mirror import bundles
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import Artifact, Bundle, LockedPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMirrorCheck:
    """The result of a verification.

    *wrong* blobs have been quarantined; *missing* ones are named by a bundle but absent;
    *broken* bundles have been removed and are rebuilt by the next bake.
    """

    checked: int
    wrong: tuple[str, ...]
    missing: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether no problem was found."""
        return not (self.wrong or self.missing or self.broken)


def verify(store: DirectoryStore, folder: Path, *, step: Step) -> LocalMirrorCheck:
    """Hash every blob of *store*, and compare the bundles in *folder* with the blobs."""
    blobs = list(store.blobs())
    wrong = []
    # hashlib releases the interpreter's lock, so threads hash in parallel.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for blob, is_right in zip(blobs, pool.map(_is_right, blobs), strict=True):
            if not is_right:
                store.quarantine(blob)
                wrong.append(blob.name)
            step.advance(blob.name)
    with file_lock(folder / bundles.LOCK):
        broken = [
            bundle for bundle in bundles.published(folder) if not bundles.is_whole(bundle, store)
        ]
        missing = {
            sha256
            for bundle in broken
            for sha256 in _indexed_digests(bundle)
            if not store.has(sha256)
        }
        for place in broken:
            shutil.rmtree(place)
    return LocalMirrorCheck(
        checked=len(blobs),
        wrong=tuple(wrong),
        missing=tuple(sorted(missing.difference(wrong))),
        broken=tuple(place.name for place in broken),
    )


def _is_right(blob: Path) -> bool:
    try:
        return sha256_file(blob) == blob.name
    except OSError:
        return False


def _indexed_digests(place: Path) -> set[str]:
    """Return the digests in a bundle's index, as far as it can be read."""
    try:
        return {entry.sha256 for entry in bundles.entries((place / bundles.INDEX).read_bytes())}
    except (OSError, ValueError):
        return set()


_THREADS = 8
_SHOWN = 10


class ArtifactsGone(ArtifactError):
    """The archive no longer has artifacts of a lock; *gone* lists all of them."""

    def __init__(self, gone: Sequence[Artifact]) -> None:
        self.gone = tuple(gone)
        names = [f"{artifact.name} {artifact.version}" for artifact in self.gone[:_SHOWN]]
        more = f" and {len(self.gone) - _SHOWN} more" if len(self.gone) > _SHOWN else ""
        super().__init__(f"no longer in the archive: {', '.join(names)}{more}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A directory of blobs, bundles and records.

    *addresses* maps the repositories of the locks in use to their base addresses; *files*
    limits the addresses that a spec may name.
    """

    store: DirectoryStore
    addresses: Mapping[str, str]
    downloader: Downloader
    files: Reach = PUBLIC

    @property
    def root(self) -> Path:
        """The mirror's directory."""
        return self.store.root

    @property
    def bundles(self) -> Path:
        """The directory of the bundles."""
        return self.root / "bundles"

    def missing(self, artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
        """Return the *artifacts* that are not here, each once; costs a `stat` an artifact."""
        has = self.store.has
        absent = {
            artifact.sha256: artifact
            for artifact in artifacts
            if not has(artifact.sha256, artifact.size)
        }
        return tuple(absent.values())

    def ensure(self, artifacts: Iterable[Artifact], *, step: Step) -> None:
        """Fetch the missing *artifacts*, reporting every byte to *step*.

        Raises `ArtifactsGone` with everything that the archive no longer has, after all else
        has been fetched; any other failure aborts at once.
        """
        missing = self.missing(artifacts)
        if not missing:
            return
        work = _FetchQueue(self, missing, step)
        work.run()
        if work.failures:
            raise work.failures[0]
        if work.gone:
            raise ArtifactsGone(
                sorted(work.gone, key=lambda artifact: (artifact.name, artifact.version))
            )

    def fetch_file(self, wanted: DownloadRequest, *, step: Step) -> int:
        """Fetch a file of unknown size; return its size in bytes."""
        target = self.store.path(wanted.sha256)
        if target.exists():
            return target.stat().st_size
        label = wanted.url.rpartition("/")[2]
        return self.downloader.fetch(
            wanted, target, reach=self.files, on_bytes=lambda amount: step.advance(label, amount)
        )

    def bundle(self, bundle: Bundle) -> Path:
        """Return the directory of *bundle*, built when missing; its packages must be here."""
        return bundles.publish(bundle, self.bundles, self.store)

    def verify(self, *, step: Step) -> LocalMirrorCheck:
        """Hash everything again; wrong blobs are quarantined, so that a bake fetches them anew."""
        return verify(self.store, self.bundles, step=step)

    def record(self, name: str, content: bytes) -> None:
        """Store *content* as the record *name*, replacing an older one."""
        write_atomically(self.record_path(name), content)

    def recorded(self, name: str) -> bytes | None:
        """Return the record *name*; None when there is none."""
        try:
            return self.record_path(name).read_bytes()
        except FileNotFoundError:
            return None

    def recorded_below(self, folder: str) -> tuple[str, ...]:
        """Return the names of the records in *folder*, sorted."""
        try:
            return tuple(sorted(path.name for path in self.record_path(folder).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def record_path(self, name: str) -> Path:
        """Return the path of the record *name*, which need not exist."""
        return self.root / "records" / name

    def fetch(
        self, artifact: Artifact, on_bytes: Callable[[int], None], go_on: Callable[[], bool]
    ) -> None:
        """Fetch one artifact into the store."""
        url, reach = self._address(artifact)
        redirects = () if isinstance(artifact, LockedPackage) else (artifact.redirects or ())
        wanted = DownloadRequest(
            url=url, sha256=artifact.sha256, size=artifact.size, redirects=redirects
        )
        target = self.store.path(artifact.sha256)
        # A blob of another size is damaged, and the downloader leaves existing files alone.
        if self.store.has(artifact.sha256) and not self.store.has(artifact.sha256, artifact.size):
            self.store.quarantine(target)
        self.downloader.fetch(wanted, target, reach=reach, on_bytes=on_bytes, go_on=go_on)

    def _address(self, artifact: Artifact) -> tuple[str, Reach]:
        if not isinstance(artifact, LockedPackage):
            return artifact.url, self.files
        base = self.addresses.get(artifact.repository)
        if base is None:
            raise ArtifactError(
                f"this machine has no address for the repository {artifact.repository!r}",
                hint="name an apt source file that has it in the setting archive",
            )
        return f"{base.rstrip('/')}/{artifact.path}", ARCHIVE


@dataclass(slots=True)
class _FetchQueue:
    """One call of `ensure`: its queue, threads and results."""

    mirror: Mirror
    missing: tuple[Artifact, ...]
    step: Step
    gone: list[Artifact] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)
    waiting: queue.SimpleQueue[Artifact] = field(default_factory=queue.SimpleQueue)

    def run(self) -> None:
        """Fetch everything; daemon threads do not delay the exit of an interrupted program."""
        # Largest first, so that no thread begins a long download when the others are done.
        for artifact in sorted(self.missing, key=lambda artifact: -(artifact.size or 0)):
            self.waiting.put(artifact)
        threads = [
            threading.Thread(target=self._worker, daemon=True)
            for _ in range(min(_THREADS, len(self.missing)))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self.stopped.set()
            raise

    def _worker(self) -> None:
        while not self.stopped.is_set():
            try:
                artifact = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self.mirror.fetch(artifact, self._progress_of(artifact), self._go_on)
            except ArtifactNotFound:
                with self.lock:
                    self.gone.append(artifact)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                with self.lock:
                    self.failures.append(error)
                self.stopped.set()

    def _progress_of(self, artifact: Artifact) -> Callable[[int], None]:
        def report(amount: int) -> None:
            with self.lock:
                self.step.advance(artifact.name, amount)

        return report

    def _go_on(self) -> bool:
        return not self.stopped.is_set()
