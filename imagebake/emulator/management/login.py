"""Cloud metadata, OpenID discovery and tokens: what clients request first.

Nothing here authenticates: the server listens on loopback only, every client id and secret is
accepted, and so is every token except an expired one of ours.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError

TENANT = "22222222-2222-2222-2222-222222222222"
# Marks our own tokens, which expire; any other token is accepted for good.
_SEAL = ".unsigned"


def endpoints(call: Call) -> Reply:
    """Return the cloud metadata that `az cloud register --endpoint-resource-manager` reads."""
    base = call.base
    document = {
        "name": "imagebake",
        "portal": base,
        # ADFS makes az and MSAL take this authority as it is, without asking Entra ID about it.
        "authentication": {
            "loginEndpoint": f"{base}/adfs",
            "audiences": [base],
            "tenant": TENANT,
            "identityProvider": "ADFS",
        },
        "resourceManager": base,
        "graph": f"{base}/graph",
        "graphAudience": base,
        "microsoftGraphResourceId": f"{base}/graph",
        "media": base,
        "gallery": base,
        "batch": base,
        "sqlManagement": base,
        "suffixes": {
            "storage": "localhost",
            "keyVaultDns": "vault.localhost",
            "acrLoginServer": "azurecr.localhost",
        },
    }
    # Older api-versions return a list of clouds, newer ones a single cloud.
    return Reply(200, document if call.api_version >= "2022" else [document])


def openid(call: Call) -> Reply:
    """Return the OpenID configuration with the token endpoint."""
    tenant = call.names["tenant"]
    root = f"{call.base}/{tenant}"
    token = f"{root}/oauth2/token" if tenant == "adfs" else f"{root}/oauth2/v2.0/token"
    return Reply(
        200,
        {
            "token_endpoint": token,
            "authorization_endpoint": f"{root}/oauth2/authorize",
            "device_authorization_endpoint": f"{root}/oauth2/devicecode",
            "issuer": root,
            "jwks_uri": f"{root}/keys",
        },
    )


def discovery(call: Call) -> Reply:
    """Return the instance discovery document, which MSAL requires."""
    where = f"{call.base}/common/v2.0/.well-known/openid-configuration"
    return Reply(200, {"tenant_discovery_endpoint": where, "metadata": []})


def token(call: Call) -> Reply:
    """Issue a token to any client."""
    return Reply(
        200,
        {
            "token_type": "Bearer",
            "expires_in": int(call.pace.token),
            "ext_expires_in": int(call.pace.token),
            "access_token": _token(call, call.form.get("client_id", "anyone")),
        },
    )


def has_expired(token: str, time: float) -> bool:
    """Return whether *token* is one of ours that had expired at *time*."""
    if not token.endswith(_SEAL):
        return False
    claims = token.split(".")[1]
    return bool(
        json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"] < time
    )


def refusal(path: str, error: ArmError) -> dict[str, Any]:
    """Return the error body; for token endpoints in OAuth's format."""
    if path.endswith("/token"):
        return {"error": error.code, "error_description": error.message}
    return error.body


def _token(call: Call, client: str) -> str:
    issued = int(call.time)
    claims = {
        "aud": call.base,
        "iss": call.base,
        "appid": client,
        "oid": client,
        "tid": TENANT,
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(call.pace.token),
    }
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}{_SEAL}"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


ROUTES = (
    Route("GET", "/metadata/endpoints", endpoints, open=True),
    Route("GET", "/common/discovery/instance", discovery, open=True),
    Route("GET", "/<tenant>/.well-known/openid-configuration", openid, open=True),
    Route("GET", "/<tenant>/v2.0/.well-known/openid-configuration", openid, open=True),
    Route("POST", "/<tenant>/oauth2/token", token, open=True),
    Route("POST", "/<tenant>/oauth2/v2.0/token", token, open=True),
)
