"""Contract of image templates: what is accepted, what is refused, and when."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from imagebake.emulator.calls import Pace
from tests.contract.conftest import Refused
from tests.support.emulators import (
    DEFINITION_ID,
    GROUP,
    GROUP_ID,
    IDENTITY,
    Azure,
    Clock,
    a_definition,
    a_distributor,
    a_template,
    azure,
)

OFFERED = {"type": "PlatformImage", "publisher": "Offered", "offer": "debian"}
REFERENCE = "http://aka.ms/azvmimagebuildertmplref"


def _put(arm: Azure, body: Any) -> Any:  # noqa: ANN401
    return arm.templates.begin_create_or_update(GROUP, "one", body).result()


def _failure(arm: Azure, name: str = "one", **changes: Any) -> tuple[str, str]:  # noqa: ANN401
    """Return the provisioning error of a template that is accepted and then fails."""
    with pytest.raises(HttpResponseError) as caught:
        arm.template(name, **changes)
    template = arm.templates.get(GROUP, name)
    error = template.properties.provisioning_error
    assert template.properties.provisioning_state == "Failed"
    assert caught.value.error
    assert caught.value.error.code == error.provisioning_error_code
    return error.provisioning_error_code, error.message


def test_a_template_is_kept_with_its_defaults(arm: Azure) -> None:
    arm.shelf()

    made = arm.template()

    assert made.id == (
        f"{GROUP_ID.replace('resourceGroups', 'resourcegroups')}/providers"
        "/Microsoft.VirtualMachineImages/imageTemplates/one"
    )
    document = made.as_dict()
    properties = document["properties"]
    assert document["tags"] == {}
    assert properties["buildTimeoutInMinutes"] == 0
    assert properties["stagingResourceGroup"] == ""
    assert properties["source"]["exactVersion"] == "0.20260914.2237"
    assert properties["distribute"][0]["versioning"] is None
    assert properties["provisioningState"] == "Succeeded"
    assert f"/IT_{GROUP}_one_" in properties["exactStagingResourceGroup"]
    assert "lastRunStatus" not in properties


def test_a_template_cannot_be_updated(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.template()

    answer = refused(arm.template)

    assert answer == (
        409,
        "Conflict",
        (
            "Update/Upgrade of image templates is currently not supported. Please change the name"
            " of the template you are submitting. If you have previously tried to submit a template"
            " and it failed to provision, you must delete it first and then resubmit. For more"
            " information, go to https://aka.ms/azvmimagebuilderts."
        ),
    )


@pytest.mark.parametrize("name", ["with space", "ünicode", "x" * 65])
def test_names_follow_azures_pattern(arm: Azure, refused: Refused, name: str) -> None:
    status, code, message = refused(arm.template, name)

    assert (status, code) == (400, "InvalidResourceName")
    assert "^[A-Za-z0-9-_.]{1,64}$" in message


@pytest.mark.parametrize("api_version", ["2024-02-01", "2025-10-01"])
def test_an_unknown_field_is_refused_since_2024(
    arm: Azure, refused: Refused, api_version: str
) -> None:
    body = a_template(optimize={"vmboot": {"state": "Enabled"}})
    package = "v" + api_version.replace("-", "_")

    with azure(arm.end, image_builder_api=api_version) as client:
        answer = refused(_put, client, body)

    assert answer == (
        400,
        "BadRequest",
        (
            f"Unmarshalling entity encountered error: unmarshalling type *{package}.ImageTemplate:"
            f" struct field Properties: unmarshalling type *{package}.ImageTemplateProperties:"
            f" struct field Optimize: unmarshalling type"
            f" *{package}.ImageTemplatePropertiesOptimize: unmarshalling type"
            f' *{package}.ImageTemplatePropertiesOptimize, unknown field "vmboot". There is an'
            " issue with the syntax with the JSON template you are submitting. Please check the"
            f" JSON template for syntax and grammar. For more information on the syntax and"
            f" grammar of the JSON template, visit {REFERENCE}."
        ),
    )


def test_before_2024_case_is_mended_and_unknown_fields_are_dropped(arm: Azure) -> None:
    arm.shelf()
    body = a_template(optimize={"VMBOOT": {"State": "enabled"}}, invented=1)
    body["properties"]["source"]["type"] = "platformimage"

    with azure(arm.end, image_builder_api="2023-07-01") as client:
        made = _put(client, body).as_dict()

    assert made["properties"]["optimize"] == {"vmBoot": {"state": "Enabled"}}
    assert made["properties"]["source"]["type"] == "PlatformImage"
    assert "invented" not in made["properties"]


def test_a_field_of_the_wrong_type_is_refused(arm: Azure, refused: Refused) -> None:
    body = a_template(buildTimeoutInMinutes="60")

    status, code, message = refused(_put, arm, body)

    assert (status, code) == (400, "BadRequest")
    assert "cannot unmarshal string into Go value of type int32" in message


@pytest.mark.parametrize("field", ["identity", "location"])
def test_what_is_mandatory_must_be_there(arm: Azure, refused: Refused, field: str) -> None:
    body = a_template()
    del body[field]

    assert refused(_put, arm, body) == (
        400,
        "ValidationFailed",
        (
            f"Validation failed: 'ImageTemplate': Missing field '{field}'. Please review"
            f" {REFERENCE} for details on fields required in the Image Builder Template."
        ),
    )


@pytest.mark.parametrize("field", ["source", "distribute"])
def test_source_and_distribute_are_mandatory(arm: Azure, refused: Refused, field: str) -> None:
    _, code, message = refused(_put, arm, a_template(**{field: None}))

    assert code == "ValidationFailed"
    assert f"'ImageTemplate.properties': Missing field '{field}'" in message


@pytest.mark.parametrize(
    "identity",
    [
        {"type": "None"},
        {"type": "UserAssigned", "userAssignedIdentities": {}},
        {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}, IDENTITY + "2": {}}},
        {"type": "UserAssigned", "userAssignedIdentities": {"builder": {}}},
    ],
    ids=["none", "empty", "two", "name"],
)
def test_exactly_one_identity_is_wanted(
    arm: Azure, refused: Refused, identity: dict[str, Any]
) -> None:
    body = a_template() | {"identity": identity}

    assert refused(_put, arm, body)[:2] == (400, "ValidationFailed")


SHELL = {"type": "Shell", "name": "s", "inline": ["true"]}
BAD_VALUES: dict[str, tuple[dict[str, Any], str, str]] = {
    "timeout": ({"buildTimeoutInMinutes": 961}, "buildTimeoutInMinutes", "961"),
    "distributor": (
        {"distribute": [{"type": "managedImage"}]},
        "distribute[0].type",
        "managedImage",
    ),
    "run output": (
        {"distribute": [a_distributor(runOutputName="a b")]},
        "distribute[0].runOutputName",
        "a b",
    ),
    "twin outputs": (
        {"distribute": [a_distributor(), a_distributor()]},
        "distribute[1].runOutputName",
        "version",
    ),
    "two scripts": (
        {"customize": [SHELL | {"scriptUri": "https://a.test/s"}]},
        "customize[0].inline",
        "only one of scriptUri and inline",
    ),
    "checksum": (
        {"customize": [SHELL | {"sha256Checksum": "A" * 64}]},
        "customize[0].sha256Checksum",
        "A" * 64,
    ),
    "system": (
        {"customize": [{"type": "PowerShell", "inline": ["x"], "runAsSystem": True}]},
        "customize[0].runAsSystem",
        "true without runElevated",
    ),
    "file": (
        {"customize": [{"type": "File", "sourceUri": "https://a.test/f", "destination": "/etc/f"}]},
        "customize[0].destination",
        "/etc/f",
    ),
    "customizer": ({"customize": [{"type": "Ansible"}]}, "customize[0].type", "Ansible"),
    "both regions": (
        {"distribute": [a_distributor(replicationRegions=["westeurope"])]},
        "distribute[0].replicationRegions",
        "['westeurope']",
    ),
    "twin regions": (
        {
            "distribute": [
                a_distributor(targetRegions=[{"name": "westeurope"}, {"name": "West Europe"}])
            ]
        },
        "distribute[0].targetRegions",
        "westeurope, westeurope",
    ),
    "replicas": (
        {"distribute": [a_distributor(targetRegions=[{"name": "westeurope", "replicaCount": 0}])]},
        "distribute[0].targetRegions[0].replicaCount",
        "0",
    ),
    "gallery": (
        {"distribute": [a_distributor(galleryImageId=f"{DEFINITION_ID}/versions/1.0")]},
        "distribute[0].galleryImageId",
        f"{DEFINITION_ID}/versions/1.0",
    ),
    "major": (
        {"distribute": [a_distributor(versioning={"scheme": "Latest", "major": -2})]},
        "distribute[0].versioning.major",
        "-2",
    ),
    "enum": (
        {"errorHandling": {"onCustomizerError": "retry"}},
        "onCustomizerError",
        "retry",
    ),
    "staging": ({"stagingResourceGroup": "mine"}, "stagingResourceGroup", "mine"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_bad_value_is_refused_at_once(arm: Azure, refused: Refused, case: str) -> None:
    changes, field, value = BAD_VALUES[case]

    status, code, message = refused(_put, arm, a_template(**changes))

    assert (status, code) == (400, "ValidationFailed")
    assert f"Field '{field}' has a bad value: '{value}'." in message


@pytest.mark.parametrize(
    "source",
    [
        {"type": "ManagedImage", "imageId": "/some/image"},
        {"type": "SharedImageVersion", "imageVersionId": DEFINITION_ID},
        {"type": "SharedImageVersion", "imageVersionId": f"{DEFINITION_ID}/versions/newest"},
    ],
    ids=["managed", "definition", "word"],
)
def test_a_source_is_named_in_full(arm: Azure, refused: Refused, source: dict[str, str]) -> None:
    _, code, message = refused(_put, arm, a_template(source=source))

    assert code == "ValidationFailed"
    assert "'ImageTemplate.properties.source': Field 'image" in message


@pytest.mark.parametrize("field", ["publisher", "offer", "sku", "version"])
def test_a_platform_image_is_named_in_full(arm: Azure, refused: Refused, field: str) -> None:
    body = a_template()
    del body["properties"]["source"][field]

    message = refused(_put, arm, body)[2]

    assert f"'ImageTemplate.properties.source': Missing field '{field}'" in message


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        ({"containerInstanceSubnetId": "/b"}, "Missing field 'subnetId'"),
        ({"subnetId": "/a", "containerInstanceSubnetId": "/A"}, "containerInstanceSubnetId"),
        (
            {"subnetId": "/a", "containerInstanceSubnetId": "/b", "proxyVmSize": "Standard_A1"},
            "proxyVmSize",
        ),
    ],
    ids=["alone", "same", "proxy"],
)
def test_the_network_of_isolated_builds_is_checked(
    arm: Azure, refused: Refused, network: dict[str, str], complaint: str
) -> None:
    message = refused(_put, arm, a_template(vmProfile={"vnetConfig": network}))[2]

    assert complaint in message


def test_a_template_that_fails_to_provision_must_be_deleted_first(
    arm: Azure, refused: Refused
) -> None:
    arm.shelf()
    _failure(arm, customize=[{"type": "Shell", "name": "empty"}])

    assert refused(arm.template)[:2] == (409, "Conflict")
    assert refused(arm.templates.begin_run, GROUP, "one")[1] == "OperationNotAllowed"
    arm.templates.begin_delete(GROUP, "one").result()
    assert arm.template().properties.provisioning_state == "Succeeded"


PROVISIONING_ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "customizer": ("NoCustomizerScript", {"customize": [{"type": "Shell", "name": "empty"}]}),
    "validator": (
        "NoValidatorScript",
        {"validate": {"inVMValidations": [{"type": "Shell", "inline": []}]}},
    ),
    "definition": (
        "BadSharedImageDistribute",
        {"distribute": [a_distributor(galleryImageId=DEFINITION_ID + "-not")]},
    ),
    "version": (
        "BadSharedImageDistribute",
        {"distribute": [a_distributor(galleryImageId=f"{DEFINITION_ID}/versions/1.0.0")]},
    ),
    "home region": (
        "BadSharedImageDistribute",
        {"distribute": [a_distributor(targetRegions=[{"name": "uksouth"}])]},
    ),
    "generation": (
        "BadSharedImageDistribute",
        {"source": OFFERED | {"sku": "12-gen1", "version": "1.0.0"}},
    ),
    "platform image": (
        "BadPIRSource",
        {"source": OFFERED | {"sku": "12-gen2", "version": "7.0.0"}},
    ),
    "gallery source": (
        "BadSharedImageVersionSource",
        {
            "source": {
                "type": "SharedImageVersion",
                "imageVersionId": f"{DEFINITION_ID}/versions/8.0.0",
            }
        },
    ),
    "staging group": ("BadStagingResourceGroup", {"stagingResourceGroup": f"{GROUP_ID}-not"}),
}


OFFERED_HERE = ("generation", "platform image")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.emulator_only("its marketplace is ours"))
        if case in OFFERED_HERE
        else case
        for case in PROVISIONING_ERRORS
    ],
)
def test_what_must_exist_is_looked_up_after_the_template_is_accepted(arm: Azure, case: str) -> None:
    wanted, changes = PROVISIONING_ERRORS[case]
    arm.shelf()
    arm.version("1.0.0")

    code, message = _failure(arm, **changes)

    assert code == wanted
    assert message


@pytest.mark.emulator_only("its marketplace is ours")
def test_latest_of_an_offer_is_the_greatest_number(arm: Azure) -> None:
    arm.shelf()

    made = arm.template(source=OFFERED | {"sku": "12-gen2", "version": "latest"})

    assert made.properties.source.exact_version == "1.0.10"


def test_latest_of_a_definition_is_the_greatest_that_is_not_hidden(arm: Azure) -> None:
    arm.shelf()
    for name, hidden in (("1.9.0", False), ("1.10.0", False), ("2.0.0", True)):
        arm.version(name, excludeFromLatest=hidden)
    source = {"type": "SharedImageVersion", "imageVersionId": f"{DEFINITION_ID}/versions/latest"}

    made = arm.template(source=source)

    assert made.properties.source.exact_version == "1.10.0"


def test_there_is_no_latest_when_all_are_hidden(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0", excludeFromLatest=True)
    source = {"type": "SharedImageVersion", "imageVersionId": f"{DEFINITION_ID}/versions/latest"}

    assert _failure(arm, source=source)[0] == "BadSharedImageVersionSource"


@pytest.mark.parametrize(
    ("source_security", "code"),
    [("TrustedLaunch", "BadSharedImageVersionSource"), ("Standard", "BadSharedImageDistribute")],
)
def test_security_types_of_source_and_destination_agree(
    arm: Azure, source_security: str, code: str
) -> None:
    arm.shelf()
    features = [{"name": "SecurityType", "value": source_security}]
    arm.definition("base", features=features)
    arm.version("1.0.0", definition="base")
    version = DEFINITION_ID.replace("/demo", "/base") + "/versions/1.0.0"

    found, _ = _failure(arm, source={"type": "SharedImageVersion", "imageVersionId": version})

    assert found == code


def test_a_specialised_image_is_no_source(arm: Azure) -> None:
    arm.shelf()
    arm.definition("special", **a_definition(sku="special", osState="Specialized"))
    arm.version("1.0.0", definition="special")
    version = DEFINITION_ID.replace("/demo", "/special") + "/versions/1.0.0"

    found, _ = _failure(arm, source={"type": "SharedImageVersion", "imageVersionId": version})

    assert found == "BadSharedImageVersionSource"


def test_a_staging_group_serves_one_template(arm: Azure) -> None:
    arm.shelf()

    first = arm.template(stagingResourceGroup=GROUP_ID)
    code, message = _failure(arm, "two", stagingResourceGroup=GROUP_ID)

    assert first.properties.exact_staging_resource_group == GROUP_ID
    assert code == "BadStagingResourceGroup"
    assert "is used by the image template 'one'" in message


def test_a_template_is_provisioned_after_a_while(
    arm: Azure, clock: Clock, refused: Refused
) -> None:
    arm.shelf()
    arm.emulator.pace = Pace(operation=20)
    arm.templates.begin_create_or_update(GROUP, "one", a_template(), polling=False)

    early = arm.templates.get(GROUP, "one").properties.provisioning_state
    refusal = refused(arm.templates.begin_run, GROUP, "one")
    clock.turn(seconds=20)

    assert early == "Creating"
    assert refusal[1] == "OperationNotAllowed"
    assert arm.templates.get(GROUP, "one").properties.provisioning_state == "Succeeded"


def test_tags_identity_distributors_and_the_profile_can_be_patched(arm: Azure) -> None:
    arm.shelf()
    arm.template()
    change: Any = {
        "tags": {"owner": "us"},
        "properties": {
            "vmProfile": {"vmSize": "Standard_D4ds_v5"},
            "distribute": [a_distributor(runOutputName="other")],
        },
    }

    arm.templates.begin_update(GROUP, "one", change).result()

    changed = arm.templates.get(GROUP, "one")
    assert changed.tags == {"owner": "us"}
    assert changed.properties.vm_profile.vm_size == "Standard_D4ds_v5"
    assert changed.properties.distribute[0].run_output_name == "other"
    assert changed.properties.customize[0].name == "greet"


def test_nothing_else_can_be_patched(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.template()
    change: Any = {"properties": {"customize": []}}

    status, _, message = refused(arm.templates.begin_update, GROUP, "one", change)

    assert status == 400
    assert 'ImageTemplateUpdateParametersProperties, unknown field "customize"' in message


def test_templates_are_listed_by_group_and_by_subscription(arm: Azure) -> None:
    arm.shelf()
    arm.template("one")
    arm.template("two")

    assert [found.name for found in arm.templates.list_by_resource_group(GROUP)] == ["one", "two"]
    assert [found.name for found in arm.templates.list()] == ["one", "two"]


def test_deleting_a_template_keeps_what_it_distributed(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.template()
    arm.run()

    arm.templates.begin_delete(GROUP, "one").result()

    assert refused(arm.templates.get, GROUP, "one")[:2] == (404, "ResourceNotFound")
    assert refused(arm.templates.get_run_output, GROUP, "one", "version")[0] == 404
    assert arm.emulator.image_record(f"{DEFINITION_ID}/versions/0.0.1") is not None


def test_a_template_that_never_was_can_be_deleted(arm: Azure) -> None:
    arm.templates.begin_delete(GROUP, "never").result()


FOREIGN = DEFINITION_ID.replace("00000000-", "11111111-")


@pytest.mark.emulator_only("takes on trust what is elsewhere")
def test_what_another_subscription_has_is_taken_on_trust(arm: Azure) -> None:
    source = {"type": "SharedImageVersion", "imageVersionId": f"{FOREIGN}/versions/1.2.3"}
    arm.template(source=source, distribute=[a_distributor(galleryImageId=FOREIGN)])

    template = arm.run()

    assert template.properties.source.exact_version == "1.2.3"
    (output,) = arm.templates.list_run_outputs(GROUP, "one")
    assert output.properties.artifact_id == FOREIGN


@pytest.mark.parametrize(("timeout", "status"), [("5m", 201), ("2h30m", 201), ("soon", 400)])
def test_a_restart_has_a_time_of_gos_form(
    arm: Azure, refused: Refused, timeout: str, status: int
) -> None:
    arm.shelf()
    steps = [{"type": "WindowsRestart", "restartTimeout": timeout}]

    if status == 400:
        assert refused(arm.template, customize=steps)[:2] == (400, "ValidationFailed")
    else:
        assert arm.template(customize=steps).properties.provisioning_state == "Succeeded"


def test_containers_are_in_the_build_machines_network(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    network = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks"
    subnets = {
        "subnetId": f"{network}/one/subnets/machines",
        "containerInstanceSubnetId": f"{network}/two/subnets/containers",
    }

    answer = refused(arm.template, vmProfile={"vnetConfig": subnets})

    assert answer[:2] == (400, "ValidationFailed")
    assert "containerInstanceSubnetId" in answer[2]
