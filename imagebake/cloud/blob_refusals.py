"""What Blob storage says no with, in our words."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError

from imagebake.cloud.addresses import Address
from imagebake.cloud.answers import Conflict, NotFound, Unanswered
from imagebake.cloud.refusals import refusal
from imagebake.kernel.errors import CloudError
from imagebake.kernel.redaction import redact

_KINDS: dict[int, type[CloudError]] = {400: Conflict, 404: NotFound, 409: Conflict, 412: Conflict}
_BROKEN = 500
_READER = "Storage Blob Data Reader"
_WRITER = "Storage Blob Data Contributor"

HINTS = {
    "AuthorizationPermissionMismatch": f"the identity lacks a role on the container: {_READER}"
    f" to read, {_WRITER} to push",
    "AuthorizationFailure": "the account's network lets nobody in from here: push from the"
    " network of its private endpoint",
    "ContainerNotFound": "make it, private: ./inv bootstrap --apply",
    "AccountIsDisabled": "the account is disabled; its owner knows why",
    "BlobImmutableDueToPolicy": "what is in the mirror cannot be changed, and needs not be",
    "InvalidAuthenticationInfo": "log in again: az login",
    "AuthenticationFailed": "log in again: az login",
    "NoAuthenticationInformation": "log in: az login",
    "PublicAccessNotPermitted": "nobody may read it without a token, which is as it should be",
    "ServerBusy": "the account is throttled; run it again, what has arrived is not sent again",
}
"""The next step for the codes of storage that people meet."""


def blob_refusal(error: AzureError, doing: str, address: Address) -> CloudError:
    """Say that *doing* (an infinitive) failed at *address*, with storage's own code."""
    if not isinstance(error, HttpResponseError) or error.response is None:
        return refusal(error, doing)
    response: Any = error.response
    told = getattr(error, "error_code", None) or response.status_code
    code = str(getattr(told, "value", told))
    said = redact(str(error.message).split("\n")[0].strip()).rstrip(".")
    request = str(response.headers.get("x-ms-request-id", ""))
    tail = f" (request id {request})" if request else ""
    kind = Unanswered if response.status_code >= _BROKEN else _KINDS.get(response.status_code)
    return (kind or CloudError)(
        f"cannot {doing} at {address.url}: {code}: {said}{tail}",
        code=code,
        correlation_id=request,
        hint=HINTS.get(code),
    )
