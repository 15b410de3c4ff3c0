from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading

import pytest

from imagebake.lab.fabric import fabric_settings
from imagebake.lab.fabric.exchange import RequestRecord, Service
from imagebake.lab.fabric.extension_store import (
    NEWER_AGENT,
    ExtensionStore,
    agent_manifest_urls,
    manifest_urls,
)
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import (
    GATEWAY,
    METADATA,
    STORE,
    WIRE_SERVER,
    GatewayMode,
    GoalState,
    GoalStateSource,
    IdentityFault,
    StoreMode,
)
from imagebake.lab.fabric.sample_extension import sample_package
from tests.lab.fabric.conftest import HELLO, MACHINE, NOW, Wires, parsed

GOAL_STATE = "/machine/?comp=goalstate"
MANIFEST = manifest_urls(HELLO)[0]
PACKAGE = MANIFEST.replace("_manifest.xml", "__1.2.3.0.zip")
READY = b"<Health><State>Ready</State></Health>"
STATUS = {"aggregateStatus": {"guestAgentStatus": {"version": "2.12.0.2", "status": "Ready"}}}


def versions_in(manifest: bytes) -> list[str]:
    return [node.text or "" for node in parsed(manifest).iter("Version")]


def incarnation(wires: Wires) -> str | None:
    return parsed(wires.ask(WIRE_SERVER, GOAL_STATE).body).findtext("Incarnation")


def test_the_fabric_is_where_azure_has_it(fabric: Fabric, wires: Wires) -> None:
    assert set(wires.sockets) == {
        ("168.63.129.16", 80),
        ("168.63.129.16", 32526),
        ("169.254.169.254", 80),
        ("203.0.113.10", 443),
    }


def test_the_wire_server_speaks_the_agents_protocol(fabric: Fabric, wires: Wires) -> None:
    assert "2012-11-30" in versions_in(wires.ask(WIRE_SERVER, "/?comp=versions").body)


def test_a_new_goal_state_has_a_new_incarnation_and_the_extensions(
    fabric: Fabric, wires: Wires
) -> None:
    before = incarnation(wires)

    fabric.set_goal_state(GoalState(extensions=(HELLO,)))

    assert (before, incarnation(wires)) == ("1", "2")
    goal = parsed(wires.ask(WIRE_SERVER, GOAL_STATE).body)
    url = goal.findtext(".//ExtensionsConfig") or ""
    config = parsed(wires.ask(WIRE_SERVER, url.removeprefix("http://168.63.129.16:80")).body)
    assert [node.get("name") for node in config.findall("Plugins/Plugin")] == [HELLO.name]


def test_fast_track_comes_by_the_gateway_alone(fabric: Fabric, wires: Wires) -> None:
    before = wires.ask(GATEWAY, "/vmSettings")

    fabric.set_goal_state(GoalState(extensions=(HELLO,), source=GoalStateSource.FAST_TRACK))

    after = wires.ask(GATEWAY, "/vmSettings", If_None_Match=before.headers["etag"])
    again = wires.ask(GATEWAY, "/vmSettings", If_None_Match=after.headers["etag"])
    assert json.loads(before.body)["extensionGoalStatesSource"] == "Fabric"
    assert json.loads(after.body)["extensionGoalStatesSource"] == "FastTrack"
    assert (again.status, again.body) == (304, b"")
    assert incarnation(wires) == "1"


def test_certificates_are_for_who_shows_a_certificate(fabric: Fabric, wires: Wires) -> None:
    assert wires.ask(WIRE_SERVER, "/machine/c/i?comp=certificates").status == 400


@pytest.mark.parametrize("target", ["/", "/machine?comp=secrets", "/machine?comp=config&type=x"])
def test_what_the_wire_server_does_not_know_is_not_found(
    fabric: Fabric, wires: Wires, target: str
) -> None:
    assert wires.ask(WIRE_SERVER, target).status == 404
    assert wires.ask(WIRE_SERVER, target, method="POST", body=b"").status == 404


def test_provisioning_is_cloud_inits_word_and_not_the_agents(fabric: Fabric, wires: Wires) -> None:
    def report(body: bytes, agent: str) -> None:
        wires.ask(WIRE_SERVER, "/machine?comp=health", method="POST", body=body, User_Agent=agent)

    report(READY, "WALinuxAgent/2.7.3.0")
    assert fabric.provisioning() is None

    report(READY.replace(b"Ready", b"NotReady"), "Cloud-Init/22.4.2")
    assert fabric.provisioning() == "NotReady"

    report(READY, "Cloud-Init/22.4.2")
    assert fabric.provisioning() == "Ready"
    assert [one.sender for one in fabric.health] == ["agent", "cloud-init", "cloud-init"]


def test_a_status_is_taken_by_the_gateway_and_by_the_store(fabric: Fabric, wires: Wires) -> None:
    newer = json.loads(json.dumps(STATUS).replace("2.12", "2.13"))
    content = base64.b64encode(json.dumps(STATUS).encode()).decode()

    wires.ask(GATEWAY, "/status", method="PUT", body=json.dumps({"content": content}).encode())
    first = fabric.agent_status()
    url = f"https://{fabric_settings.STATUS_HOST}/$system/machine.status?sig=secret"
    put = wires.download(url, fabric.ca, method="PUT", body=json.dumps(newer).encode())
    second = fabric.agent_status()

    assert put.status == 201
    assert first is not None
    assert second is not None
    assert (first.version, second.version) == ("2.12.0.2", "2.13.0.2")


def test_the_store_proves_who_it_is_as_strictly_as_new_pythons_ask(
    fabric: Fabric, wires: Wires
) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))

    assert wires.download(PACKAGE, fabric.ca).body == sample_package()


def test_manifests_advertise_a_newer_patch_and_a_newer_agent(fabric: Fabric, wires: Wires) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))

    handler = wires.download(MANIFEST, fabric.ca).body
    agent = wires.download(agent_manifest_urls()[1], fabric.ca).body

    assert versions_in(handler) == ["1.2.3.0", "1.2.3.1"]
    assert versions_in(agent) == [NEWER_AGENT]


def test_what_nobody_published_is_not_found(fabric: Fabric, wires: Wires) -> None:
    assert wires.download(MANIFEST, fabric.ca).status == 404
    assert wires.download(PACKAGE, fabric.ca).status == 404


@pytest.mark.parametrize(
    ("mode", "code"),
    [("403", "AuthorizationFailure"), ("404", "ResourceNotFound"),
     ("409", "PublicAccessNotPermitted")],
)  # fmt: skip
def test_a_store_that_refuses_says_so_as_azure_does(
    fabric: Fabric, wires: Wires, mode: str, code: str
) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))
    fabric.set_store(StoreMode(mode))

    reply = wires.download(PACKAGE, fabric.ca)

    assert (reply.status, reply.headers["x-ms-error-code"]) == (int(mode), code)
    assert parsed(reply.body).findtext("Code") == code


def test_wrong_bytes_are_as_many_and_none_is_right(fabric: Fabric, wires: Wires) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))
    fabric.set_store(StoreMode.WRONG_BYTES)

    body = wires.download(PACKAGE, fabric.ca).body

    assert len(body) == len(sample_package())
    assert not any(ours == theirs for ours, theirs in zip(body, sample_package(), strict=True))


def test_a_truncated_package_ends_half_way(fabric: Fabric, wires: Wires) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))
    fabric.set_store(StoreMode.TRUNCATED)

    with pytest.raises(http.client.IncompleteRead):
        wires.download(PACKAGE, fabric.ca)

    assert wires.requests[-1].bytes_out == len(sample_package()) // 2


def test_a_reset_store_answers_nobody_and_is_recorded(fabric: Fabric, wires: Wires) -> None:
    fabric.set_store(StoreMode.RESET)

    with pytest.raises(ConnectionResetError):
        wires.download(PACKAGE, fabric.ca)

    assert (wires.requests[-1].status, wires.requests[-1].bytes_out) == (0, 0)
    assert wires.requests[-1].host == fabric_settings.STORE_HOSTS[0]


def test_a_slow_store_takes_its_time_and_gives_everything(fabric: Fabric, wires: Wires) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))
    fabric.set_store(StoreMode.SLOW)

    with pytest.raises(TimeoutError):
        wires.download(PACKAGE, fabric.ca, timeout=0.1)

    assert wires.download(PACKAGE, fabric.ca).body == sample_package()


def test_a_black_hole_swallows_the_store_and_nothing_else(fabric: Fabric, wires: Wires) -> None:
    fabric.set_store(StoreMode.BLACK_HOLE)

    with pytest.raises(TimeoutError):
        wires.download(PACKAGE, fabric.ca, timeout=0.2)

    assert incarnation(wires) == "1"
    fabric.set_store(StoreMode.UP)
    assert wires.download(agent_manifest_urls()[0], fabric.ca).status == 200


THROUGH = [
    (GatewayMode.SAME, StoreMode.UP, 200),
    (GatewayMode.SAME, StoreMode.FORBIDDEN, 403),
    (GatewayMode.SAME, StoreMode.PUBLIC_ACCESS_DENIED, 409),
    (GatewayMode.SAME, StoreMode.RESET, 502),
    (GatewayMode.SAME, StoreMode.BLACK_HOLE, 502),
    (GatewayMode.HEALTHY, StoreMode.BLACK_HOLE, 200),
    (GatewayMode.HEALTHY, StoreMode.PUBLIC_ACCESS_DENIED, 200),
    (GatewayMode.BAD_GATEWAY, StoreMode.UP, 502),
]


@pytest.mark.parametrize(("gateway", "store", "status"), THROUGH)
def test_the_gateway_fetches_from_the_same_store_unless_told_otherwise(
    fabric: Fabric, wires: Wires, gateway: GatewayMode, store: StoreMode, status: int
) -> None:
    fabric.set_goal_state(GoalState(extensions=(HELLO,)))
    fabric.set_store(store)
    fabric.set_gateway(gateway)

    reply = wires.ask(GATEWAY, "/extensionArtifact", x_ms_artifact_location=f"{PACKAGE}?sig=no")

    assert reply.status == status
    assert (reply.body == sample_package()) == (status == 200)
    assert wires.requests[-1].artifact == PACKAGE


def test_every_exchange_is_recorded_while_who_asked_still_waits() -> None:
    wires, told, go_on = Wires(), threading.Event(), threading.Event()
    requests: list[RequestRecord] = []

    def on_request(request: RequestRecord) -> None:
        requests.append(request)
        told.set()
        assert go_on.wait(10)

    with Fabric(
        MACHINE, listen=wires.listen, store=ExtensionStore(), now=lambda: NOW, on_request=on_request
    ), socket.create_connection(("127.0.0.1", wires.port(WIRE_SERVER))) as client:  # fmt: skip
        client.sendall(b"GET /machine/?comp=goalstate HTTP/1.0\r\nHost: 168.63.129.16\r\n\r\n")
        assert told.wait(10)
        client.setblocking(False)  # noqa: FBT003 - the standard library's own
        with pytest.raises(BlockingIOError):
            client.recv(1)
        go_on.set()

    (request,) = requests
    assert (request.service, request.method, request.path) == (
        Service.WIRE_SERVER, "GET", "/machine/?comp=goalstate",
    )  # fmt: skip
    assert (request.host, request.address, request.status) == (
        "168.63.129.16", "168.63.129.16", 200,
    )  # fmt: skip
    assert request.peer.port > 0


def test_no_secret_of_an_address_is_recorded(fabric: Fabric, wires: Wires) -> None:
    wires.download(f"{PACKAGE}?sv=1&sig=hush", fabric.ca)

    assert wires.requests[-1].path == "/Contoso.Demo.Hello/Contoso.Demo.Hello__1.2.3.0.zip"


def test_a_client_that_does_not_trust_the_store_is_recorded_with_the_name_it_wanted(
    fabric: Fabric, wires: Wires
) -> None:
    stranger = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", wires.port(STORE))) as plain:
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.wrap_socket(plain, server_hostname=fabric_settings.STORE_HOSTS[1])
        fabric.wait(lambda: wires.requests, 10)

    assert wires.requests[-1].host == fabric_settings.STORE_HOSTS[1]
    assert (wires.requests[-1].method, wires.requests[-1].status) == ("", 0)


def test_waiting_ends_when_it_happens_and_not_before(fabric: Fabric, wires: Wires) -> None:
    content = base64.b64encode(json.dumps(STATUS).encode()).decode()
    body = json.dumps({"content": content}).encode()
    sender = threading.Timer(0.05, lambda: wires.ask(GATEWAY, "/status", method="PUT", body=body))
    sender.start()

    status = fabric.wait(fabric.agent_status, 10)
    sender.join()

    assert status is not None
    assert status.ready
    assert fabric.wait(lambda: False, 0.01) is False


def test_a_closed_fabric_leaves_no_thread_and_no_socket(wires: Wires) -> None:
    before = set(threading.enumerate())

    with Fabric(MACHINE, listen=wires.listen, store=ExtensionStore(), now=lambda: NOW):
        wires.ask(WIRE_SERVER, GOAL_STATE)

    assert set(threading.enumerate()) <= before
    assert all(opened.fileno() == -1 for opened in wires.sockets.values())


def test_a_fabric_that_cannot_have_all_its_sockets_keeps_none() -> None:
    wires = Wires()

    def listen(address: str, port: int) -> socket.socket:
        if (address, port) == STORE:
            raise OSError(98, "Address already in use")
        return wires.listen(address, port)

    with (
        pytest.raises(OSError, match="already in use"),
        Fabric(MACHINE, listen=listen, store=ExtensionStore(), now=lambda: NOW),
    ):
        pass

    assert all(opened.fileno() == -1 for opened in wires.sockets.values())


@pytest.mark.parametrize("fault", IdentityFault)
def test_the_identity_service_fails_alone(
    fabric: Fabric, wires: Wires, fault: IdentityFault
) -> None:
    fabric.set_identity(fault)
    asked = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.test"

    reply = wires.ask(METADATA, asked, Metadata="true")

    expected = {IdentityFault.THROTTLED: 429, IdentityFault.BROKEN: 500}.get(fault, 200)
    assert reply.status == expected
    assert wires.requests[-1].service is Service.IDENTITY
    instance = wires.ask(METADATA, "/metadata/instance?api-version=2021-08-01", Metadata="true")
    assert instance.status == 200
