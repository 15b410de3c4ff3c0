"""The mirror in Blob storage: push, and verification."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from imagebake.azure.blob.containers import BlobContainer, StoredBlob
from imagebake.azure.blob.uploads import Upload, UploadItem, UploadPlan, merged
from imagebake.azure.client.requests import run_concurrently
from imagebake.kernel.digest import sha256_bytes, sha256_chunks
from imagebake.kernel.errors import ArtifactError, CloudError
from imagebake.kernel.progress import Progress, Step
from imagebake.mirror import bundles
from imagebake.mirror.bundles import INDEX, PACKAGES, lists_same_files
from imagebake.mirror.local import Mirror
from imagebake.spec.lock import Bundle, LockedFile, LockedInstaller


def upload_plan_for(
    mirror: Mirror, parts: Iterable[Bundle], files: Iterable[LockedFile | LockedInstaller]
) -> UploadPlan:
    """Return the upload of the bundles *parts* and of *files*, all of which are in *mirror*.

    A build fetches the index of a bundle first, so that an index promises all that it names.
    """
    loose = UploadPlan(tuple(_file(mirror, file) for file in files), ())
    return merged([loose, *(_bundle(mirror, part) for part in parts)])


def _bundle(mirror: Mirror, bundle: Bundle) -> UploadPlan:
    place = mirror.bundle(bundle)
    base = f"bundles/{bundle.digest}/"
    goods = (
        UploadItem(
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
    return UploadPlan((*goods, listed), (_text(base + bundles.INDEX, bundle.index),))


def _file(mirror: Mirror, file: LockedFile | LockedInstaller) -> UploadItem:
    path = mirror.store.path(file.sha256)
    name = str(path.relative_to(mirror.root))
    return UploadItem(name=name, sha256=file.sha256, size=path.stat().st_size, content=path)


def _text(name: str, content: bytes, accepts: Callable[[bytes], bool] | None = None) -> UploadItem:
    return UploadItem(
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


_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """The result of a push: *files* are in place now, *new* of them were uploaded."""

    files: int
    new: int
    size: int
    sent: int


def push(plan: UploadPlan, *, container: BlobContainer, progress: Progress) -> PushResult:
    """Upload *plan* to *container*; the indexes follow only when all else is there.

    Existing blobs are compared with their digests and never overwritten. Raises `ArtifactError`
    that names blobs with other content, before anything is sent where that can be known, and
    `CloudError` that names the missing blobs where writing is not allowed.
    """
    with progress.step("Push the mirror", total=plan.size, unit="B") as step:
        upload = Upload(container=container, step=step)
        missing = upload.missing(plan.items)
        _refuse(upload.wrong)
        last = {parcel.name for parcel in plan.indexes}
        try:
            upload.fill(parcel for parcel in missing if parcel.name not in last)
            _refuse(upload.wrong)
            upload.fill(parcel for parcel in missing if parcel.name in last)
        except CloudError as error:
            raise _with_missing(error, sorted(parcel.name for parcel in missing)) from error
        _refuse(upload.wrong)
    return PushResult(
        files=len(plan.items),
        new=len(missing),
        size=plan.size,
        sent=upload.sent,
    )


def _with_missing(error: CloudError, names: list[str]) -> CloudError:
    """Return *error* with the list of missing blobs where writing is forbidden altogether."""
    if error.code not in _FORBIDDEN:
        return error
    message = "\n".join([error.message, "the mirror lacks:", *_shortened(names)])
    hint = "./inv mirror push, by an identity that has Storage Blob Data Contributor there"
    return CloudError(message, code=error.code, correlation_id=error.correlation_id, hint=hint)


_FORBIDDEN = (
    "AuthorizationPermissionMismatch",
    "AuthorizationFailure",
    "InsufficientAccountPermissions",
)


def _refuse(wrong: Mapping[str, str]) -> None:
    if wrong:
        lines = [f"{name} {why}" for name, why in sorted(wrong.items())]
        raise ArtifactError(
            "\n".join(["the mirror in the cloud has something else:", *_shortened(lines)]),
            hint="nothing was overwritten: find out who wrote it, delete it, and push again",
        )


def _shortened(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [*(f"  {line}" for line in lines[:_SHOWN]), *(f"  {line}" for line in more)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMirrorCheck:
    """The result of verifying a remote mirror.

    *wrong* maps names to problems; *missing* blobs are named by an existing index; *unfinished*
    bundles have no index, so that no build reads them; *foreign* blobs have names that
    imagebake never writes; *open* can be read without a token.
    """

    checked: int
    size: int
    wrong: Mapping[str, str]
    missing: tuple[str, ...]
    unfinished: tuple[str, ...]
    foreign: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether builds can rely on it and it is not publicly readable."""
        return not (self.wrong or self.missing or self.open)


def inspect(container: BlobContainer, *, progress: Progress) -> RemoteMirrorCheck:
    """Read everything in *container*, and compare it with names, indexes and digests."""
    listed = container.listed()
    size = sum(blob.size for blob in listed.values())
    with progress.step("Read the mirror", total=size, unit="B") as step:
        reading = _MirrorInspector(container, listed, step)
        reading.bundles()
        reading.files()
        indexes = [name for name in sorted(listed) if name.endswith(f"/{INDEX}")]
        return RemoteMirrorCheck(
            checked=reading.checked,
            size=size,
            wrong=reading.wrong,
            missing=tuple(sorted(reading.expected.keys() - listed.keys())),
            unfinished=tuple(sorted(reading.unfinished)),
            foreign=tuple(sorted(listed.keys() - reading.known)),
            # Public access is a setting of the whole container, so one blob tells for all.
            open=container.anonymously_readable(indexes[:1]),
        )


@dataclass(slots=True)
class _MirrorInspector:
    """One inspection: the expected digest of each blob, and the problems found."""

    container: BlobContainer
    listed: Mapping[str, StoredBlob]
    step: Step
    expected: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    checked: int = 0

    def bundles(self) -> None:
        """Read the indexes, and collect the blobs that the intact ones name."""
        parts = [_BUNDLED.match(name) for name in self.listed]
        for base, digest in sorted({(part[0], part[1]) for part in parts if part}):
            name = f"{base}{INDEX}"
            if name not in self.listed:
                self.unfinished.add(digest)
                self.known |= {blob for blob in self.listed if blob.startswith(base)}
                continue
            index = b"".join(self.container.pieces(name))
            self._judge(name, sha256_bytes(index), digest)
            if name not in self.wrong:
                self.expected |= dict(indexed_files(base, index))
                self._list_of_packages(f"{base}{PACKAGES}", index)

    def files(self) -> None:
        """Read all other blobs whose digest is known."""
        for name in self.listed:
            if found := _LOOSE.fullmatch(name):
                self.expected[name] = found[1]
        names = sorted(self.expected.keys() & self.listed.keys() - self.known)
        read = run_concurrently(functools.partial(self._sha256, name) for name in names)
        for name, sha256 in zip(names, read, strict=True):
            self._judge(name, sha256, self.expected[name])

    def _list_of_packages(self, name: str, index: bytes) -> None:
        """Check that `Packages`, which no digest covers, lists the files of the index."""
        self.expected[name] = ""
        if name not in self.listed:
            return
        content = b"".join(self.container.pieces(name))
        self._judge(name, sha256_bytes(content), self.listed[name].sha256)
        if name not in self.wrong and not lists_same_files(content, index):
            self.wrong[name] = "does not list what the index does"

    def _sha256(self, name: str) -> str:
        return sha256_chunks(self.container.pieces(name))

    def _judge(self, name: str, sha256: str, wanted: str | None) -> None:
        self.known.add(name)
        self.checked += 1
        self.step.advance(name, self.listed[name].size)
        if wanted not in (None, sha256):
            self.wrong[name] = f"has the sha256 {sha256} where {wanted} is wanted"


_BUNDLED = re.compile(r"bundles/([0-9a-f]{64})/")
_LOOSE = re.compile(r"sha256/[0-9a-f]{2}/([0-9a-f]{64})")
