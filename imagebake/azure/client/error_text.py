"""Turn errors of the Azure SDK into `CloudError`, with cause and hint where they are known."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
)

from imagebake.azure.client.errors import ChangedMeanwhile, Conflict, NotFound, OutcomeUnknown
from imagebake.azure.error_catalog.lookup import known_error
from imagebake.kernel.errors import CloudError
from imagebake.kernel.text.redaction import redact

# After a 5xx the request may have been carried out all the same: callers read before they retry.
_KINDS: dict[int, type[CloudError]] = {
    404: NotFound,
    405: Conflict,
    409: Conflict,
    412: ChangedMeanwhile,
    500: OutcomeUnknown,
    502: OutcomeUnknown,
    503: OutcomeUnknown,
    504: OutcomeUnknown,
}
# Azure's support searches by these ids; the first is ARM's, the second the provider's.
_CORRELATION = ("x-ms-correlation-request-id", "x-ms-request-id")


class NoToken(ClientAuthenticationError):
    """No token was issued; *passing* where a later attempt may succeed.

    Not a connection error of the SDK's: the retry policy of Azure Resource Manager would send
    those again, after the token service has already been retried.
    """

    def __init__(self, why: str, *, passing: bool, hint: str) -> None:
        super().__init__(message=why)
        self.passing = passing
        self.hint = hint


def refusal(error: AzureError, doing: str) -> CloudError:
    """Return the `CloudError` for *error*: *doing* (an infinitive), Azure's message and ids."""
    # A body that cannot be decoded tells nothing about what the service did.
    garbled = isinstance(error, DecodeError)
    if isinstance(error, HttpResponseError) and error.response is not None and not garbled:
        return _answered(error, doing)
    if isinstance(error, NoToken):
        kind = OutcomeUnknown if error.passing else CloudError
        message = f"cannot {doing}: could not get a token: {error.message}"
        known = known_error("AuthenticationFailed", error.message)
        cause = known.cause if known else None
        return kind(message, code="AuthenticationFailed", cause=cause, hint=error.hint)
    if isinstance(error, ClientAuthenticationError):
        message = redact(_first_line(error))
        known = known_error("AuthenticationFailed", message)
        return CloudError(
            f"cannot {doing}: could not get a token: {message}",
            code="AuthenticationFailed",
            cause=known.cause if known else None,
            hint=known.hint if known else "log in: az login",
        )
    return OutcomeUnknown(
        f"cannot {doing}: no answer: {redact(_first_line(error))}",
        code="NoAnswer",
        hint="try again; nothing is lost, a bake picks up where it was",
    )


def _answered(error: HttpResponseError, doing: str) -> CloudError:
    response: Any = error.response
    inner: Any = error.error
    message = str(getattr(inner, "message", None) or error.reason or error.message)
    headers = {name.lower(): value for name, value in response.headers.items()}
    error_code = getattr(inner, "code", None) or headers.get("x-ms-error-code")
    code = str(error_code or response.status_code)
    correlation = next((headers[name] for name in _CORRELATION if name in headers), "")
    text = redact(" ".join(message.split())).rstrip(".")
    tail = f" (correlation id {correlation})" if correlation else ""
    known = known_error(code, text)
    return _KINDS.get(response.status_code, CloudError)(
        f"cannot {doing}: {code}: {text}{tail}",
        code=code,
        correlation_id=correlation,
        cause=known.cause if known else None,
        hint=known.hint if known else None,
    )


def _first_line(error: AzureError) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
