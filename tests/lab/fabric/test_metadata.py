from __future__ import annotations

import json

import pytest

from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import METADATA, IdentityFault
from tests.lab.fabric.conftest import MACHINE, Wires

INSTANCE = "/metadata/instance?api-version=2021-08-01&extended=true"
IDENTITY = "/metadata/identity/oauth2/token?api-version=2018-02-01"


def test_the_instance_is_what_cloud_init_asks_for(fabric: Fabric, wires: Wires) -> None:
    document = json.loads(wires.ask(METADATA, INSTANCE, Metadata="true").body)

    compute = document["compute"]
    assert compute["vmId"] == MACHINE.vm_id
    assert compute["osProfile"] == {
        "adminUsername": "azureuser",
        "computerName": "web-1",
        "disablePasswordAuthentication": "true",
    }
    assert compute["publicKeys"][0]["keyData"] == MACHINE.public_key
    assert compute["tagsList"] == [{"name": "ring", "value": "canary"}]
    (interface,) = document["network"]["interface"]
    assert interface["macAddress"] == "000D3AAABB01"
    assert interface["ipv4"]["ipAddress"][0]["privateIpAddress"] == "10.1.0.4"
    assert document["extended"]["compute"]["ppsType"] == "None"


def test_a_part_of_the_instance_can_be_asked_for(fabric: Fabric, wires: Wires) -> None:
    whole = json.loads(wires.ask(METADATA, INSTANCE, Metadata="true").body)

    for part in ("compute", "network"):
        target = f"/metadata/instance/{part}?api-version=2021-08-01"
        assert json.loads(wires.ask(METADATA, target, Metadata="true").body) == whole[part]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Metadata": "false"}, {"Metadata": "true", "X_Forwarded_For": "10.0.0.1"}],
    ids=["no header", "false", "through a proxy"],
)
@pytest.mark.parametrize("target", [INSTANCE, f"{IDENTITY}&resource=r"])
def test_who_cannot_set_the_header_gets_nothing(
    fabric: Fabric, wires: Wires, headers: dict[str, str], target: str
) -> None:
    reply = wires.ask(METADATA, target, **headers)  # type: ignore[arg-type]

    assert reply.status == 400
    assert MACHINE.vm_id.encode() not in reply.body


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/metadata/instance", 400),
        ("/metadata/reprovisiondata?api-version=2019-06-01", 404),
        ("/metadata/versions", 200),
        ("/metadata/scheduledevents?api-version=2020-07-01", 200),
        (IDENTITY, 400),
        ("/metadata/identity/info?api-version=2018-02-01", 404),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    fabric: Fabric, wires: Wires, target: str, status: int
) -> None:
    assert wires.ask(METADATA, target, Metadata="true").status == status


def test_metadata_is_read_only(fabric: Fabric, wires: Wires) -> None:
    assert wires.ask(METADATA, INSTANCE, method="PUT", body=b"", Metadata="true").status == 405


def test_a_token_is_for_what_was_asked_and_for_a_day(fabric: Fabric, wires: Wires) -> None:
    reply = wires.ask(METADATA, f"{IDENTITY}&resource=https://vault.test", Metadata="true")

    granted = json.loads(reply.body)
    assert granted["resource"] == "https://vault.test"
    assert int(granted["expires_on"]) - int(granted["not_before"]) == 24 * 3600
    assert wires.requests[-1].path.endswith("resource=https://vault.test")


def test_a_slow_identity_service_outlasts_the_impatient(fabric: Fabric, wires: Wires) -> None:
    fabric.set_identity(IdentityFault.SLOW)

    with pytest.raises(TimeoutError):
        wires.ask(METADATA, f"{IDENTITY}&resource=r", timeout=0.1, Metadata="true")
