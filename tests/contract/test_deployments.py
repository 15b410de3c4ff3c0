"""Contract of ARM template deployments: dependency order, expressions, failures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.resources.deployments import deploy
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import CloudError
from tests.support.bake_services import an_endpoint, quick
from tests.support.emulators import GROUP, GROUP_ID

DEPLOYMENT = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/one"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
API = "?api-version=2024-11-01"


@pytest.fixture
def clients(emulator: Emulator) -> Iterator[Clients]:
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
        yield clients


def identity(name: str, /, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    fields = {"type": IDENTITIES, "apiVersion": "2023-01-31", "name": name}
    return fields | {"location": "westeurope"} | changes


def named(name: str) -> str:
    return f"{GROUP_ID}/providers/{IDENTITIES}/{name}"


def body(*resources: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    template = {"resources": list(resources), "parameters": {"tags": {"defaultValue": {"a": "b"}}}}
    return {"properties": {"mode": "Incremental", "template": template | changes}}


def test_resources_are_made_in_order_and_what_fails_is_told(clients: Clients) -> None:
    first = identity("first", tags="[parameters('tags')]")
    second = identity(
        "second",
        dependsOn=[named("first")],
        tags={
            "of": f"[reference('{named('first')}', '2023-01-31').principalId]",
            "text": "[[in brackets]",
        },
    )
    third = identity("third", dependsOn=[named("second")], location="atlantis")
    template = body(third, second, first)["properties"]["template"]

    with pytest.raises(CloudError, match=r"cannot deploy one: LocationNotAvailable.*atlantis"):
        deploy(clients, "one", template, {}, group=GROUP, location="")

    made = clients.send("read", "GET", f"{named('first')}{API}")
    after = clients.send("read", "GET", f"{named('second')}{API}")
    properties = clients.send("read", "GET", f"{DEPLOYMENT}{API}")["properties"]
    assert made["tags"] == {"a": "b"}
    assert after["tags"] == {"of": made["properties"]["principalId"], "text": "[in brackets]"}
    assert properties["provisioningState"] == "Failed"
    assert [resource["id"] for resource in properties["outputResources"]] == [
        named("first"),
        named("second"),
    ]


BROKEN: tuple[tuple[list[dict[str, Any]], dict[str, Any], str], ...] = (
    ([identity("")], {}, "missing the required"),
    ([identity("a/b")], {}, "incorrect segment lengths"),
    ([identity("a"), identity("A")], {}, "defined multiple times"),
    ([identity("a", dependsOn=[named("b")])], {}, "is not defined in the"),
    (
        [identity("a", dependsOn=[named("b")]), identity("b", dependsOn=[named("a")])],
        {},
        "circular dependency",
    ),
    ([identity("a", tags="[parameters('x')]")], {}, "'x' is not found"),
    ([identity("a")], {"parameters": {"x": {}}}, "is not provided"),
    ([identity("[concat('a')]")], {}, "is not emulated"),
    ([identity("a", type="A.B/c")], {}, "cannot be deployed here"),
)


def test_a_template_that_cannot_be_read_is_refused_and_changes_nothing(clients: Clients) -> None:
    for resources, changes, why in BROKEN:
        with pytest.raises(CloudError, match=f"InvalidTemplate: .*{why}"):
            clients.send("ask", "POST", f"{DEPLOYMENT}/validate{API}", body(*resources, **changes))


def test_only_the_incremental_mode_is_emulated(clients: Clients) -> None:
    complete = body(identity("a"))
    complete["properties"]["mode"] = "Complete"

    with pytest.raises(CloudError, match="only the mode 'Incremental' is emulated"):
        clients.send("ask", "PUT", f"{DEPLOYMENT}{API}", complete)


def test_what_would_happen_is_told_by_ids(clients: Clients) -> None:
    clients.send("make it", "PUT", f"{DEPLOYMENT}{API}", body(identity("a")))

    result = clients.send(
        "ask", "POST", f"{DEPLOYMENT}/whatIf{API}", body(identity("a"), identity("b"))
    )

    assert result["properties"]["changes"] == [
        {"resourceId": named("a"), "changeType": "Deploy"},
        {"resourceId": named("b"), "changeType": "Create"},
    ]
