"""Contract of deployments of ARM templates as other clients write them."""

from __future__ import annotations

from typing import Any

from azure.core.rest import HttpRequest

from tests.support.emulators import GROUP_ID, Azure
from tests.support.scale_sets import SUBNET, a_scale_set

NETWORKS = "Microsoft.Network/virtualNetworks"


def _send(arm: Azure, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
    url = f"{arm.url}{path}?api-version=2024-11-01"
    return arm.images.send_request(HttpRequest(method, url, json=body))


def _deploy(arm: Azure, resources: list[Any], **template: Any) -> Any:  # noqa: ANN401
    given = template.pop("given", {})
    content = {"contentVersion": "1.0.0.0", "resources": resources} | template
    properties = {"mode": "incremental", "template": content, "parameters": given}
    path = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/one"
    return _send(arm, "PUT", path, {"properties": properties}).json()["properties"]


def _network() -> dict[str, Any]:
    return {
        "type": NETWORKS,
        "apiVersion": "2024-05-01",
        "name": "net",
        "location": "westeurope",
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "machines", "properties": {"addressPrefix": "10.0.0.0/24"}}],
        },
    }


def test_a_dependency_is_named_by_its_id_or_by_its_type_and_name(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0")
    scale_set = {
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "apiVersion": "2026-04-01",
        "name": "web",
        "dependsOn": [f"{NETWORKS}/net"],
        **a_scale_set(),
    }

    done = _deploy(arm, [scale_set, _network()])

    made = [resource["id"].rpartition("/")[2] for resource in done["outputResources"]]
    assert (done["provisioningState"], made) == ("Succeeded", ["net", "web"])


def test_outputs_are_what_they_refer_to_in_azures_spelling(arm: Azure) -> None:
    value = f"[reference(resourceId('{NETWORKS}', 'net'),'2024-05-01')]"

    done = _deploy(arm, [_network()], outputs={"VNet": {"type": "object", "value": value}})

    output = done["outputs"]["vNet"]
    assert output["type"] == "Object"
    assert output["value"]["provisioningState"] == "Succeeded"
    assert output["value"]["addressSpace"] == {"addressPrefixes": ["10.0.0.0/16"]}


def test_secrets_that_were_given_are_not_told_again(arm: Azure) -> None:
    declared = {"password": {"type": "securestring"}, "word": {"type": "string"}}
    given = {"password": {"value": "not-a-secret"}, "word": {"value": "said"}}

    done = _deploy(arm, [_network()], parameters=declared, given=given)

    assert done["parameters"] == {
        "password": {"type": "SecureString"},
        "word": {"type": "String", "value": "said"},
    }


def test_a_subnet_is_shown_by_itself(arm: Azure) -> None:
    _deploy(arm, [_network()])

    found = _send(arm, "GET", SUBNET).json()
    missing = _send(arm, "GET", f"{SUBNET}-not")

    assert (found["id"], found["properties"]["addressPrefix"]) == (SUBNET, "10.0.0.0/24")
    assert missing.status_code == 404
