"""The identity that imagebake uses for Azure, chosen from the environment.

`DefaultAzureCredential` is not used: in a pipeline it tries six things in turn, and in an
outage of the token service each of them waits.
"""

# ruff: noqa: PLC0415 - azure-identity takes 0.4 s to import

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.client.tokens import (
    TIMEOUTS,
    CachedCredential,
    Policies,
    TokenSource,
    token_patience,
)
from imagebake.kernel.errors import CloudError

_AUDIENCE = "api://AzureADTokenExchange"
_OK = 200


def github_assertion(
    environment: Mapping[str, str], policies: Policies, options: Mapping[str, Any]
) -> str:
    """Request the job's GitHub OIDC token for Azure; it is valid for minutes, so none is kept."""
    status, text = _ask(environment, policies, options)
    if status != _OK:
        raise _refused(f"it answers with status {status}")
    try:
        return str(json.loads(text)["value"])
    except (ValueError, KeyError, TypeError):
        raise _refused("there is none in its answer") from None


def _ask(
    environment: Mapping[str, str], policies: Policies, options: Mapping[str, Any]
) -> tuple[int, str]:
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import ContentDecodePolicy
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpRequest

    address = environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    address += "&audience=" + urllib.parse.quote(_AUDIENCE, safe="")
    shown = {"Authorization": f"bearer {environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    wire: dict[str, Any] = {**TIMEOUTS, **options}
    transport = wire.pop("transport", None) or RequestsTransport(**wire)
    plain = [policy for policy in policies() if not isinstance(policy, ContentDecodePolicy)]
    client: Any = PipelineClient(address, policies=plain, transport=transport)
    with client:
        response = client.send_request(HttpRequest("GET", address, headers=shown))
        return int(response.status_code), str(response.text("utf-8"))


def _refused(why: str) -> CloudError:
    return CloudError(
        f"GitHub gives no identity token: {why}",
        code="NoAssertion",
        hint="does the job have permissions: id-token: write?",
    )


# Seconds since the epoch: in the year 2242.
_FAR_FUTURE = 2**33


class LoopbackCredential:
    """Credential for an emulator, with a token that is worth nothing elsewhere."""

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """Return a token that never expires."""
        from azure.core.credentials import AccessToken

        del scopes, options
        return AccessToken("imagebake-loopback", _FAR_FUTURE)


@dataclass(frozen=True, slots=True)
class Identities:
    """The identities that an *environment* may offer; *options* are the SDK's."""

    environment: Mapping[str, str]
    options: Mapping[str, Any]

    def github(self, policies: Policies) -> Credential:
        """Credential of a GitHub workflow: an OIDC token, requested anew each time."""
        return self._asserted(
            policies, lambda: github_assertion(self.environment, policies, self.options)
        )

    def workload(self, policies: Policies) -> Credential:
        """Credential of a Kubernetes workload: a token file, replaced before it expires."""
        path = Path(self.environment["AZURE_FEDERATED_TOKEN_FILE"])
        return self._asserted(policies, lambda: path.read_text(encoding="utf-8").strip())

    def secret(self, policies: Policies) -> Credential:
        """Credential of an application: the secret or certificate that the environment names."""
        from azure.identity import CertificateCredential, ClientSecretCredential

        variables = self.environment
        client = {
            "tenant_id": variables["AZURE_TENANT_ID"],
            "client_id": variables["AZURE_CLIENT_ID"],
        }
        if secret := variables.get("AZURE_CLIENT_SECRET"):
            return ClientSecretCredential(**client, client_secret=secret, **self._wired(policies))
        return CertificateCredential(
            **client,
            certificate_path=variables["AZURE_CLIENT_CERTIFICATE_PATH"],
            password=variables.get("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
            **self._wired(policies),
        )

    def managed(self, policies: Policies) -> Credential:
        """Managed identity of this machine; `AZURE_CLIENT_ID` selects one of several.

        The SDK's own retries wait the same seconds on every machine, so after an outage all
        machines would return in step.
        """
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(
            client_id=self.environment.get("AZURE_CLIENT_ID"), **self._wired(policies)
        )

    def cli(self, policies: Policies) -> Credential:
        """Account that is logged in to the Azure CLI."""
        from azure.identity import AzureCliCredential

        del policies
        return AzureCliCredential(tenant_id=self.environment.get("AZURE_TENANT_ID", ""))

    def _asserted(self, policies: Policies, assertion: Callable[[], str]) -> Credential:
        from azure.identity import ClientAssertionCredential

        variables = self.environment
        return ClientAssertionCredential(
            variables["AZURE_TENANT_ID"],
            variables["AZURE_CLIENT_ID"],
            assertion,
            **self._wired(policies),
        )

    def _wired(self, policies: Policies) -> dict[str, Any]:
        host = self.environment.get("AZURE_AUTHORITY_HOST")
        named = {"authority": host} if host else {}
        return {"policies": policies(), **TIMEOUTS, **named, **self.options}


def azure_credential(
    environment: Mapping[str, str],
    clock: Callable[[], float],
    patience: RetryClock,
    note: Callable[[str], None] = lambda _: None,
    **options: Any,  # noqa: ANN401 - the SDK's
) -> CachedCredential:
    """Return the credential that the *environment* offers, with a cached token.

    `docs/concepts/identity.md` has the table. *note* is called when a token that is still
    valid cannot be refreshed.
    """
    kind = _kind(environment)
    make, remedy = _KINDS[kind]
    identities = Identities(environment, options)
    source = TokenSource(
        lambda policies: make(identities, policies), token_patience(patience), remedy
    )
    return CachedCredential(source, clock, patience.jitter, note)


_KINDS: Mapping[str, tuple[Callable[[Identities, Policies], Credential], str]] = {
    "GitHub": (
        Identities.github,
        "does the application trust this repository and environment? docs/concepts/identity.md",
    ),
    "WorkloadIdentityCredential": (
        Identities.workload,
        "does the application trust this service account? docs/concepts/identity.md",
    ),
    "EnvironmentCredential": (
        Identities.secret,
        (
            "has the secret or certificate expired? "
            "identities without are better: docs/concepts/identity.md"
        ),
    ),
    "ManagedIdentityCredential": (
        Identities.managed,
        "has this machine an identity? where it has several, AZURE_CLIENT_ID names one",
    ),
    "AzureCliCredential": (Identities.cli, "log in: az login"),
}
_CLIENT = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
_PROOFS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")


def _kind(environment: Mapping[str, str]) -> str:
    """Return the name of the identity that is asked for, else of the best that is offered."""
    complete = all(environment.get(name) for name in _CLIENT)
    wanted = environment.get("AZURE_TOKEN_CREDENTIALS")
    if wanted is None and complete and environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return "GitHub"
    if wanted is None and environment.get("AZURE_FEDERATED_TOKEN_FILE"):
        wanted = "WorkloadIdentityCredential"
    if wanted is None and any(environment.get(name) for name in _PROOFS):
        wanted = "EnvironmentCredential"
    wanted = wanted or "AzureCliCredential"
    named = [name for name in _KINDS if name.endswith("Credential")]
    if wanted not in named:
        raise CloudError(
            f"AZURE_TOKEN_CREDENTIALS is {wanted!r}",
            code="UnknownCredential",
            hint=f"it is one of {', '.join(sorted(named))}",
        )
    _require(environment, wanted)
    return wanted


def _require(environment: Mapping[str, str], kind: str) -> None:
    needs: dict[str, tuple[str, ...]] = {
        "WorkloadIdentityCredential": (*_CLIENT, "AZURE_FEDERATED_TOKEN_FILE"),
        "EnvironmentCredential": _CLIENT,
    }
    missing = [name for name in needs.get(kind, ()) if not environment.get(name)]
    if kind == "EnvironmentCredential" and not any(environment.get(name) for name in _PROOFS):
        missing.append(" or ".join(_PROOFS))
    if missing:
        raise CloudError(
            f"{kind} needs {', '.join(missing)}",
            code="IncompleteIdentity",
            hint="set it in the environment, or name another in AZURE_TOKEN_CREDENTIALS",
        )
