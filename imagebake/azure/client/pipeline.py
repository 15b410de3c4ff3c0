"""How the Azure clients send: our retry policy, our transport, one set of options."""

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
from imagebake.azure.client.polling import stretched
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
"""Versions, machines, image templates, and the groups that Image Builder leaves behind."""


def deletable(path: str) -> bool:
    """Whether what has the id *path* is of a kind that imagebake makes and takes away."""
    return _OURS.fullmatch(path.rstrip("/")) is not None


class Guard(SansIOHTTPPolicy[Any, Any]):
    """Refuses, before anything is sent, to delete what is not ours to delete."""

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
        repeatable = _repeatable(request)
        for attempt in itertools.count(1):
            self._respect_the_circuit()
            try:
                response = self.whole(request)
            except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
                self.retries.failed()
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
        """The answer, read to its end: the SDK reads some only when it is too late to retry."""
        response: PipelineResponse[Any, Any] = self.next.send(request)
        if read := getattr(response.http_response, "read", None):
            read()
        return response

    def _respect_the_circuit(self) -> None:
        if (seconds := self.retries.open_for()) > 0:
            raise CircuitOpen(f"not asked, because the last answers failed; try in {seconds:.0f} s")

    def _again(self, attempt: int, asked: float | None, *, invited: bool = False) -> bool:
        """Wait for the next attempt; false when there is none.

        Who is *invited* to come back at a certain time does so more often, and on the house:
        a hundred pipelines that share a limit get through it one after the other.
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
    """The same for clients of storage, which leave the choice of a replica to this policy."""

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request* to the primary place, which alone is sure to have what was written."""
        options = request.context.options
        for name in ("hosts", "retry_to_secondary"):
            options.pop(name, None)
        place = options.pop("location_mode", None)
        response = super().send(request)
        # Its pager asks the answer where it came from.
        response.http_response.location_mode = place
        return response

    def whole(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """The answer as it comes: storage's own reader asks again for what was cut."""
        return self.next.send(request)


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


class Witness(HTTPPolicy[Any, Any]):
    """Tells *hear* the status of every answer, and None where there is none."""

    def __init__(self, hear: Callable[[int | None], None]) -> None:
        super().__init__()
        self.hear = hear

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send *request*, and listen."""
        self.hear(None)
        response: PipelineResponse[Any, Any] = self.next.send(request)
        self.hear(response.http_response.status_code)
        return response


def _repeatable(request: PipelineRequest[Any]) -> bool:
    """Whether a request may be sent twice; who asks for a token says that a POST may, too."""
    more = request.context.options.pop("retry_on_methods", None) or ()
    return request.http_request.method.upper() in _IDEMPOTENT | set(more)


def _asked(response: PipelineResponse[Any, Any]) -> float | None:
    return asked_wait(_headers(response))


def _headers(response: PipelineResponse[Any, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in response.http_response.headers.items()}


class Transport(RequestsTransport):  # type: ignore[misc] # azure-core exports it lazily
    """Requests, resting with our *sleep*, so that a test can let hours pass.

    A *session* of `requests` is used where it is given, and closed with the transport.
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
        """Rest for *duration* seconds."""
        self._sleep(duration)


def without_registration(client: Any) -> Any:  # noqa: ANN401 - any client of the SDKs
    """*client* without the policy that registers providers behind everybody's back.

    It sleeps ten seconds at a time, for as long as it takes, and asks nobody; what a missing
    registration means is for `providers` to say. The clients have no option for this.
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
    """A transport that is open, because the first of several threads would open it twice."""
    made = Transport(ca, sleep, session)
    made.open()
    return made


def client_options(
    endpoint: Endpoint,
    retries: Retries,
    throttle: Throttle,
    session: Any = None,  # noqa: ANN401 - as in Transport
) -> dict[str, Any]:
    """The arguments that every Azure client of ours is made with.

    The throttle stands where the SDK has a hook of each attempt: below the retries and the
    token, so that a retry waits for its turn, too. What the SDK polls itself takes a minute, so
    it is looked at twice as often as what takes an hour.
    """
    group, sleep = endpoint.group_id, retries.patience.sleep

    def look_again(seconds: float) -> None:
        """All that the SDK sleeps for here is the next look at an operation."""
        sleep(stretched(seconds, throttle, group))

    return {
        "credential": endpoint.credential,
        "subscription_id": endpoint.subscription,
        "base_url": endpoint.base_url,
        "credential_scopes": list(endpoint.scopes),
        "transport": transport(endpoint.ca, look_again, session),
        "retry_policy": JitteredRetry(retries),
        "per_call_policies": [Guard()],
        "custom_hook_policy": Throttled(throttle),
        "polling_interval": endpoint.polling_seconds / 2,
        "user_agent": "imagebake",
    }
