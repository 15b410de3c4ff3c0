"""What GitHub says that a job is, signed, for Azure to believe."""

# ruff: noqa: PLC0415 - azure-core takes a tenth of a second to import

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from imagebake.cloud.token_source import TIMEOUTS, Policies
from imagebake.kernel.errors import CloudError

_AUDIENCE = "api://AzureADTokenExchange"
_OK = 200


def github_assertion(
    environment: Mapping[str, str], policies: Policies, options: Mapping[str, Any]
) -> str:
    """The token of this job, made for Azure; it is good for some minutes, so nobody keeps it."""
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
    plain = [one for one in policies() if not isinstance(one, ContentDecodePolicy)]
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
