"""Contract of the wire: statuses, headers and operation documents."""

from __future__ import annotations

import re
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from imagebake.emulator.calls import Pace
from tests.support.emulators import (
    GROUP_ID,
    SUBSCRIPTION,
    Azure,
    Clock,
    RecordingBuilder,
    a_definition,
    a_template,
)
from tests.support.scale_sets import create

GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
IMAGES = f"{GROUP_ID}/providers/Microsoft.VirtualMachineImages/imageTemplates"
GALLERIES = f"{GROUP_ID}/providers/Microsoft.Compute/galleries"
SCALE_SETS = f"{GROUP_ID}/providers/Microsoft.Compute/virtualMachineScaleSets"


def _send(arm: Azure, method: str, path: str, body: Any = None, **options: Any) -> Any:  # noqa: ANN401
    url = path if path.startswith("https:") else arm.url + path
    if "?" not in url:
        url += "?api-version=2025-10-01"
    return arm.images.send_request(HttpRequest(method, url, json=body, **options))


def _operation(arm: Azure, location: str, path: str, provider: str) -> str:
    return (
        f"{re.escape(arm.url)}/subscriptions/{SUBSCRIPTION}/providers/{provider}"
        f"/locations/{location}/{path}/{GUID}\\?api-version=2025-10-01"
    )


def _images_operation(arm: Azure) -> str:
    return _operation(arm, "westeurope", "operations", "Microsoft.VirtualMachineImages")


@pytest.mark.emulator_only("expects its hint to ask again soon")
def test_a_new_template_is_answered_with_201_and_an_operation(arm: Azure) -> None:
    arm.shelf()

    answer = _send(arm, "PUT", f"{IMAGES}/one", a_template())

    assert answer.status_code == 201
    assert re.fullmatch(_images_operation(arm), answer.headers["Azure-AsyncOperation"])
    assert "Location" not in answer.headers
    assert "Retry-After" not in answer.headers
    assert answer.headers["retry-after-ms"] == "20"
    properties = answer.json()["properties"]
    assert properties["provisioningState"] == "Creating"
    assert properties["exactStagingResourceGroup"] == ""


def test_a_run_is_answered_with_202_one_address_twice_and_nothing_else(arm: Azure) -> None:
    arm.shelf()
    arm.template()

    answer = _send(arm, "POST", f"{IMAGES}/one/run")

    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["Location"] == answer.headers["Azure-AsyncOperation"]
    assert re.fullmatch(_images_operation(arm), answer.headers["Location"])


def test_a_cancellation_is_answered_with_204_at_once(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    builder.hold = True
    _send(arm, "POST", f"{IMAGES}/one/run")

    answer = _send(arm, "POST", f"{IMAGES}/one/cancel")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "Azure-AsyncOperation" not in answer.headers


def test_a_run_that_is_being_cancelled_says_so(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    builder.hold = True
    builder.deaf = True
    _send(arm, "POST", f"{IMAGES}/one/run")
    _send(arm, "POST", f"{IMAGES}/one/cancel")

    status = _send(arm, "GET", f"{IMAGES}/one").json()["properties"]["lastRunStatus"]

    assert (status["runState"], status["message"]) == ("Canceling", "Canceling image build")
    assert status["endTime"] == "0001-01-01T00:00:00Z"
    refusal = _send(arm, "DELETE", f"{IMAGES}/one")
    assert refusal.json()["error"]["message"].endswith("run state: canceling.")
    builder.released.set()


def test_an_operation_has_no_end_before_it_ends(arm: Azure, clock: Clock) -> None:
    arm.shelf()
    arm.emulator.pace = Pace(operation=60)
    created = _send(arm, "PUT", f"{IMAGES}/one", a_template())
    where = created.headers["Azure-AsyncOperation"]

    early = _send(arm, "GET", where)
    clock.turn(seconds=30)
    later = _send(arm, "GET", where)
    clock.turn(seconds=30)
    done = _send(arm, "GET", where)

    name = where.split("/")[-1].split("?")[0]
    started = {"name": name, "startTime": "2026-11-22T12:00:00Z"}
    assert early.json() == started | {"status": "InProgress"}
    assert early.headers["retry-after-ms"] == "20"
    assert later.headers["retry-after-ms"] == "500"
    assert done.json() == started | {"status": "Succeeded", "endTime": "2026-11-22T12:01:00Z"}
    assert "retry-after-ms" not in done.headers


@pytest.mark.emulator_only("counts requests from the first")
def test_compute_calls_its_operations_caps_and_counts_what_is_left(arm: Azure) -> None:
    answer = _send(arm, "PUT", f"{GALLERIES}/shelf", {"location": "westeurope"})
    again = _send(arm, "PUT", f"{GALLERIES}/shelf", {"location": "westeurope"})

    wanted = _operation(arm, "westeurope", "capsOperations", "Microsoft.Compute")
    assert answer.status_code == 201
    assert re.fullmatch(wanted, answer.headers["Azure-AsyncOperation"])
    assert answer.headers["x-ms-ratelimit-remaining-resource"] == (
        "Microsoft.Compute/CreateUpdateGallery3Min;49,"
        "Microsoft.Compute/CreateUpdateGallery30Min;299"
    )
    assert again.status_code == 200
    assert again.headers["x-ms-ratelimit-remaining-resource"].startswith(
        "Microsoft.Compute/CreateUpdateGallery3Min;48"
    )


def test_a_deletion_can_be_followed_by_its_location_alone(arm: Azure, clock: Clock) -> None:
    arm.shelf()
    arm.version("1.0.0")
    arm.emulator.pace = Pace(operation=10)

    answer = _send(arm, "DELETE", f"{GALLERIES}/shelf/images/demo/versions/1.0.0")
    under_way = _send(arm, "GET", answer.headers["Location"])
    clock.turn(seconds=10)
    done = _send(arm, "GET", answer.headers["Location"])

    assert [each.status_code for each in (answer, under_way, done)] == [202, 202, 204]


def test_an_action_can_be_followed_by_its_location_alone(arm: Azure, clock: Clock) -> None:
    arm.shelf()
    arm.version("1.0.0")
    create(arm)
    arm.emulator.pace = Pace(operation=10)

    answer = _send(arm, "POST", f"{SCALE_SETS}/web/delete", {"instanceIds": ["0"]})
    under_way = _send(arm, "GET", answer.headers["Location"])
    clock.turn(seconds=10)
    done = _send(arm, "GET", answer.headers["Location"])

    assert [each.status_code for each in (answer, under_way, done)] == [202, 202, 200]
    assert done.content == b""


def test_what_is_not_there_is_deleted_with_204(arm: Azure) -> None:
    for path in (f"{IMAGES}/never", f"{GALLERIES}/never"):
        assert _send(arm, "DELETE", path).status_code == 204


@pytest.mark.emulator_only("counts requests from the first")
def test_every_answer_can_be_traced(arm: Azure) -> None:
    headers = {
        "x-ms-correlation-request-id": "11111111-0000-0000-0000-000000000000",
        "x-ms-client-request-id": "mine",
        "x-ms-return-client-request-id": "true",
    }

    answer = _send(arm, "GET", f"{GALLERIES}/never", headers=headers)

    assert answer.headers["x-ms-correlation-request-id"] == headers["x-ms-correlation-request-id"]
    assert answer.headers["x-ms-client-request-id"] == "mine"
    assert re.fullmatch(GUID, answer.headers["x-ms-request-id"])
    assert answer.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"


def test_an_operation_that_never_was_is_not_found(arm: Azure) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/uksouth"

    answer = _send(arm, "GET", f"{path}/capsOperations/never")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("query", "code"),
    [("?x=1", "MissingApiVersionParameter"), ("?api-version=soon", "InvalidApiVersionParameter")],
)
def test_every_request_has_an_api_version(arm: Azure, query: str, code: str) -> None:
    answer = _send(arm, "GET", f"{GALLERIES}{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_body_is_a_json_object(arm: Azure, content: bytes) -> None:
    url = f"{arm.url}{GALLERIES}/shelf?api-version=2025-10-01"
    headers = {"Content-Type": "application/json"}

    answer = arm.images.send_request(HttpRequest("PUT", url, content=content, headers=headers))

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidRequestContent"


def test_doubled_slashes_and_odd_case_lead_to_the_same_place(arm: Azure) -> None:
    arm.gallery()
    odd = GALLERIES.replace("/providers", "//PROVIDERS").replace("galleries", "Galleries")

    answer = _send(arm, "GET", f"{odd}/SHELF")

    assert (answer.status_code, answer.json()["name"]) == (200, "shelf")


@pytest.mark.emulator_only("says what is not emulated")
def test_what_is_not_emulated_says_so(arm: Azure) -> None:
    answer = _send(arm, "GET", f"{GROUP_ID}/providers/Microsoft.Compute/disks/d")
    wrong = _send(arm, "POST", f"{GALLERIES}/shelf", {})

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "InvalidResourceType"
    assert wrong.status_code == 405


def test_an_error_has_one_shape(arm: Azure) -> None:
    arm.gallery()
    body = {"location": "westeurope", "properties": a_definition(osType="BeOS")}

    answer = _send(arm, "PUT", f"{GALLERIES}/shelf/images/demo", body)

    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message"}
