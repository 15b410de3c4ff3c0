"""The mirror: everything a bake needs, fetched before it starts and kept."""

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
from imagebake.kernel.host.download import Downloader, Wanted
from imagebake.kernel.host.files import locked, write_atomically
from imagebake.kernel.host.http import ARCHIVE, PUBLIC, NotThere, Reach
from imagebake.kernel.progress import Step
from imagebake.mirror import bundles
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import Artifact, Bundle, LockedPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a mirror is like.

    *wrong* blobs are in quarantine now; *missing* ones are named by a bundle and not there;
    *broken* bundles have been removed, and a bake makes them again.
    """

    checked: int
    wrong: tuple[str, ...]
    missing: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether there was nothing to complain about."""
        return not (self.wrong or self.missing or self.broken)


def verify(store: DirectoryStore, folder: Path, *, step: Step) -> Verification:
    """Hash every blob of *store*, and hold the bundles in *folder* against the blobs."""
    blobs = list(store.blobs())
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for blob, is_right in zip(blobs, pool.map(_is_right, blobs), strict=True):
            if not is_right:
                store.quarantine(blob)
                wrong.append(blob.name)
            step.advance(blob.name)
    with locked(folder / bundles.LOCK):
        broken = [one for one in bundles.published(folder) if not bundles.is_whole(one, store)]
        missing = {sha256 for one in broken for sha256 in _named(one) if not store.has(sha256)}
        for place in broken:
            shutil.rmtree(place)
    return Verification(
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


def _named(place: Path) -> set[str]:
    """The blobs that a bundle is made of, as far as its index can be read."""
    try:
        return {one.sha256 for one in bundles.entries((place / bundles.INDEX).read_bytes())}
    except (OSError, ValueError):
        return set()


_THREADS = 8
_SHOWN = 10


class ArtifactsGone(ArtifactError):
    """The archive no longer has artifacts that a lock names; *gone* is all of them."""

    def __init__(self, gone: Sequence[Artifact]) -> None:
        self.gone = tuple(gone)
        names = [f"{artifact.name} {artifact.version}" for artifact in self.gone[:_SHOWN]]
        more = f" and {len(self.gone) - _SHOWN} more" if len(self.gone) > _SHOWN else ""
        super().__init__(f"no longer in the archive: {', '.join(names)}{more}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A directory of blobs, bundles made of them, and records about them.

    *addresses* maps the repositories of the locks in hand to the base addresses they are
    fetched from; *files* is how far a spec's own addresses may reach.
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
        """Those of *artifacts* that are not here, each once; costs a `stat` an artifact."""
        has = self.store.has
        absent = {one.sha256: one for one in artifacts if not has(one.sha256, one.size)}
        return tuple(absent.values())

    def ensure(self, artifacts: Iterable[Artifact], *, step: Step) -> None:
        """Fetch what is missing of *artifacts*; *step* is told of every byte.

        Raises `ArtifactsGone` with everything that the archive no longer has, after all
        else has been fetched; any other failure ends it as soon as it happens.
        """
        missing = self.missing(artifacts)
        if not missing:
            return
        work = _Work(self, missing, step)
        work.run()
        if work.failures:
            raise work.failures[0]
        if work.gone:
            raise ArtifactsGone(sorted(work.gone, key=lambda one: (one.name, one.version)))

    def fetch_file(self, wanted: Wanted, *, step: Step) -> int:
        """Fetch a file of which only the digest is known; return its size in bytes."""
        target = self.store.path(wanted.sha256)
        if target.exists():
            return target.stat().st_size
        label = wanted.url.rpartition("/")[2]
        return self.downloader.fetch(
            wanted, target, reach=self.files, on_bytes=lambda amount: step.advance(label, amount)
        )

    def bundle(self, bundle: Bundle) -> Path:
        """The directory of *bundle*, made when it is not there; its packages must be here."""
        return bundles.publish(bundle, self.bundles, self.store)

    def verify(self, *, step: Step) -> Verification:
        """Hash everything again; what is wrong is put aside, so that a bake fetches it anew."""
        return verify(self.store, self.bundles, step=step)

    def record(self, name: str, content: bytes) -> None:
        """Keep *content* as the record *name*, in place of what it was."""
        write_atomically(self.record_path(name), content)

    def recorded(self, name: str) -> bytes | None:
        """The record *name*; None when there is none."""
        try:
            return self.record_path(name).read_bytes()
        except FileNotFoundError:
            return None

    def recorded_below(self, folder: str) -> tuple[str, ...]:
        """The names of what there are records of in *folder*, sorted."""
        try:
            return tuple(sorted(path.name for path in self.record_path(folder).iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def record_path(self, name: str) -> Path:
        """Where the record *name* is, or would be."""
        return self.root / "records" / name

    def fetch(
        self, artifact: Artifact, on_bytes: Callable[[int], None], go_on: Callable[[], bool]
    ) -> None:
        """Fetch one artifact to its place."""
        url, reach = self._whence(artifact)
        redirects = () if isinstance(artifact, LockedPackage) else (artifact.redirects or ())
        wanted = Wanted(url=url, sha256=artifact.sha256, size=artifact.size, redirects=redirects)
        target = self.store.path(artifact.sha256)
        if self.store.has(artifact.sha256) and not self.store.has(artifact.sha256, artifact.size):
            self.store.quarantine(target)
        self.downloader.fetch(wanted, target, reach=reach, on_bytes=on_bytes, go_on=go_on)

    def _whence(self, artifact: Artifact) -> tuple[str, Reach]:
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
class _Work:
    """One call of `ensure`: a queue, its threads, and how they fared."""

    mirror: Mirror
    missing: tuple[Artifact, ...]
    step: Step
    gone: list[Artifact] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)
    waiting: queue.SimpleQueue[Artifact] = field(default_factory=queue.SimpleQueue)

    def run(self) -> None:
        """Fetch everything; threads are daemons, so that nothing keeps an interrupted program."""
        for artifact in sorted(self.missing, key=lambda one: -(one.size or 0)):
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
                self.mirror.fetch(artifact, self._teller(artifact), self._go_on)
            except NotThere:
                with self.lock:
                    self.gone.append(artifact)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                with self.lock:
                    self.failures.append(error)
                self.stopped.set()

    def _teller(self, artifact: Artifact) -> Callable[[int], None]:
        def tell(amount: int) -> None:
            with self.lock:
                self.step.advance(artifact.name, amount)

        return tell

    def _go_on(self) -> bool:
        return not self.stopped.is_set()
