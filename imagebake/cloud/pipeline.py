"""How the Azure clients send: our retry policy, our transport, one set of options."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.core.pipeline.transport import RequestsTransport

from imagebake.cloud.endpoint import Endpoint
from imagebake.cloud.retry import REFUSED_UNSEEN, RETRYABLE, Retries, asked_wait

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class CircuitOpen(AzureError):
    """Nothing was sent, because the service has not been answering."""


class JitteredRetry(HTTPPolicy[Any, Any]):
    """Sends a request again when that is safe and may help.

    A POST or PATCH is sent again only when it never reached the service or was refused
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


def _idempotent(request: PipelineRequest[Any]) -> bool:
    return request.http_request.method.upper() in _IDEMPOTENT


def _asked(response: PipelineResponse[Any, Any]) -> float | None:
    headers = response.http_response.headers
    return asked_wait({name.lower(): value for name, value in headers.items()})


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


def client_options(endpoint: Endpoint, retries: Retries) -> dict[str, Any]:
    """The arguments that every Azure client of ours is made with."""
    return {
        "credential": endpoint.credential,
        "subscription_id": endpoint.subscription,
        "base_url": endpoint.base_url,
        "credential_scopes": list(endpoint.scopes),
        "transport": Transport(endpoint, retries.patience.sleep),
        "retry_policy": JitteredRetry(retries),
        "polling_interval": endpoint.polling_seconds,
        "user_agent": "imagebake",
    }
