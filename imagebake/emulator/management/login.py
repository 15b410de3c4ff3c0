"""Who am I talking to, and a token please: what clients ask for before anything else.

Nothing here keeps anyone out: the server listens on loopback alone, every client id and every
secret is as good as another, and every token is accepted, but for one of ours that has expired.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError

TENANT = "22222222-2222-2222-2222-222222222222"
_SEAL = ".unsigned"


def endpoints(call: Call) -> Reply:
    """The cloud's description, as `az cloud register --endpoint-resource-manager` reads it."""
    base = call.base
    document = {
        "name": "imagebake",
        "portal": base,
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
    return Reply(200, document if call.api_version >= "2022" else [document])


def openid(call: Call) -> Reply:
    """Where tokens are to be had."""
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
    """The instance discovery that MSAL insists on."""
    where = f"{call.base}/common/v2.0/.well-known/openid-configuration"
    return Reply(200, {"tenant_discovery_endpoint": where, "metadata": []})


def token(call: Call) -> Reply:
    """A token for whoever asks."""
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
    """Whether *token* is one of ours, and its life was over at *time*."""
    if not token.endswith(_SEAL):
        return False
    claims = token.split(".")[1]
    return bool(
        json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"] < time
    )


def refusal(path: str, error: ArmError) -> dict[str, Any]:
    """The body that refuses a request: where tokens are had it is spelled as OAuth spells it."""
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
