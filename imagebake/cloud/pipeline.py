"""How the Azure clients send: our retry policy, our transport, one set of options."""

from __future__ import annotations

import itertools
import urllib.parse
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.core.pipeline.transport import RequestsTransport

from imagebake.cloud.endpoint import Endpoint
from imagebake.cloud.guard import Guard
from imagebake.cloud.retry import REFUSED_UNSEEN, RETRYABLE, Retries, asked_wait
from imagebake.cloud.throttle import Throttle

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
"""PATCH, too: all of ours say what shall be, never what shall be added to what is."""


class CircuitOpen(AzureError):
    """Nothing was sent, because the service has not been answering."""


class JitteredRetry(HTTPPolicy[Any, Any]):
    """Sends a request again when that is safe and may help.

    A 429 comes from a service that is well, and leaves the circuit closed.
    A POST is sent again only when it never reached the service or was refused
    unseen (429), with or without `Retry-After`; whoever starts a run looks first.
    """

    def __init__(self, retries: Retries) -> None:
        super().__init__()
        self.retries = retries

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* until it is answered, refused for good, or patience ends."""
        for attempt in itertools.count(1):
            self._respect_the_circuit()
            try:
                response: PipelineResponse[Any, Any] = self.next.send(request)
            except (ServiceRequestError, ServiceResponseError) as error:
                self.retries.failed()
                unseen = isinstance(error, ServiceRequestError)
                if not (unseen or _idempotent(request)) or not self._again(attempt, None):
                    raise
                continue
            status = response.http_response.status_code
            if status not in RETRYABLE:
                self.retries.succeeded()
                return response
            if status not in REFUSED_UNSEEN:
                self.retries.failed()
            safe = status in REFUSED_UNSEEN or _idempotent(request)
            if not safe or not self._again(attempt, _asked(response)):
                return response
        raise AssertionError

    def _respect_the_circuit(self) -> None:
        if (seconds := self.retries.open_for()) > 0:
            raise CircuitOpen(f"not asked, because the last answers failed; try in {seconds:.0f} s")

    def _again(self, attempt: int, asked: float | None) -> bool:
        """Wait for the next attempt; false when there is none."""
        patience = self.retries.patience
        if attempt >= patience.attempts or (asked or 0.0) > patience.longest_asked:
            return False
        if not self.retries.take():
            return False
        patience.sleep(patience.wait(attempt, asked))
        return True


class Throttled(HTTPPolicy[Any, Any]):
    """Lets each attempt wait for its turn, and learns from what is answered."""

    def __init__(self, throttle: Throttle) -> None:
        super().__init__()
        self.throttle = throttle

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* when the service has room for it."""
        sent = request.http_request
        passage = self.throttle.enter(sent.method, urllib.parse.urlsplit(sent.url).path)
        status, headers = None, dict[str, str]()
        try:
            response: PipelineResponse[Any, Any] = self.next.send(request)
            status, headers = response.http_response.status_code, _headers(response)
            return response
        finally:
            self.throttle.leave(passage, status, headers)


def _idempotent(request: PipelineRequest[Any]) -> bool:
    return request.http_request.method.upper() in _IDEMPOTENT


def _asked(response: PipelineResponse[Any, Any]) -> float | None:
    return asked_wait(_headers(response))


def _headers(response: PipelineResponse[Any, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in response.http_response.headers.items()}


class Transport(RequestsTransport):  # type: ignore[misc] # azure-core exports it lazily
    """Requests, resting with our *sleep*, so that a test can let hours pass."""

    def __init__(self, endpoint: Endpoint, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        if endpoint.ca:
            super().__init__(connection_verify=str(endpoint.ca), use_env_settings=False)
        else:
            super().__init__()

    def sleep(self, duration: float) -> None:
        """Rest for *duration* seconds."""
        self._sleep(duration)


def client_options(endpoint: Endpoint, retries: Retries, throttle: Throttle) -> dict[str, Any]:
    """The arguments that every Azure client of ours is made with.

    The throttle stands where the SDK has a hook of each attempt: below the retries and the
    token, so that a retry waits for its turn, too. The transport is open, because the first
    of several threads would open it twice.
    """
    transport = Transport(endpoint, retries.patience.sleep)
    transport.open()
    return {
        "credential": endpoint.credential,
        "subscription_id": endpoint.subscription,
        "base_url": endpoint.base_url,
        "credential_scopes": list(endpoint.scopes),
        "transport": transport,
        "retry_policy": JitteredRetry(retries),
        "per_call_policies": [Guard()],
        "custom_hook_policy": Throttled(throttle),
        "polling_interval": endpoint.polling_seconds,
        "user_agent": "imagebake",
    }
