from __future__ import annotations

import dataclasses
import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagebake.azure.image_builder.template_check import check_template
from imagebake.build.render.files import rendered_files
from imagebake.build.render.image_template import (
    TAG_CANDIDATE,
    render_image_template,
    render_triggered_template,
)
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import RenderError
from imagebake.kernel.templating import Templates
from imagebake.kernel.text.constrained import TEMPLATE
from imagebake.lab.local_cloud import template_source
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.outputs import TargetRegion
from imagebake.spec.model.steps import RestartTerms, UpdateTerms
from imagebake.spec.plan import Delivery
from tests.build.render.conftest import MIRROR, Planner, a_full_spec
from tests.support.builders import a_spec
from tests.support.full_spec import EVERYTHING, FETCHED, GROUP, everything
from tests.support.golden import Golden

_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/imagebake/providers"


def a_delivery(**changes: Any) -> Delivery:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "location": "westeurope",
        "identity": f"{_GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/imagebake",
        "image_version_id": (
            f"{_GROUP}/Microsoft.Compute/galleries/imagebake/images/demo/versions/2026.1122.0"
        ),
        "mirror_url": MIRROR,
        "regions": (
            TargetRegion(name="westeurope", replicas=3),
            TargetRegion(name="northeurope", storage="Standard_ZRS"),
        ),
        "tags": (("imagebake-bake-key", "ab" * 32),),
    }
    return Delivery(**(fields | changes))


def test_the_image_template_is_the_one_that_was_reviewed(
    golden: Golden, plan: Planner, templates: Templates
) -> None:
    template = render_image_template(plan(a_full_spec()), a_delivery(), templates)

    golden.check("image_template/demo.json", template.decode())


def test_rendering_is_a_function(plan: Planner, project: Any) -> None:  # noqa: ANN401
    one = render_image_template(plan(a_full_spec()), a_delivery(), Templates(project / "templates"))
    two = render_image_template(plan(a_full_spec()), a_delivery(), Templates(project / "templates"))

    assert one == two == canonical_json(json.loads(one))


names = st.from_regex(r"[^<>%&\\?/\x00-\x1f]{1,20}", fullmatch=True)
texts = st.from_regex(r"[^\x00-\x1f]{0,30}", fullmatch=True)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tags=st.dictionaries(names, texts, max_size=3), description=texts)
def test_hostile_tags_stay_tags(
    plan: Planner, templates: Templates, tags: dict[str, str], description: str
) -> None:
    tags |= {'"},{"': '{{ 7 }}", "x": "', "'": "\u2028</script>\\"}
    spec = a_spec().model_copy(update={"tags": tags, "description": description})

    document = json.loads(render_image_template(plan(spec), a_delivery(tags=()), templates))

    assert document["tags"] == tags
    assert document["properties"]["distribute"][0]["artifactTags"] == tags


def test_a_version_is_hidden_until_it_is_promoted(plan: Planner, templates: Templates) -> None:
    document = json.loads(render_image_template(plan(a_spec()), a_delivery(), templates))

    (distributor,) = document["properties"]["distribute"]
    assert distributor["excludeFromLatest"] is True
    assert distributor["galleryImageId"].endswith("/images/demo/versions/2026.1122.0")
    assert document["properties"]["validate"]["continueDistributeOnFailure"] is False


def test_the_build_machine_has_the_identity_that_reads_the_mirror(
    plan: Planner, templates: Templates
) -> None:
    delivery = a_delivery()

    document = json.loads(render_image_template(plan(a_spec()), delivery, templates))

    assert document["identity"]["userAssignedIdentities"] == {delivery.identity: {}}
    assert document["properties"]["vmProfile"]["userAssignedIdentities"] == [delivery.identity]


def test_a_build_machine_of_its_own_identity_does_not_have_the_services(
    plan: Planner, templates: Templates
) -> None:
    delivery = a_delivery(build_identity=f"{_GROUP}/one")

    document = json.loads(render_image_template(plan(a_spec()), delivery, templates))

    assert document["identity"]["userAssignedIdentities"] == {delivery.identity: {}}
    assert document["properties"]["vmProfile"]["userAssignedIdentities"] == [f"{_GROUP}/one"]


def test_only_the_mirrors_address_and_who_reads_it_differ_between_mirrors(
    plan: Planner, templates: Templates
) -> None:
    planned = plan(a_full_spec())

    here = render_image_template(planned, a_delivery(), templates).decode()
    there = render_image_template(
        planned, a_delivery(mirror_url="https://mirror.example/m"), templates
    ).decode()

    reader = urllib.parse.quote(a_delivery().identity, safe="")
    asked = f"mirror=https://mirror.example/m reader='&msi_res_id={reader}'"
    assert here.replace(f"mirror={MIRROR} reader=''", asked) == there


@pytest.mark.parametrize(
    "address",
    ["http://mirror.example/m", "https://m.example/c?sig=secret", "file://m.example/x", "",
     "https://user@m.example/", "file:///a b", "https://m.example/$(id)", "https://m.example/\n"],
)  # fmt: skip
def test_a_mirror_is_an_address_alone(plan: Planner, templates: Templates, address: str) -> None:
    with pytest.raises(RenderError) as caught:
        render_image_template(plan(a_spec()), a_delivery(mirror_url=address), templates)

    assert caught.value.message == "the mirror's address is neither file:///… nor https://… alone"
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


def test_a_template_without_an_identity_is_refused(plan: Planner, templates: Templates) -> None:
    with pytest.raises(RenderError) as caught:
        render_image_template(plan(a_spec()), a_delivery(identity=""), templates)

    assert caught.value.message == "an image template needs a user-assigned identity"


def test_the_files_are_what_the_template_has(plan: Planner, templates: Templates) -> None:
    planned, delivery = plan(a_full_spec()), a_delivery()
    template = render_image_template(planned, delivery, templates)

    files = rendered_files(planned, delivery, template)

    inside = json.loads(template)["properties"]["customize"]
    scripts = [name for name in files if name.startswith("customizers/")]
    assert scripts[0] == "customizers/01-mask-downloads.sh"
    assert [files[name].decode().splitlines()[1:] for name in scripts] == [
        step["inline"] for step in inside
    ]
    assert files["image_template.json"] == template
    assert files["manifest.json"] == planned.manifest


def test_the_names_are_ones_that_azure_takes(plan: Planner) -> None:
    spec = a_spec(name="a" * 63)

    planned = plan(spec)

    assert len(planned.template_name) <= 64
    assert dataclasses.replace(planned).template_name == planned.template_name


def rendered(spec: ImageSpec, plan: Planner, templates: Templates) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        render_image_template(plan(spec), a_delivery(), templates)
    )
    assert check_template(document) == ()
    return document


def own(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps that a spec has of its own, without those that are rendered around them."""
    made = ("install-", "check-", "write-", "mask-", "put-files")
    return [step for step in steps if not step["name"].startswith(made)]


def test_everything_that_a_spec_says_is_in_the_template(
    golden: Golden, plan: Planner, templates: Templates
) -> None:
    properties = rendered(everything(), plan, templates)["properties"]
    properties["customize"] = own(properties["customize"])
    properties["validate"]["inVMValidations"] = own(properties["validate"]["inVMValidations"])

    golden.check("image_template/everything.json", canonical_json(properties).decode())


@pytest.mark.parametrize(
    ("source", "wire"),
    [
        (
            {"managed_image": f"{GROUP}/Microsoft.Compute/images/golden"},
            {"type": "ManagedImage", "imageId": f"{GROUP}/Microsoft.Compute/images/golden"},
        ),
        (
            {"gallery_version": f"{GROUP}/Microsoft.Compute/galleries/g/images/i/versions/1.2.3"},
            {
                "type": "SharedImageVersion",
                "imageVersionId": (
                    f"{GROUP}/Microsoft.Compute/galleries/g/images/i/versions/1.2.3"
                ),
            },
        ),
        (
            {
                "publisher": "a",
                "offer": "b",
                "sku": "c",
                "version": "1.2.3",
                "plan": {"name": "n", "product": "p", "publisher": "u"},
            },
            {
                "type": "PlatformImage",
                "publisher": "a",
                "offer": "b",
                "sku": "c",
                "version": "1.2.3",
                "planInfo": {"planName": "n", "planProduct": "p", "planPublisher": "u"},
            },
        ),
    ],
    ids=["managed", "gallery", "plan"],
)
def test_every_source_is_rendered_and_found_again_by_the_local_end(
    source: dict[str, Any], wire: dict[str, Any], plan: Planner, templates: Templates
) -> None:
    spec = a_spec(source=source)

    assert rendered(spec, plan, templates)["properties"]["source"] == wire
    assert template_source(plan(spec)).items() <= wire.items()


def test_a_spec_that_says_nothing_new_has_a_template_as_before(
    plan: Planner, templates: Templates
) -> None:
    properties = rendered(a_spec(), plan, templates)["properties"]

    assert properties.keys() == {
        *("source", "customize", "validate", "distribute", "buildTimeoutInMinutes", "vmProfile")
    }
    assert properties["vmProfile"].keys() == {"vmSize", "osDiskSizeGB", "userAssignedIdentities"}
    assert properties["validate"].keys() == {"continueDistributeOnFailure", "inVMValidations"}
    assert len(properties["distribute"]) == 1


def a_step(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    fields = {"name": "x", "lines": ["exit 0"], "elevated": False, "as_system": False}
    rest = {"exit_codes": (), "fetched": None, "restart": None, "updating": None}
    return fields | rest | changes


@pytest.mark.parametrize(
    ("step", "wire"),
    [
        (
            a_step(kind="PowerShell", elevated=True, as_system=True, exit_codes=(0, 3010)),
            {
                "type": "PowerShell",
                "inline": ["exit 0"],
                "runElevated": True,
                "runAsSystem": True,
                "validExitCodes": [0, 3010],
            },
        ),
        (a_step(kind="WindowsRestart", restart=RestartTerms()), {"type": "WindowsRestart"}),
        (
            a_step(
                kind="WindowsRestart",
                restart=RestartTerms(command="shutdown /r", check="hostname", timeout="30m"),
            ),
            {
                "type": "WindowsRestart",
                "restartCommand": "shutdown /r",
                "restartCheckCommand": "hostname",
                "restartTimeout": "30m",
            },
        ),
        (
            a_step(
                kind="WindowsUpdate",
                updating=UpdateTerms(search="IsInstalled=0", filters=("include:$true",), limit=20),
            ),
            {
                "type": "WindowsUpdate",
                "searchCriteria": "IsInstalled=0",
                "filters": ["include:$true"],
                "updateLimit": 20,
            },
        ),
        (a_step(kind="WindowsUpdate", updating=UpdateTerms()), {"type": "WindowsUpdate"}),
    ],
    ids=["powershell", "restart", "restart-said", "update-said", "update"],
)
def test_every_step_of_windows_is_rendered(
    step: dict[str, Any], wire: dict[str, Any], templates: Templates
) -> None:
    made = templates.json("image_template/step.json.j2", step=step)

    assert made == wire | {"name": "x"}


def test_a_standing_template_watches_latest_and_makes_candidates(
    plan: Planner, templates: Templates
) -> None:
    baked = plan(everything())

    standing = render_triggered_template(baked, a_delivery(), templates)

    document = json.loads(standing.template)
    assert check_template(document) == ()
    assert document["properties"]["source"]["version"] == "latest"
    (only,) = document["properties"]["distribute"]
    assert only["galleryImageId"] == EVERYTHING["trigger"]["definition"]
    assert only["excludeFromLatest"] is True
    assert only["artifactTags"][TAG_CANDIDATE] == "demo"
    assert json.loads(standing.trigger) == {"properties": {"kind": "SourceImage"}}
    assert TEMPLATE.fullmatch(standing.name)
    assert standing.name != baked.template_name


def test_what_goes_elsewhere_is_no_part_of_the_bake_key(plan: Planner) -> None:
    plain, sent = a_spec(), a_spec(distribute=EVERYTHING["distribute"])

    assert plan(plain).bake_key == plan(sent).bake_key


def test_what_azure_does_by_itself_is_part_of_the_bake_key(plan: Planner) -> None:
    fetched = a_spec(customizers=({"name": "a", "script": FETCHED},))
    other = FETCHED | {"sha256": "cd" * 32}

    keys = {
        plan(a_spec()).bake_key,
        plan(fetched).bake_key,
        plan(a_spec(customizers=({"name": "a", "script": other},))).bake_key,
        plan(a_spec(validators=({"name": "a", "script": FETCHED},))).bake_key,
    }

    assert len(keys) == 4
