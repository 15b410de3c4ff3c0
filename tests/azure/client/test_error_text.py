from __future__ import annotations

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.core.rest import HttpRequest, HttpResponse

from imagebake.azure.client.error_text import refusal
from imagebake.azure.client.errors import Conflict, NotFound, OutcomeUnknown
from imagebake.kernel.context import format_error
from imagebake.kernel.errors import CloudError
from tests.azure.conftest import Answers


def refused(service: Answers, status: int, **headers: str) -> CloudError:
    service.then(status, **headers)
    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(service.url, policies=[])
    with client:
        response = client.send_request(HttpRequest("GET", service.url))
        with pytest.raises(HttpResponseError) as caught:
            response.raise_for_status()
    return refusal(caught.value, "read the thing")


def test_a_refusal_names_what_was_wanted_and_azures_ids(service: Answers) -> None:
    error = refused(service, 403, x_ms_correlation_request_id="1234")

    assert error.code == "Code403"
    assert error.correlation_id == "1234"
    assert error.exit_code == 6
    assert error.message == (
        "cannot read the thing: Code403: see https://a.test/b?… (correlation id 1234)"
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFound),
        (409, Conflict),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
        (400, CloudError),
    ],
)
def test_the_status_decides_about_the_kind(
    service: Answers, status: int, kind: type[CloudError]
) -> None:
    assert type(refused(service, status)) is kind


def test_silence_is_told_apart_from_refusal() -> None:
    error = refusal(ServiceRequestError("no route to https://h.test/x?sig=secret"), "list")

    assert isinstance(error, OutcomeUnknown)
    assert error.message == "cannot list: no answer: no route to https://h.test/x?…"


def test_who_has_no_token_is_told_to_log_in() -> None:
    error = refusal(ClientAuthenticationError("AADSTS50058: expired\nTrace"), "list")

    assert error.message == "cannot list: could not get a token: AADSTS50058: expired"
    assert error.hint == "log in: az login"


def test_what_is_in_the_catalogue_is_told_with_its_cause(service: Answers) -> None:
    error = refusal(ClientAuthenticationError("AADSTS700024: assertion"), "list")

    assert error.cause == "the workflow's assertion is older than its five minutes"
    assert "id-token: write" in str(error.hint)
    assert "  = cause: the workflow's" in format_error(error)
    assert refused(service, 418).cause is None
