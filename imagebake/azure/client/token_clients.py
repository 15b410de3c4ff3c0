"""Clients of a machine's identity service (IMDS): the SDK's own, and ours."""

# ruff: noqa: PLC0415 - azure-identity takes 0.4 s to import

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpTransport, RequestsTransport

from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.identity import Identities
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.client.tokens import CachedCredential, TokenSource, token_patience

_RESOURCE = "https://vault.azure.net/.default"


class ImdsRedirectPolicy(HttpTransport[Any, Any]):
    """Transport that sends requests for IMDS to *port* of loopback and waits with *sleep*.

    *before* is called ahead of each request. Several clients share it: closing a client
    leaves it open, `end` closes it.
    """

    def __init__(
        self, port: int, *, sleep: Callable[[float], None], before: Callable[[], None]
    ) -> None:
        self._inner: Any = RequestsTransport(use_env_settings=False)
        self._port, self._sleep, self._before = port, sleep, before

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - azure-core's shapes
        """Send *request* to the port on loopback."""
        self._before()
        parts = urllib.parse.urlsplit(request.url)
        request.url = parts._replace(netloc=f"127.0.0.1:{self._port}").geturl()
        return self._inner.send(request, **options)

    def sleep(self, duration: float) -> None:
        """Wait between two attempts."""
        self._sleep(duration)

    def open(self) -> None:
        """Do nothing: the connections are opened on demand."""

    def close(self) -> None:
        """Do nothing: other clients share the connections."""

    def end(self) -> None:
        """Close the connections."""
        self._inner.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def sdk_credential(transport: ImdsRedirectPolicy) -> Credential:
    """Return the SDK's managed identity credential with its default retries."""
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(transport=transport)


def our_credential(transport: ImdsRedirectPolicy, patience: RetryClock) -> Credential:
    """Return a managed identity credential with our retries and a token shared by its users."""
    identities = Identities({}, {"transport": transport})
    source = TokenSource(identities.managed, token_patience(patience), "")
    return CachedCredential(source, patience.clock, patience.jitter)


def has_token(credential: Credential) -> bool:
    """Request a token with the retries of *credential*; false when it gave up."""
    try:
        credential.get_token(_RESOURCE)
    except AzureError:
        return False
    return True
