"""One container of Blob storage, reached with a token: no account key, no signature.

Importing `azure.storage.blob` takes half a second, so it is imported when first used.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from imagebake.azure.blob.address import MirrorAddress
from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.errors import Conflict, NotFound, OutcomeUnknown
from imagebake.azure.client.requests import WORKERS
from imagebake.azure.client.retry import Retries, RetryClock
from imagebake.kernel.errors import CloudError
from imagebake.kernel.text.redaction import redact

# Storage answers 400 (InvalidBlockList) where staged blocks are gone; that is another
# client's commit, not a malformed request.
_KINDS: dict[int, type[CloudError]] = {400: Conflict, 404: NotFound, 409: Conflict, 412: Conflict}
_BROKEN = 500
_READER = "Storage Blob Data Reader"
_WRITER = "Storage Blob Data Contributor"

HINTS = {
    "AuthorizationPermissionMismatch": f"the identity lacks a role on the container: {_READER}"
    f" to read, {_WRITER} to push",
    "AuthorizationFailure": "the account's firewall refuses this network: push from the"
    " network of its private endpoint",
    "ContainerNotFound": "create it, private: ./inv bootstrap --apply",
    "AccountIsDisabled": "the account is disabled; ask its owner",
    "BlobImmutableDueToPolicy": "blobs of the mirror never change; a new file needs a new name",
    "InvalidAuthenticationInfo": "log in again: az login",
    "AuthenticationFailed": "log in again: az login",
    "NoAuthenticationInformation": "log in: az login",
    "PublicAccessNotPermitted": "the account allows no anonymous reads, as intended",
    "ServerBusy": "the account is throttled; run it again, uploaded files are skipped",
}
"""Hints for the error codes of storage that users meet."""


def blob_refusal(error: Any, doing: str, address: MirrorAddress) -> CloudError:  # noqa: ANN401 - as above
    """Return the `CloudError` for *error*: *doing* (an infinitive), storage's code and message."""
    from azure.core.exceptions import HttpResponseError

    from imagebake.azure.client.error_text import refusal

    if not isinstance(error, HttpResponseError) or error.response is None:
        return refusal(error, doing)
    response: Any = error.response
    error_code = getattr(error, "error_code", None) or response.status_code
    code = str(getattr(error_code, "value", error_code))
    message = redact(str(error.message).split("\n")[0].strip()).rstrip(".")
    request = str(response.headers.get("x-ms-request-id", ""))
    tail = f" (request id {request})" if request else ""
    kind = OutcomeUnknown if response.status_code >= _BROKEN else _KINDS.get(response.status_code)
    return (kind or CloudError)(
        f"cannot {doing} at {address.url}: {code}: {message}{tail}",
        code=code,
        correlation_id=request,
        hint=HINTS.get(code),
    )


PIECE = 4 << 20
"""Bytes read in one request."""

_MARK = "sha256"
_GONE_BLOCKS = ("InvalidBlockList", "InvalidBlockId")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """A blob as a listing shows it; *sha256* is what its writer recorded, if anything."""

    size: int
    sha256: str | None
    md5: bytes | None


@dataclass(frozen=True, slots=True)
class BlobDigests:
    """Digests written together with a blob, so that it never exists without them."""

    sha256: str
    md5: bytes


class BlocksLost(Conflict):
    """Blocks that were put are gone: another client has committed the blob."""


class BlobContainer:
    """The container at *address*; threads may share it.

    *ca* is the certificate of an emulator.
    """

    def __init__(
        self,
        address: MirrorAddress,
        credential: Credential,
        patience: RetryClock,
        *,
        ca: Path | None = None,
    ) -> None:
        self.address = address
        self.patience = patience
        self._credential = credential
        self._ca = ca
        self._retries = Retries(side_by_side(patience))
        self._made: Any = None
        self._making = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made:
            self._made.close()
            self._made = None

    @property
    def client(self) -> Any:  # noqa: ANN401 - naming its type would import it
        """The `ContainerClient`."""
        with self._making:
            if self._made is None:
                from azure.storage.blob import ContainerClient

                from imagebake.azure.client.pipeline import StorageRetry, transport

                self._made = ContainerClient.from_container_url(
                    self.address.url,
                    credential=self._credential,
                    transport=transport(self._ca, self.patience.sleep),
                    retry_policy=StorageRetry(self._retries),
                    max_single_get_size=PIECE,
                    max_chunk_get_size=PIECE,
                    user_agent="imagebake",
                )
            return self._made

    def listed(self, prefix: str = "") -> dict[str, StoredBlob]:
        """List every committed blob whose name begins with *prefix*, by name."""
        with self._asking("list the mirror"):
            found = self.client.list_blobs(name_starts_with=prefix or None, include=["metadata"])
            return {
                str(blob.name): StoredBlob(
                    size=int(blob.size),
                    sha256=(blob.metadata or {}).get(_MARK),
                    md5=bytes(blob.content_settings.content_md5 or b"") or None,
                )
                for blob in found
            }

    def create(self, name: str, content: bytes, digests: BlobDigests) -> bool:
        """Write a blob in one request; false, without a change, when it exists."""
        return self._unless_there(
            name,
            lambda: self.client.upload_blob(
                name,
                content,
                overwrite=False,
                # The SDK sends a Content-MD5, so that storage refuses a damaged body.
                validate_content=True,
                max_concurrency=1,
                **_carried(digests),
            ),
        )

    def put_blocks(self, name: str) -> dict[str, int]:
        """Return the uncommitted blocks of a blob: their sizes by block id."""
        from azure.core.exceptions import ResourceNotFoundError

        with self._asking(f"see how far {name} is"):
            try:
                _, waiting = self.client.get_blob_client(name).get_block_list("all")
            except ResourceNotFoundError:
                return {}
            return {str(block.id): int(block.size) for block in waiting}

    def put_block(self, name: str, block: str, content: bytes) -> None:
        """Stage one block of a blob; readers see it only after `finish`."""
        with self._asking(f"upload {name}"):
            client = self.client.get_blob_client(name)
            client.stage_block(block, content, len(content), validate_content=True)

    def finish(self, name: str, blocks: Sequence[str], digests: BlobDigests) -> bool:
        """Commit *blocks* as a blob; false, without a change, when it exists.

        Raises `BlocksLost` where some of them are gone.
        """
        from azure.core import MatchConditions
        from azure.storage.blob import BlobBlock

        return self._unless_there(
            name,
            lambda: self.client.get_blob_client(name).commit_block_list(
                [BlobBlock(block_id=block) for block in blocks],
                match_condition=MatchConditions.IfMissing,
                **_carried(digests),
            ),
        )

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a blob in order; all chunks are of one version (etag) of it."""
        with self._asking(f"read {name}"):
            yield from self.client.get_blob_client(name).download_blob(max_concurrency=1).chunks()

    def anonymously_readable(self, names: Collection[str]) -> tuple[str, ...]:
        """Return those of *names*, and `""` for the list of blobs, that need no token to read."""
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import UserAgentPolicy
        from azure.core.rest import HttpRequest

        from imagebake.azure.client.pipeline import JitteredRetry, transport

        policies = [UserAgentPolicy("imagebake"), JitteredRetry(self._retries)]
        carrier = transport(self._ca, self.patience.sleep)
        client: Any = PipelineClient(self.address.url, transport=carrier, policies=policies)
        addresses = {name: f"{self.address.url}/{name}" for name in names if name}
        addresses[""] = f"{self.address.url}?restype=container&comp=list&maxresults=1"
        with self._asking("knock at the mirror without a token"), client:
            return tuple(
                name
                for name, address in addresses.items()
                if client.send_request(HttpRequest("GET", address)).status_code == _OK
            )

    def _unless_there(self, name: str, act: Callable[[], object]) -> bool:
        try:
            with self._asking(f"write {name}"):
                act()
        except Conflict as error:
            if error.code in _GONE_BLOCKS:
                raise BlocksLost(error.message, code=error.code) from error
            if error.code not in _THERE:
                raise
            return False
        return True

    @contextlib.contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            raise blob_refusal(error, doing, self.address) from error


def side_by_side(patience: RetryClock) -> RetryClock:
    """Return *patience* scaled for `WORKERS` requests in flight at once.

    A service that is gone for a moment fails all of them together, and would open the
    circuit before any of them had been tried twice.
    """
    return dataclasses.replace(
        patience, budget=patience.budget * WORKERS, trip_after=patience.trip_after * WORKERS
    )


_OK = 200
_THERE = ("BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet")


def _carried(digests: BlobDigests) -> dict[str, Any]:
    from azure.storage.blob import ContentSettings

    settings = ContentSettings(
        content_type="application/octet-stream", content_md5=bytearray(digests.md5)
    )
    return {"metadata": {_MARK: digests.sha256}, "content_settings": settings}
