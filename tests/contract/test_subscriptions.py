"""Contract of subscriptions, resource groups, providers, regions and tokens."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential

from imagebake.emulator.management.login import TENANT
from imagebake.emulator.server import Emulator
from tests.contract.conftest import Refused
from tests.support.emulators import GROUP, GROUP_ID, SUBSCRIPTION, Azure

SCOPE = f"/subscriptions/{SUBSCRIPTION}"


def _send(arm: Azure, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
    url = f"{arm.url}{path}?api-version=2021-04-01"
    return arm.images.send_request(HttpRequest(method, url, json=body))


def _open(emulator: Emulator, path: str, form: bytes | None = None, **headers: str) -> Any:  # noqa: ANN401
    """Send a request without a token or any header of the clients."""
    context = ssl.create_default_context(cafile=str(emulator.ca))
    request = urllib.request.Request(emulator.url + path, form, headers)  # noqa: S310 - https
    with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310 - https
        return json.load(answer)


def test_the_resource_group_is_there_from_the_start(arm: Azure) -> None:
    group = _send(arm, "GET", GROUP_ID)

    assert group.json()["location"] == "westeurope"
    assert group.json()["properties"] == {"provisioningState": "Succeeded"}
    assert _send(arm, "HEAD", GROUP_ID).status_code == 204
    assert _send(arm, "HEAD", f"{GROUP_ID}-not").status_code == 404


@pytest.mark.emulator_only("deletes the group of the run")
def test_a_resource_group_goes_with_all_that_is_in_it(arm: Azure, refused: Refused) -> None:
    arm.shelf()

    answer = _send(arm, "DELETE", GROUP_ID)

    assert answer.status_code == 200
    assert refused(arm.compute.galleries.get, GROUP, "shelf")[0] == 404
    assert refused(arm.gallery)[1] == "ResourceGroupNotFound"
    assert _send(arm, "PUT", GROUP_ID, {"location": "West Europe"}).status_code == 201
    assert _send(arm, "PUT", GROUP_ID, {"location": "westeurope"}).status_code == 200


@pytest.mark.emulator_only("knows every group there is")
def test_groups_regions_tenants_and_subscriptions_are_listed(arm: Azure) -> None:
    def names(path: str, key: str) -> list[str]:
        return [item[key] for item in _send(arm, "GET", path).json()["value"]]

    assert names(f"{SCOPE}/resourcegroups", "name") == [GROUP]
    assert "westeurope" in names(f"{SCOPE}/locations", "name")
    assert names("/subscriptions", "subscriptionId") == [SUBSCRIPTION]
    assert names("/tenants", "tenantId") == [TENANT]
    assert _send(arm, "GET", SCOPE).json()["state"] == "Enabled"


@pytest.mark.emulator_only("unregisters a provider")
def test_a_provider_that_is_not_registered_refuses(arm: Azure) -> None:
    provider = f"{SCOPE}/providers/Microsoft.VirtualMachineImages"
    gone = _send(arm, "POST", f"{provider}/unregister").json()
    templates = f"{GROUP_ID}/providers/Microsoft.VirtualMachineImages/imageTemplates"

    with pytest.raises(urllib.error.HTTPError) as caught:
        _open(arm.emulator, f"{templates}?api-version=2025-10-01", Authorization="Bearer x")
    with caught.value as refusal:
        error = json.load(refusal)["error"]
    back = _send(arm, "POST", f"{provider}/register").json()

    assert gone["registrationState"] == "NotRegistered"
    assert caught.value.status == 409
    assert error["code"] == "MissingSubscriptionRegistration"
    assert "'microsoft.virtualmachineimages'" in error["message"].lower()
    assert back["registrationState"] == "Registered"
    assert _send(arm, "GET", templates).status_code == 200


@pytest.mark.emulator_only("says what is emulated")
def test_providers_say_what_is_emulated(arm: Azure) -> None:
    listed = _send(arm, "GET", f"{SCOPE}/providers").json()["value"]
    provider = _send(arm, "GET", f"{SCOPE}/providers/microsoft.compute").json()

    types = [kind["resourceType"] for kind in provider["resourceTypes"]]
    assert [provider["namespace"] for provider in listed] == [
        "Microsoft.Authorization",
        "Microsoft.Compute",
        "Microsoft.ContainerInstance",
        "Microsoft.KeyVault",
        "Microsoft.ManagedIdentity",
        "Microsoft.Network",
        "Microsoft.ResourceHealth",
        "Microsoft.Resources",
        "Microsoft.Storage",
        "Microsoft.VirtualMachineImages",
    ]
    assert "galleries/images/versions" in types


def test_nothing_is_answered_without_a_token(emulator: Emulator) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        _open(emulator, f"{SCOPE}?api-version=2021-04-01")

    with caught.value as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
        assert json.load(answer)["error"]["code"] == "AuthenticationFailed"


def test_the_cloud_describes_itself_in_both_ways(emulator: Emulator) -> None:
    old = _open(emulator, "/metadata/endpoints?api-version=2019-05-01")
    new = _open(emulator, "/metadata/endpoints?api-version=2022-09-01")

    assert old == [new]
    assert new["resourceManager"] == emulator.url
    assert new["authentication"]["loginEndpoint"] == f"{emulator.url}/adfs"


@pytest.mark.parametrize("tenant", ["adfs", TENANT])
def test_tokens_are_found_by_discovery(emulator: Emulator, tenant: str) -> None:
    version = "" if tenant == "adfs" else "/v2.0"
    found = _open(emulator, f"/{tenant}{version}/.well-known/openid-configuration")
    where = found["token_endpoint"].removeprefix(emulator.url)

    token = _open(emulator, where, b"grant_type=client_credentials&client_id=me")

    claims = json.loads(base64.urlsafe_b64decode(token["access_token"].split(".")[1] + "=="))
    assert (claims["appid"], claims["aud"]) == ("me", emulator.url)
    assert claims["exp"] - claims["iat"] == token["expires_in"]


@pytest.mark.emulator_only("asks the emulator for a token")
def test_azure_identity_gets_a_token_and_may_use_it(arm: Azure) -> None:
    emulator = arm.emulator
    with ClientSecretCredential(
        TENANT,
        "me",
        "anything",
        authority=emulator.url,
        disable_instance_discovery=True,
        connection_verify=str(emulator.ca),
    ) as credential:
        token = credential.get_token(f"{emulator.url}/.default")

    assert token.token.count(".") == 2


@pytest.mark.emulator_only("its marketplace is ours")
def test_the_marketplace_offers_what_its_owner_says(arm: Azure) -> None:
    images = arm.compute.virtual_machine_images

    listed = images.list("westeurope", "offered", "debian", "12-gen2")
    newest = images.list("westeurope", "offered", "debian", "12-gen2", top=1, orderby="name desc")
    shown = images.get("westeurope", "Offered", "debian", "12-gen2", "1.0.10")

    assert [image.name for image in listed] == ["1.0.9", "1.0.10"]
    assert [image.name for image in newest] == ["1.0.10"]
    assert shown.properties
    assert shown.properties.hyper_v_generation == "V2"


@pytest.mark.emulator_only("its marketplace is ours")
def test_extensions_are_listed_with_their_versions(arm: Azure) -> None:
    extensions = arm.compute.virtual_machine_extension_images
    place = ("westeurope", "Offered.Monitor")

    assert [kind.name for kind in extensions.list_types(*place)] == ["AgentLinux"]
    versions = [found.name for found in extensions.list_versions(*place, "AgentLinux")]
    assert versions == ["1.9.0", "1.10.0"]
    shown = extensions.get(*place, "AgentLinux", "1.10.0")
    assert shown.name == "1.10.0"


@pytest.mark.emulator_only("its marketplace is ours")
def test_what_is_not_offered_is_not_found(arm: Azure) -> None:
    images = arm.compute.virtual_machine_images
    extensions = arm.compute.virtual_machine_extension_images

    with pytest.raises(HttpResponseError):
        images.list("westeurope", "Nobody", "debian", "12")
    with pytest.raises(HttpResponseError):
        images.get("westeurope", "Offered", "debian", "12-gen2", "9.9.9")
    with pytest.raises(HttpResponseError):
        extensions.list_versions("westeurope", "Nobody", "AgentLinux")


@pytest.mark.emulator_only("its marketplace is ours")
def test_an_extension_says_what_kind_of_release_each_version_is(arm: Azure) -> None:
    images: Any = arm.compute.virtual_machine_extension_images
    place = ("westeurope", "Offered.Monitor", "AgentLinux")

    bare = [version.as_dict() for version in images.list_versions(*place, orderby="name desc")]
    whole = [version.as_dict() for version in images.list_versions(*place, expand="properties")]

    assert [version["name"] for version in bare] == ["1.10.0", "1.9.0"]
    assert "properties" not in bare[0]
    assert whole[0]["properties"] | {"operatingSystem": "Linux"} == whole[0]["properties"]
    assert (whole[0]["properties"]["releaseCategory"], whole[0]["properties"]["urgencyLevel"]) == (
        "Other",
        "Regular",
    )
