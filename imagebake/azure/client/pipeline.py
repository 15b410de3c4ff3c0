"""Pipeline of the Azure clients: retry policy, deletion guard, throttle and transport."""

from __future__ import annotations

import itertools
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.core.exceptions import (
    AzureError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy, SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.mgmt.core.policies import ARMAutoResourceProviderRegistrationPolicy

from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.retry import REFUSED_UNSEEN, RETRYABLE, Retries, asked_wait
from imagebake.azure.client.throttle import Throttle
from imagebake.kernel.errors import RolloutRefused

_OURS = re.compile(
    r".*/providers/microsoft\.compute/galleries/[^/]+/images/[^/]+/versions/[^/]+"
    r"|.*/providers/microsoft\.compute/virtualmachines/[^/]+(?:/extensions/[^/]+)?"
    r"|.*/providers/microsoft\.virtualmachineimages/imagetemplates/[^/]+(?:/triggers/[^/]+)?"
    r"|/subscriptions/[^/]+/resourcegroups/it_[^/]+",
    re.IGNORECASE,
)
"""Versions, machines, image templates, and the staging groups of Image Builder."""


def deletable(path: str) -> bool:
    """Return whether the id *path* is of a kind that imagebake creates and deletes."""
    return _OURS.fullmatch(path.rstrip("/")) is not None


class DeletionGuard(SansIOHTTPPolicy[Any, Any]):
    """Policy that refuses to delete resources of any other kind, before anything is sent."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raise `RolloutRefused` for such a deletion."""
        sent = request.http_request
        path = urllib.parse.unquote(urllib.parse.urlsplit(sent.url).path)
        if sent.method.upper() == "DELETE" and not deletable(path):
            raise RolloutRefused(
                f"imagebake does not delete {path.rpartition('/providers/')[2]}",
                hint="it deletes versions, machines of its own and image templates;"
                " what bootstrap made is taken away by hand",
            )


_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
"""PATCH, too: each of ours states the final value, none adds to the present one."""


class CircuitOpen(AzureError):
    """Nothing was sent, because the service has not been answering."""


class JitteredRetry(HTTPPolicy[Any, Any]):
    """Sends a request again when that is safe and may help.

    A 429 comes from a service that is well, and leaves the circuit closed.
    A POST is sent again only when it never reached the service or was refused
    unseen (429), with or without `Retry-After`; callers that start a run check first.
    """

    def __init__(self, retries: Retries) -> None:
        super().__init__()
        self.retries = retries

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* until it is answered, refused for good, or out of attempts."""
        repeatable = _repeatable(request)
        for attempt in itertools.count(1):
            self._respect_the_circuit()
            try:
                response = self.whole(request)
            except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
                self.retries.failed()
                # ServiceRequestError: no connection was made, so even a POST is safe to repeat.
                unseen = isinstance(error, ServiceRequestError)
                if not (unseen or repeatable) or not self._again(attempt, None):
                    raise
                continue
            status = response.http_response.status_code
            if status not in RETRYABLE:
                self.retries.succeeded()
                return response
            if status not in REFUSED_UNSEEN:
                self.retries.failed()
            asked, unseen = _asked(response), status in REFUSED_UNSEEN
            if not (unseen or repeatable) or not self._again(attempt, asked, invited=unseen):
                return response
        raise AssertionError

    def whole(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Return the answer, read to its end: the SDK would read some too late to retry."""
        response: PipelineResponse[Any, Any] = self.next.send(request)
        if read := getattr(response.http_response, "read", None):
            read()
        return response

    def _respect_the_circuit(self) -> None:
        if (seconds := self.retries.open_for()) > 0:
            raise CircuitOpen(f"not asked, because the last answers failed; try in {seconds:.0f} s")

    def _again(self, attempt: int, asked: float | None, *, invited: bool = False) -> bool:
        """Wait for the next attempt; false when there is none.

        Where the service names a time (*invited*), more attempts are made and none is charged
        to the budget: a hundred pipelines that share a limit get through it in turn.
        """
        patience, invited = self.retries.patience, invited and asked is not None
        most = patience.attempts * (patience.invitations if invited else 1)
        if attempt >= most or (asked or 0.0) > patience.longest_asked:
            return False
        if not self.retries.take(free=invited):
            return False
        patience.sleep(patience.wait(attempt, asked))
        return True


class StorageRetry(JitteredRetry):
    """Retry policy of storage clients, which leave the choice of a replica to this policy."""

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* to the primary replica: the secondary may lag behind the last write."""
        options = request.context.options
        for name in ("hosts", "retry_to_secondary"):
            options.pop(name, None)
        place = options.pop("location_mode", None)
        response = super().send(request)
        # The SDK's pager reads this attribute of the answer.
        response.http_response.location_mode = place
        return response

    def whole(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Return the answer unread: the SDK's own reader resumes a download that was cut."""
        return self.next.send(request)


class Throttled(HTTPPolicy[Any, Any]):
    """Policy that delays each attempt until the throttle admits it, and reports the answer."""

    def __init__(self, throttle: Throttle) -> None:
        super().__init__()
        self.throttle = throttle

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* when the throttle admits it."""
        sent = request.http_request
        passage = self.throttle.enter(sent.method, urllib.parse.urlsplit(sent.url).path)
        status, headers = None, dict[str, str]()
        try:
            response: PipelineResponse[Any, Any] = self.next.send(request)
            status, headers = response.http_response.status_code, _headers(response)
            return response
        finally:
            self.throttle.leave(passage, status, headers)


class StatusObserver(HTTPPolicy[Any, Any]):
    """Policy that reports the status of every answer to *hear*, and None where there is none."""

    def __init__(self, hear: Callable[[int | None], None]) -> None:
        super().__init__()
        self.hear = hear

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* and report its status."""
        self.hear(None)
        response: PipelineResponse[Any, Any] = self.next.send(request)
        self.hear(response.http_response.status_code)
        return response


def _repeatable(request: PipelineRequest[Any]) -> bool:
    """Return whether a request may be sent twice; token requests mark their POST so."""
    more = request.context.options.pop("retry_on_methods", None) or ()
    return request.http_request.method.upper() in _IDEMPOTENT | set(more)


def _asked(response: PipelineResponse[Any, Any]) -> float | None:
    return asked_wait(_headers(response))


def _headers(response: PipelineResponse[Any, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in response.http_response.headers.items()}


class Transport(RequestsTransport):  # type: ignore[misc] # azure-core exports it lazily
    """`requests` transport that waits with *sleep*, so that a test can let hours pass.

    A *session* that is given is used, and closed with the transport.
    """

    def __init__(
        self,
        ca: Path | None,
        sleep: Callable[[float], None],
        session: Any = None,  # noqa: ANN401 - see above
    ) -> None:
        self._sleep = sleep
        if session:
            super().__init__(session=session)
        elif ca:
            super().__init__(connection_verify=str(ca), use_env_settings=False)
        else:
            super().__init__()

    def sleep(self, duration: float) -> None:
        """Wait for *duration* seconds."""
        self._sleep(duration)


def without_registration(client: Any) -> Any:  # noqa: ANN401 - any client of the SDKs
    """Return *client* without the policy that registers resource providers silently.

    The policy polls every ten seconds, without a limit, and needs a permission that a build
    identity lacks; `providers` reports a missing registration instead. The clients have no
    option to leave it out.
    """
    policies = client._client._pipeline._impl_policies  # noqa: SLF001 - see above
    for before, policy in itertools.pairwise(policies):
        if isinstance(policy, ARMAutoResourceProviderRegistrationPolicy):
            before.next = policy.next
    return client


def transport(
    ca: Path | None,
    sleep: Callable[[float], None],
    session: Any = None,  # noqa: ANN401 - as in Transport
) -> Transport:
    """Return an opened transport: the first of several threads would open it twice."""
    made = Transport(ca, sleep, session)
    made.open()
    return made


def client_options(
    endpoint: Endpoint,
    retries: Retries,
    throttle: Throttle,
    session: Any = None,  # noqa: ANN401 - as in Transport
) -> dict[str, Any]:
    """Return the arguments that every Azure client is created with.

    The throttle takes the place of the SDK's hook of each attempt: below the retries and the
    token, so that a retry waits for its turn, too. Operations that the SDK polls itself take
    a minute, so they are polled twice as often as those that take an hour.
    """
    group, sleep = endpoint.group_id, retries.patience.sleep

    def look_again(seconds: float) -> None:
        """Wait with the throttle's stretch: here the SDK sleeps only between two polls."""
        sleep(throttle.stretched(seconds, group))

    return {
        "credential": endpoint.credential,
        "subscription_id": endpoint.subscription,
        "base_url": endpoint.base_url,
        "credential_scopes": list(endpoint.scopes),
        "transport": transport(endpoint.ca, look_again, session),
        "retry_policy": JitteredRetry(retries),
        "per_call_policies": [DeletionGuard()],
        "custom_hook_policy": Throttled(throttle),
        "polling_interval": endpoint.polling_seconds / 2,
        "user_agent": "imagebake",
    }
