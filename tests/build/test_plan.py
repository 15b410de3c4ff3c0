from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebake.build.plan import plan_bake, plan_plain
from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.component import Catalogue
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Bundle, LockedStep
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan
from tests.support.builders import a_lock, a_package, a_spec


@pytest.fixture(scope="module")
def templates(project: Path) -> Templates:
    return Templates(project / "templates")


def planned(
    templates: Templates, spec: ImageSpec | None = None, *, catalogue: Catalogue = CATALOGUE,
    **lock: Any,  # noqa: ANN401 - any field
) -> BakePlan:  # fmt: skip
    spec = spec or a_spec()
    return plan_bake(spec, a_lock(spec, **lock), catalogue=catalogue, templates=templates)


def test_planning_is_a_function(templates: Templates) -> None:
    assert planned(templates) == planned(templates)


def test_every_bundle_is_the_base_or_installed_from(templates: Templates) -> None:
    plan = planned(templates)

    assert plan.bundles == (
        plan.base, *(Bundle(step.packages) for step in plan.lock.customizing)
    )  # fmt: skip
    scripts = "".join(script.text for script in plan.customizers)
    assert all(bundle.digest in scripts for bundle in plan.bundles[1:])


def test_the_manifest_says_what_the_customizers_install(templates: Templates) -> None:
    plan = planned(templates)

    manifest = json.loads(plan.manifest)

    assert manifest["image"] == "demo"
    assert manifest["source"] == "Debian:debian-12:12-gen2:0.20260914.2237"
    assert manifest["lock_sha256"] == plan.lock.sha256 == plan.lock_sha256
    assert [package["name"] for package in manifest["packages"]] == ["waagent", "jq"]
    assert manifest["pins"][0] == {
        "name": "azure-linux-agent", "version": "2.7.3.0-4.1", "kind": "agent"
    }  # fmt: skip


def test_the_image_is_checked_to_carry_its_manifest(templates: Templates) -> None:
    plan = planned(templates)

    (check,) = (script for script in plan.validators if script.name == "check-image")

    assert (
        f"expect_content {sha256_bytes(plan.manifest)} /etc/imagebake/manifest.json" in check.text
    )


def test_a_lock_of_other_packages_is_another_bake(templates: Templates) -> None:
    base = LockedStep(name="base", pins=("base-files",), packages=(a_package("base-files", "2"),))
    steps = (base, *a_lock().customizing)

    assert planned(templates).bake_key != planned(templates, steps=steps).bake_key


@pytest.mark.parametrize(
    "change",
    [
        {"customizers": ({"name": "more", "inline": ("true",)},)},
        {"validators": ({"name": "more", "inline": ("true",)},)},
    ],
    ids=["customizer", "validator"],
)
def test_another_script_is_another_bake(templates: Templates, change: dict[str, Any]) -> None:
    assert planned(templates).bake_key != planned(templates, a_spec(**change)).bake_key


def test_another_template_is_another_bake(templates: Templates, tmp_path: Path) -> None:
    for path in templates.folder.rglob("*.j2"):
        copy = tmp_path / path.relative_to(templates.folder)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text().replace("umask 022", "umask 027"))

    assert planned(templates).bake_key != planned(Templates(tmp_path)).bake_key


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Another"},
        {"owner": "another-team"},
        {"regions": ({"name": "northeurope", "replicas": 7},)},
        {"tags": {"team": "another"}},
        {"schedule": {"cron": "0 4 * * 1"}},
        {"build": {"timeout_minutes": 30}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_in_the_image_is_not_in_its_key(
    templates: Templates, change: dict[str, Any]
) -> None:
    one, two = planned(templates), planned(templates, a_spec(**change))

    assert one.bake_key == two.bake_key
    assert one.template_name == two.template_name
    assert one.spec_sha256 != two.spec_sha256


def test_the_order_of_plain_packages_in_the_spec_is_kept(templates: Templates) -> None:
    pins = tuple({"package": name, "version": "1.0-1"} for name in ("zsh", "bash", "make"))

    manifest = json.loads(planned(templates, a_spec(pins=pins)).manifest)

    assert [pin["name"] for pin in manifest["pins"]] == ["zsh", "bash", "make"]


def test_a_plain_image_has_the_same_packages_and_nothing_of_ours(templates: Templates) -> None:
    spec = a_spec()
    lock = a_lock(spec)

    golden = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates)
    plain = plan_plain(spec, lock, catalogue=CATALOGUE, templates=templates)

    scripts = "".join(script.text for script in plain.customizers)
    assert plain.spec.gallery.definition == f"{spec.gallery.definition}-plain"
    assert plain.bake_key != golden.bake_key
    agents = [f"install-{pin.name}" for pin in spec.agents]
    own = [customizer.name for customizer in spec.customizers]
    assert [script.name for script in plain.customizers] == [*agents, *own]
    assert plain.validators == ()
    for ours in ("AutoUpdate", "/opt/imagebake", "/dev/null /etc/systemd", "Deprovisioning"):
        assert ours not in scripts
