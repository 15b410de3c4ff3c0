"""The Azure clients: created when first used, closed together, errors as `CloudError`.

Importing `azure.mgmt.compute` costs a sixth of a second, so nothing here imports it
before something is asked of it.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.errors import NotFound
from imagebake.azure.client.retry import Retries, RetryClock
from imagebake.azure.client.throttle import Metrics, Throttle

_POLL_SHARE, _LONGEST_POLL = 0.01, 15.0


class Clients:
    """One compute and one image builder client for *endpoint*, sharing retries and throttle.

    Threads may share them. *session* creates the `requests` session, where the SDK's default
    is not wanted.
    """

    def __init__(
        self, endpoint: Endpoint, patience: RetryClock, session: Callable[[], Any] = lambda: None
    ) -> None:
        self._session = session
        self.endpoint = endpoint
        self.patience = patience
        self.throttle = Throttle(patience)
        self._retries = Retries(patience, self.throttle.ramp_up)
        self._made: dict[str, Any] = {}
        self._making = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; a closed `Clients` makes new ones when it is used again."""
        while self._made:
            self._made.popitem()[1].close()

    @property
    def compute(self) -> Any:  # noqa: ANN401 - naming its type would import it
        """The `ComputeManagementClient`."""
        with self._making:
            if "compute" not in self._made:
                from azure.mgmt.compute import ComputeManagementClient

                self._made["compute"] = self._make(ComputeManagementClient)
            return self._made["compute"]

    @property
    def image_builder(self) -> Any:  # noqa: ANN401 - naming its type would import it
        """The `ImageBuilderClient`."""
        with self._making:
            if "image_builder" not in self._made:
                from azure.mgmt.imagebuilder import ImageBuilderClient

                self._made["image_builder"] = self._make(ImageBuilderClient)
            return self._made["image_builder"]

    def in_group(self, resource_group: str, location: str) -> Clients:
        """Return the clients for another resource group: same connections, same throttle."""
        other = copy.copy(self)
        other.endpoint = dataclasses.replace(
            self.endpoint, resource_group=resource_group, location=location
        )
        return other

    def _make(self, kind: Callable[..., Any]) -> Any:  # noqa: ANN401 - as above
        from imagebake.azure.client.pipeline import client_options, without_registration

        options = client_options(self.endpoint, self._retries, self.throttle, self._session())
        return without_registration(kind(**options))

    def poll_interval(self, path: str, age: float) -> float:
        """Return the seconds until the next look at *path*, *age* seconds after its start.

        A hundredth of the age, within limits.
        """
        wanted = max(self.endpoint.polling_seconds, min(age * _POLL_SHARE, _LONGEST_POLL))
        return self.throttle.stretched(wanted, path)

    def sign_in(self) -> None:
        """Fetch a token before anything else; raises `CloudError` when there is none."""
        with self.asking("sign in to Azure"):
            self.endpoint.credential.get_token(*self.endpoint.scopes)

    def metrics(self) -> Metrics:
        """Return the requests sent so far, their waits and their retries."""
        return dataclasses.replace(self.throttle.metrics(), retries=self._retries.taken)

    @contextlib.contextmanager
    def asking(self, doing: str) -> Iterator[None]:
        """Turn errors of the SDK inside the context into a `CloudError` about *doing*."""
        from azure.core.exceptions import AzureError

        from imagebake.azure.client.error_text import refusal

        try:
            yield
        except AzureError as error:
            raise refusal(error, doing) from error

    def ask(self, doing: str, call: Callable[..., Any], /, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Call an operation and wait until it has ended, if it is long-running.

        Returns JSON for a model, a list of JSON for pages, and None for an empty answer.
        """
        with self.asking(doing):
            answer = call(*args, **options)
            if hasattr(answer, "result"):
                answer = answer.result()
            if hasattr(answer, "as_dict"):
                return answer.as_dict()
            if hasattr(answer, "by_page"):
                return [item.as_dict() for item in answer]
            return answer

    def find(self, doing: str, call: Callable[..., Any], /, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Call an operation as `ask` does; None for a resource that does not exist."""
        try:
            return self.ask(doing, call, *args, **options)
        except NotFound:
            return None

    def read(self, doing: str, url: str) -> str:
        """Read the text at a signed address: no token is sent there."""
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import UserAgentPolicy
        from azure.core.rest import HttpRequest

        from imagebake.azure.client.pipeline import Transport

        transport, policies = Transport(self.endpoint.ca, self.patience.sleep), [UserAgentPolicy()]
        client: Any = PipelineClient(url, transport=transport, policies=policies)
        with self.asking(doing), client:
            response = client.send_request(HttpRequest("GET", url))
            response.raise_for_status()
            return str(response.text("utf-8"))

    def read_with_token(
        self, doing: str, url: str, scope: str, headers: Mapping[str, str]
    ) -> bytes:
        """Read the content of an address outside Resource Manager, with a token for *scope*."""
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, UserAgentPolicy
        from azure.core.rest import HttpRequest

        from imagebake.azure.client.pipeline import JitteredRetry, Transport

        policies = [
            UserAgentPolicy(),
            JitteredRetry(self._retries),
            BearerTokenCredentialPolicy(self.endpoint.credential, scope),
        ]
        transport = Transport(self.endpoint.ca, self.patience.sleep)
        client: Any = PipelineClient(url, transport=transport, policies=policies)
        with self.asking(doing), client:
            response = client.send_request(HttpRequest("GET", url, headers=dict(headers)))
            response.raise_for_status()
            return bytes(response.content)

    def send(self, doing: str, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request that no operation of the SDKs covers, and return its JSON."""
        from azure.core.rest import HttpRequest

        with self.asking(doing):
            response = self.compute.send_request(HttpRequest(method, path, json=body))
            response.raise_for_status()
            return response.json() if response.content else None
