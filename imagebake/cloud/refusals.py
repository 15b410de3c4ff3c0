"""What Azure's refusals say, in our words, with the way out where it is known."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
)

from imagebake.cloud.answers import ChangedMeanwhile, Conflict, NotFound, Unanswered
from imagebake.cloud.no_token import NoToken
from imagebake.errors import CloudError
from imagebake.redaction import redact

_KINDS: dict[int, type[CloudError]] = {
    404: NotFound,
    405: Conflict,
    409: Conflict,
    412: ChangedMeanwhile,
    500: Unanswered,
    502: Unanswered,
    503: Unanswered,
    504: Unanswered,
}
_CORRELATION = ("x-ms-correlation-request-id", "x-ms-request-id")

HINTS = {
    "AuthorizationFailed": "the identity lacks a role on the resource group; "
    "Contributor there and Managed Identity Operator on the build identity are enough",
    "LinkedAuthorizationFailed": "the identity may not use a resource that the request names; "
    "give it Managed Identity Operator on the build identity",
    "InvalidAuthenticationToken": "log in again: az login",
    "ExpiredAuthenticationToken": "log in again: az login",
    "SubscriptionNotFound": "check IMAGEBAKE_SUBSCRIPTION, and az account list",
    "ResourceGroupNotFound": "az group create, or set IMAGEBAKE_RESOURCE_GROUP",
    "MissingSubscriptionRegistration": "az provider register --namespace "
    "Microsoft.VirtualMachineImages (and Microsoft.Compute, Microsoft.ContainerInstance)",
    "QuotaExceeded": "ask for more quota in the region, or choose another vm_size",
    "SkuNotAvailable": "choose another vm_size in the spec's build section",
    "RequestDisallowedByPolicy": "an Azure Policy forbids it; the message names the assignment",
    "ScopeLocked": "a lock on the resource group forbids it: az lock list",
    "TooManyRequests": "the subscription is throttled; try again in a few minutes",
    "OperationNotAllowed": "something else holds the resource; see what runs, then try again",
}
"""The next step for the codes that people meet."""


def refusal(error: AzureError, doing: str) -> CloudError:
    """Say that *doing* (an infinitive) failed, with Azure's own words and ids."""
    garbled = isinstance(error, DecodeError)
    if isinstance(error, HttpResponseError) and error.response is not None and not garbled:
        return _answered(error, doing)
    if isinstance(error, NoToken):
        kind = Unanswered if error.passing else CloudError
        said = f"cannot {doing}: no token could be had: {error.message}"
        return kind(said, code="AuthenticationFailed", hint=error.hint)
    if isinstance(error, ClientAuthenticationError):
        return CloudError(
            f"cannot {doing}: no token could be had: {redact(_first_line(error))}",
            code="AuthenticationFailed",
            hint="log in: az login",
        )
    return Unanswered(
        f"cannot {doing}: no answer: {redact(_first_line(error))}",
        code="NoAnswer",
        hint="try again; nothing is lost, a bake picks up where it was",
    )


def _answered(error: HttpResponseError, doing: str) -> CloudError:
    response: Any = error.response
    inner: Any = error.error
    code = str(getattr(inner, "code", None) or response.status_code)
    said = str(getattr(inner, "message", None) or error.reason or error.message)
    headers = {name.lower(): value for name, value in response.headers.items()}
    correlation = next((headers[name] for name in _CORRELATION if name in headers), "")
    text = redact(" ".join(said.split())).rstrip(".")
    tail = f" (correlation id {correlation})" if correlation else ""
    return _KINDS.get(response.status_code, CloudError)(
        f"cannot {doing}: {code}: {text}{tail}",
        code=code,
        correlation_id=correlation,
        hint=HINTS.get(code),
    )


def _first_line(error: AzureError) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
