"""Who we are to Azure: one token at a time, asked for once, served as long as it is good.

`DefaultAzureCredential` is not used: in a pipeline it tries six things in turn, and in an
outage of the token service each of them waits.
"""

# ruff: noqa: PLC0415 - azure-identity takes 0.4 s to import

from __future__ import annotations

import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imagebake.cloud.endpoint import Credential
from imagebake.cloud.retry import Patience, Retries
from imagebake.errors import CloudError

_AUDIENCE = "api://AzureADTokenExchange"
_FAR_FUTURE = 2**33
_TIMEOUT = 10


class LoopbackCredential:
    """What an emulator is shown in place of a token; worth nothing elsewhere."""

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """A token that never expires."""
        from azure.core.credentials import AccessToken

        del scopes, options
        return AccessToken("imagebake-loopback", _FAR_FUTURE)


@dataclass(slots=True)
class CachedCredential:
    """One token per scope, fetched by one thread, refreshed early, served until it expires.

    When the token service is down, a token that is still good is served instead of an
    error. *clock* counts seconds since the epoch, as tokens do.
    """

    inner: Credential
    clock: Callable[[], float]
    refresh_before: float = 600.0
    _tokens: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """A token for *scopes*; a challenge with claims always asks anew."""
        from azure.core.exceptions import AzureError

        with self._lock:
            known = self._tokens.get(scopes)
            left = known.expires_on - self.clock() if known else 0.0
            if left > self.refresh_before and not options.get("claims"):
                return known
            try:
                self._tokens[scopes] = self.inner.get_token(*scopes, **options)
            except AzureError:
                if left <= 0 or options.get("claims"):
                    raise
            return self._tokens[scopes]


def managed_identity(client: str | None, retries: Retries, **options: Any) -> Credential:  # noqa: ANN401
    """The identity of the machine that we run on, asked for with our *retries*.

    The SDK's own wait the same seconds on every machine; after an outage they all return in
    step. *options* are the SDK's.
    """
    from azure.core.pipeline.policies import ContentDecodePolicy, HeadersPolicy
    from azure.identity import ManagedIdentityCredential

    from imagebake.cloud.pipeline import JitteredRetry

    policies = [HeadersPolicy(), ContentDecodePolicy(), JitteredRetry(retries)]
    return ManagedIdentityCredential(client_id=client, policies=policies, **options)


def token_patience(patience: Patience) -> Patience:
    """How long to try for a token: nothing can be done without one, so a minute or two."""
    return replace(patience, attempts=8, base=2.0)


def azure_credential(
    environment: Mapping[str, str], clock: Callable[[], float], patience: Patience
) -> Credential:
    """The identity that the *environment* offers.

    In a GitHub workflow its OIDC token, fetched anew for every refresh, because a bake
    takes longer than one lives; else what `AZURE_TOKEN_CREDENTIALS` names
    (`ManagedIdentityCredential`, or the default, `AzureCliCredential`).
    """
    return CachedCredential(_chosen(environment, patience), clock)


def _chosen(environment: Mapping[str, str], patience: Patience) -> Credential:
    from azure.identity import (
        AzureCliCredential,
        ClientAssertionCredential,
    )

    tenant, client = environment.get("AZURE_TENANT_ID"), environment.get("AZURE_CLIENT_ID")
    if environment.get("ACTIONS_ID_TOKEN_REQUEST_URL") and tenant and client:
        return ClientAssertionCredential(tenant, client, lambda: _github_assertion(environment))
    wanted = environment.get("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    if wanted == "ManagedIdentityCredential":
        return managed_identity(client, Retries(token_patience(patience)))
    if wanted == "AzureCliCredential":
        return AzureCliCredential(tenant_id=tenant or "")
    raise CloudError(
        f"AZURE_TOKEN_CREDENTIALS is {wanted!r}",
        code="UnknownCredential",
        hint="it is 'AzureCliCredential' or 'ManagedIdentityCredential'",
    )


def _github_assertion(environment: Mapping[str, str]) -> str:
    address = environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    address += "&audience=" + urllib.parse.quote(_AUDIENCE, safe="")
    request = urllib.request.Request(  # noqa: S310 - the address is the runner's own
        address,
        headers={"Authorization": f"bearer {environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
            return str(json.load(answer)["value"])
    except (OSError, ValueError, KeyError) as error:
        raise CloudError(
            f"GitHub gives no identity token: {type(error).__name__}",
            code="NoAssertion",
            hint="does the job have permissions: id-token: write?",
        ) from error
