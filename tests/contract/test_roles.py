"""Contract of Azure RBAC: role definitions, role assignments and the requests they allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.emulator.server import SUBSCRIPTION, Emulator
from imagebake.kernel.errors import CloudError
from tests.support.bake_services import an_endpoint, quick
from tests.support.bootstrapped_subscription import Token
from tests.support.emulators import GROUP_ID, Azure, a_template

IDENTITY = f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
AUTHORIZATION = "providers/Microsoft.Authorization"
ROLE = f"/subscriptions/{SUBSCRIPTION}/{AUTHORIZATION}/roleDefinitions/reader"
GALLERY = f"{GROUP_ID}/providers/Microsoft.Compute/galleries/shelf"
API = "?api-version=2022-04-01"


@dataclass(frozen=True, slots=True)
class Desk:
    """A client that may do everything, and an identity that has no role yet."""

    owner: Clients
    emulator: Emulator
    identity: dict[str, Any]

    def put(self, named: str, properties: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        return self.owner.send("write", "PUT", f"{named}{API}", {"properties": properties})

    def role(self, *actions: str, scopes: tuple[str, ...] = (GROUP_ID,)) -> None:
        properties = {"roleName": "reader", "permissions": [{"actions": list(actions)}]}
        self.put(ROLE, properties | {"assignableScopes": list(scopes)})

    def assign(self, scope: str, name: str = "one", **changes: str) -> Any:  # noqa: ANN401 - JSON
        principal = self.identity["properties"]["principalId"]
        properties = {"roleDefinitionId": ROLE, "principalId": principal} | changes
        return self.put(f"{scope}/{AUTHORIZATION}/roleAssignments/{name}", properties)


pytestmark = pytest.mark.emulator_only("asks with the identities of one of its own")


@pytest.fixture
def desk(emulator: Emulator, arm: Azure) -> Iterator[Desk]:
    arm.shelf()
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as owner:
        body = {"location": "westeurope"}
        made = owner.send("make it", "PUT", f"{IDENTITY}/somebody{API}", body)
        yield Desk(owner, emulator, made)


@pytest.fixture
def ask(desk: Desk) -> Iterator[Callable[..., Any]]:
    """Send a request as the identity."""
    token = Token(desk.identity["properties"]["clientId"])
    endpoint = an_endpoint(desk.emulator.url, desk.emulator.ca, credential=token)
    with Clients(endpoint, quick()) as clients:
        yield lambda method, path, body=None: clients.send("ask", method, f"{path}{API}", body)


def test_an_identity_may_do_what_its_role_permits_and_no_more(
    desk: Desk, ask: Callable[..., Any]
) -> None:
    desk.role("Microsoft.Compute/galleries/*/read", "Microsoft.Compute/galleries/read")
    desk.assign(GALLERY)

    assert ask("GET", GALLERY)["name"] == "shelf"
    assert ask("GET", f"{GALLERY}/images")["value"]
    with pytest.raises(CloudError, match=r"action 'microsoft\.compute/galleries/write' over"):
        ask("PUT", GALLERY, {"location": "westeurope"})
    with pytest.raises(CloudError, match="does not have authorization"):
        ask("GET", GALLERY.rpartition("/")[0])  # a list of the group, where it has no role
    with pytest.raises(CloudError, match="was not found"):  # an operation, but not one of ours
        ask(
            "GET",
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/x"
            "/capsOperations/0",
        )
    assert {action for action, _ in desk.emulator.exercised("somebody")} == {
        "microsoft.compute/galleries/read",
        "microsoft.compute/galleries/images/read",
    }


def test_what_a_request_names_must_be_allowed_too(desk: Desk, ask: Callable[..., Any]) -> None:
    desk.role("Microsoft.VirtualMachineImages/imageTemplates/write")
    desk.assign(GROUP_ID)
    template = f"{GROUP_ID}/providers/Microsoft.VirtualMachineImages/imageTemplates/one"

    with pytest.raises(CloudError, match=r"userassignedidentities/assign/action' over scope"):
        ask("PUT", template, a_template())


def test_an_assignment_is_checked(desk: Desk) -> None:
    desk.role("*", scopes=(GALLERY,))

    with pytest.raises(CloudError, match="RoleDefinitionDoesNotExist"):
        desk.assign(GALLERY, roleDefinitionId=f"{ROLE}-not")
    with pytest.raises(CloudError, match="PrincipalNotFound"):
        desk.assign(GALLERY, principalId="nobody")
    with pytest.raises(CloudError, match="RoleDefinitionNotAssignable"):
        desk.assign(GROUP_ID)
    assert desk.assign(GALLERY) == desk.assign(GALLERY)
    with pytest.raises(CloudError, match="RoleAssignmentExists"):
        desk.assign(GALLERY, "two")


def test_names_of_roles_are_unique(desk: Desk) -> None:
    desk.role("*")

    with pytest.raises(CloudError, match="RoleDefinitionWithSameNameExists"):
        desk.put(f"{ROLE}-2", {"roleName": "reader", "assignableScopes": [GROUP_ID]})
    with pytest.raises(CloudError, match="RoleDefinitionInvalid"):
        desk.put(f"{ROLE}-3", {"roleName": "nameless"})
