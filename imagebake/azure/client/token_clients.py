"""The clients that ask a machine's identity service for tokens: the SDK's own, and ours."""

# ruff: noqa: PLC0415 - azure-identity takes 0.4 s to import

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpTransport, RequestsTransport

from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.identity import Identities
from imagebake.azure.client.retry import Patience
from imagebake.azure.client.tokens import CachedCredential, TokenSource, token_patience

_RESOURCE = "https://vault.azure.net/.default"


class Detour(HttpTransport[Any, Any]):
    """Sends what is meant for the identity service to *port* of loopback, and sleeps as told.

    One for many clients: closing a client closes nothing here; `end` does.
    """

    def __init__(
        self, port: int, *, sleep: Callable[[float], None], before: Callable[[], None]
    ) -> None:
        self._inner: Any = RequestsTransport(use_env_settings=False)
        self._port, self._sleep, self._before = port, sleep, before

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - azure-core's shapes
        """Send *request* on its detour."""
        self._before()
        parts = urllib.parse.urlsplit(request.url)
        request.url = parts._replace(netloc=f"127.0.0.1:{self._port}").geturl()
        return self._inner.send(request, **options)

    def sleep(self, duration: float) -> None:
        """Rest between two attempts."""
        self._sleep(duration)

    def open(self) -> None:
        """Do nothing: it is open."""

    def close(self) -> None:
        """Do nothing: others may go on."""

    def end(self) -> None:
        """Close the connections."""
        self._inner.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def sdk_credential(transport: Detour) -> Credential:
    """The SDK's credential for a machine's identity, as it is by default."""
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(transport=transport)


def our_credential(transport: Detour, patience: Patience) -> Credential:
    """The same with our retries, and one token for all who share it."""
    identities = Identities({}, {"transport": transport})
    source = TokenSource(identities.managed, token_patience(patience), "")
    return CachedCredential(source, patience.clock, patience.dice)


def has_token(credential: Credential) -> bool:
    """Ask for a token, as patiently as *credential* is; false when it gave up."""
    try:
        credential.get_token(_RESOURCE)
    except AzureError:
        return False
    return True
