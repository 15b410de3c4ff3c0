"""Whatever Azure says, and however it fails: no secret comes out of it."""

from __future__ import annotations

import json
import logging
import string
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.wrappers import Request, Response

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.error_text import refusal
from imagebake.azure.client.identity import LoopbackCredential
from imagebake.azure.client.retry import RetryClock
from imagebake.kernel import context
from imagebake.kernel.errors import BakeFailed, CloudError
from imagebake.kernel.text.redaction import redact
from tests.support.in_process import InProcess

PLACES = (
    "see https://storage.test/logs/customization.log?sv=2024&sig={} for more",
    "POST http://hook.test/a;b?{} failed",
    "HTTPSConnectionPool(host='x.test'): Max retries exceeded with url: https://x.test/?t={}",
    "the header Authorization: Bearer {} is not accepted",
    "sent with 'authorization': 'bearer {}'",
    "Authorization: Basic {}",
    'body {{"client_id": "me", "client_secret": "{}", "scope": "x"}}',
    "grant_type=client_credentials&client_assertion={}&scope=x",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.test",
    "SharedAccessSignature={}",
    "AZURE_CLIENT_SECRET={} was refused",
    "export PASSWORD='{}'",
    "access_token: '{}'",
    'refresh_token="{}"',
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
)
"""Where secrets stand in what services and libraries say."""

STRICT = (
    "https://user:{}@registry.test/v2/ refused",
    "token eyJhbGciOiJub25lIn0.{}.c2lnbmVk has expired",
)
"""Where a secret has no other letters than these."""
PLAIN = string.ascii_letters + string.digits + "-_"


def secrets(letters: str) -> st.SearchStrategy[str]:
    texts = st.text(letters, min_size=12, max_size=60)
    return texts.filter(lambda text: any(letter.isdigit() for letter in text))


planted = st.lists(
    st.tuples(st.sampled_from(PLACES), secrets(PLAIN + "+/~"))
    | st.tuples(st.sampled_from(STRICT), secrets(PLAIN)),
    min_size=1,
    max_size=3,
)


def text_with(found: list[tuple[str, str]]) -> str:
    return " and ".join(place.format(secret) for place, secret in found)


def leaked(found: list[tuple[str, str]], message: str) -> list[str]:
    return [secret for _, secret in found if secret in message]


KINDS = (ServiceRequestError, ServiceResponseError, ClientAuthenticationError, HttpResponseError)


@given(planted)
def test_no_secret_passes_the_door(found: list[tuple[str, str]]) -> None:
    assert leaked(found, redact(text_with(found))) == []


@given(planted)
def test_the_door_may_be_passed_twice(found: list[tuple[str, str]]) -> None:
    once = redact(text_with(found))

    assert redact(once) == once


@given(
    planted,
    st.sampled_from(
        [ServiceRequestError, ServiceResponseError, ClientAuthenticationError, HttpResponseError]
    ),
)
def test_no_secret_of_a_library_comes_out(
    found: list[tuple[str, str]], kind: type[AzureError]
) -> None:
    error = refusal(kind(text_with(found)), "bake")

    assert leaked(found, context.format_error(error)) == []


@given(planted)
def test_no_secret_of_an_error_of_ours_comes_out(found: list[tuple[str, str]]) -> None:
    text = text_with(found)
    for error in (CloudError(text, hint=text), BakeFailed(text, hint=text)):
        assert leaked(found, context.format_error(error)) == []
        assert leaked(found, str(error)) == []


@given(planted, st.sampled_from([400, 401, 403, 404, 409, 429, 500, 503]), st.sampled_from("pj"))
def test_no_secret_of_an_answer_comes_out(
    found: list[tuple[str, str]], status: int, kind: str
) -> None:
    error = answered(text_with(found), status, page=kind == "p")

    assert leaked(found, context.format_error(error)) == []


def answered(message: str, status: int, *, page: bool) -> CloudError:
    """What becomes of a refusal that is full of secrets, sent by the real clients."""

    def respond(_: Request) -> Response:
        headers = {
            "x-ms-correlation-request-id": message.encode("ascii", "ignore")
            .decode()
            .replace("\n", " ")
        }
        if page:
            return Response(f"<html>{message}</html>", status, headers, content_type="text/html")
        body = json.dumps({"error": {"code": message, "message": message}})
        return Response(body, status, headers, content_type="application/json")

    session = requests.Session()
    session.mount("https://", InProcess(respond))
    with Clients(an_endpoint(), hasty(), lambda: session) as clients:
        with pytest.raises(CloudError) as caught:
            clients.send("bake", "GET", "/subscriptions/x/resourceGroups/y?api-version=1")
        return caught.value


def an_endpoint() -> Endpoint:
    url = "https://arm.test"
    return Endpoint(
        base_url=url,
        scopes=(f"{url}/.default",),
        credential=LoopbackCredential(),
        subscription="x",
        resource_group="y",
        location="z",
    )


def hasty() -> RetryClock:
    return RetryClock(clock=lambda: 0.0, sleep=lambda _: None, jitter=lambda: 0.0, attempts=1)


def test_nothing_of_the_sdk_is_printed_unasked(capfd: pytest.CaptureFixture[str]) -> None:
    """Python prints warnings that no handler takes: with one for each library none is left."""
    for name in ("azure.identity", "azure.core", "msal.token_cache", "urllib3.connectionpool"):
        logger: Any = logging.getLogger(name)
        while logger and not logger.handlers:
            logger = logger.parent
        assert logger
        assert logger is not logging.getLogger(), name
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://a.test/b?sig=x.", "see https://a.test/b?…"),
        (
            "a https://x.test/p?sig=1&t=2 b (http://y.test?token=3) c",
            "a https://x.test/p?… b (http://y.test?…) c",
        ),
        ("the signature: 'x' is wrong", "the signature: '…' is wrong"),
        ("password=a b", "password=… b"),
    ],
)
def test_what_is_cut_leaves_the_rest(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Bearer token authentication is not permitted",
        "AADSTS7000215: Invalid client secret provided",
        "could not get a token: it is down",
        '{"code": "Conflict", "message": "it runs"}',
        "see https://aka.test/a/b.",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_long_texts_take_no_time() -> None:
    for text in ("a_" * 50_000, "token " * 20_000, "https://" * 20_000, "eyJ" * 30_000):
        redact(text)
