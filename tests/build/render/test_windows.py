from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.build.plan import plan_bake
from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import LockError
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import load_spec
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan, Script, StepKind
from tests.build.render.conftest import Planner, a_full_spec
from tests.support.builders import a_lock
from tests.support.golden import Golden
from tests.support.powershell import complaints
from tests.support.windows import (
    GUEST_AGENT,
    PESTER,
    POWERSHELL,
    TOOL,
    a_full_windows_spec,
    a_windows_spec,
)

MIRROR = "https://store.example/mirror"
HERE_STRING = re.compile(r"@'\n(?P<body>.*)\n'@", re.DOTALL)
SPECS = ("windows-2022-base", "windows-2025-base")


@pytest.fixture(scope="module")
def windows(templates: Templates) -> BakePlan:
    """The plan of a spec with something of everything."""
    return planned(a_full_windows_spec(), templates)


def planned(spec: ImageSpec, templates: Templates) -> BakePlan:
    return plan_bake(spec, a_lock(spec), catalogue=CATALOGUE, templates=templates)


def scripts(plan: BakePlan) -> tuple[Script, ...]:
    return (*plan.customizers, *plan.validators)


def script_text(script: Script) -> str:
    return "\n".join(script.lines(MIRROR)) + "\n"


def named(plan: BakePlan, name: str) -> str:
    return next(script_text(script) for script in scripts(plan) if script.name == name)


def inside(script: str) -> str:
    """What is in the script's here-string."""
    found = HERE_STRING.search(script)
    assert found
    return found["body"] + "\n"


def test_every_script_is_what_was_reviewed(windows: BakePlan, golden: Golden) -> None:
    for script in scripts(windows):
        suffix = "ps1" if script.is_inline else "json"
        golden.check(f"windows/{script.name}.{suffix}", script_text(script))


def test_steps_run_in_the_order_in_which_they_need_each_other(windows: BakePlan) -> None:
    assert [script.name for script in windows.customizers] == [
        "prevent-downloads",
        "install-windows-guest-agent",
        "install-windows-powershell",
        "install-windows-azcopy",
        "install-modules",
        "put-files",
        "write-manifest",
        "restart-after-installers",
        "greet",
        "again",
        "write-deprovisioning-script",
    ]
    assert [script.name for script in windows.validators] == [
        "check-windows-guest-agent",
        "check-windows-powershell",
        "check-windows-azcopy",
        "check-modules",
        "check-image",
        "greeted",
    ]


def test_our_steps_run_as_the_system_and_checks_do_not(windows: BakePlan) -> None:
    ours = [one for one in windows.customizers if one.name not in ("greet", "again")]

    assert {one.kind for one in ours} == {StepKind.POWERSHELL, StepKind.RESTART}
    assert all(one.elevated and one.as_system for one in ours if one.kind is StepKind.POWERSHELL)
    assert not any(one.elevated for one in windows.validators)


def test_a_spec_s_own_step_keeps_its_rights_and_its_exit_codes(windows: BakePlan) -> None:
    (greet,) = [one for one in windows.customizers if one.name == "greet"]

    assert (greet.elevated, greet.exit_codes) == (False, (0, 3010))
    assert greet.text.splitlines()[0] == "$ErrorActionPreference = 'Stop'"


def test_every_script_parses_and_so_does_what_it_writes(windows: BakePlan) -> None:
    for script in scripts(windows):
        if script.is_inline:
            assert complaints(script_text(script)) == [], script.name
    assert complaints(inside(named(windows, "write-deprovisioning-script"))) == []


@pytest.mark.parametrize("name", SPECS)
def test_the_scripts_of_our_images_parse(project: Path, templates: Templates, name: str) -> None:
    spec = load_spec(project / "image_specs" / f"{name}.yaml", root=project)

    for script in scripts(planned(spec, templates)):
        if script.is_inline:
            assert complaints(script_text(script)) == [], script.name
            assert script_text(script).isascii(), script.name


def test_no_line_is_empty(windows: BakePlan) -> None:
    assert all(line for script in scripts(windows) for line in script.lines(MIRROR))


def test_the_mirror_is_told_late_and_cannot_be_left(windows: BakePlan) -> None:
    install = next(one for one in windows.customizers if one.name == "put-files")

    assert "$mirror = '@imagebake-mirror@'" in install.text.splitlines()
    assert "$mirror = 'https://store.example/mirror'; $reader = ''" in install.lines(MIRROR)
    assert "$mirror = 'https://store.example/''; calc'; $reader = ''" in install.lines(
        "https://store.example/'; calc"
    )


def test_the_image_is_checked_for_the_manifest_that_was_written(windows: BakePlan) -> None:
    written = inside(named(windows, "write-manifest")).encode()

    assert written == windows.manifest
    assert f"'{sha256_bytes(written)}'" in named(windows, "check-image")
    assert [one["name"] for one in json.loads(written)["installers"]] == [
        "windows-guest-agent",
        "windows-powershell",
        "windows-azcopy",
        "Pester",
    ]


def test_a_manifest_is_ascii_whatever_is_pinned(templates: Templates) -> None:
    plan = planned(
        a_windows_spec(pins=(GUEST_AGENT, TOOL | {"version": "h\xe9\U0001f4a9"})), templates
    )

    assert plan.manifest.isascii()
    versions = [pin["version"] for pin in json.loads(plan.manifest)["pins"]]
    assert "h\xe9\U0001f4a9" in versions
    assert inside(named(plan, "write-manifest")).encode() == plan.manifest


def test_what_a_spec_says_to_an_installer_goes_before_the_catalogue(windows: BakePlan) -> None:
    install = named(windows, "install-windows-powershell")

    assert "'ADD_PATH=0', 'REGISTER_MANIFEST=1'" in install
    assert "ADD_PATH=1" not in install
    assert "'ENABLE_MU=0'" in install


def test_modules_go_to_powershell_7_where_that_is_pinned(templates: Templates) -> None:
    without = planned(a_windows_spec(pins=(GUEST_AGENT, PESTER)), templates)
    both = planned(a_windows_spec(pins=(GUEST_AGENT, POWERSHELL, PESTER)), templates)

    seven = "C:\\Program Files\\PowerShell\\Modules"
    assert seven not in named(without, "install-modules")
    assert seven in named(both, "install-modules")
    assert seven in named(both, "check-modules")


def test_an_image_without_agents_needs_no_restart(templates: Templates) -> None:
    plan = planned(a_windows_spec(pins=(PESTER,)), templates)

    assert [one.name for one in plan.customizers] == [
        "prevent-downloads",
        "install-modules",
        "write-manifest",
        "write-deprovisioning-script",
    ]


def test_generalising_comes_in_the_order_that_sysprep_needs(windows: BakePlan) -> None:
    script = inside(named(windows, "write-deprovisioning-script"))
    main = script.rpartition("try {\n")[2]

    wanted = ("Wait-Agent", "Assert-NoRestartIsPending", "Remove-Traces", "Invoke-Sysprep")
    assert [main.index(word) for word in wanted] == sorted(main.index(word) for word in wanted)
    for word in (
        "'/oobe', '/generalize', '/quiet', '/quit'",
        "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE",
    ):
        assert word in script
    for path in ("C:\\Windows\\Panther\\unattend.xml", "C:\\ProgramData\\ssh\\ssh_host_*"):
        assert f"'{path}'" in script


def test_an_agent_that_nobody_knows_is_refused(templates: Templates) -> None:
    spec = a_windows_spec(pins=(GUEST_AGENT | {"agent": "azure-linux-agent"},))

    with pytest.raises(LockError) as caught:
        planned(spec, templates)

    assert caught.value.message == (
        "demo pins the agent 'azure-linux-agent', which the catalogue does not have for Windows"
    )
    assert "windows-guest-agent" in (caught.value.hint or "")


def test_a_lock_without_an_installer_is_refused(templates: Templates) -> None:
    spec = a_windows_spec()

    with pytest.raises(LockError) as caught:
        plan_bake(spec, a_lock(spec, installers=()), catalogue=CATALOGUE, templates=templates)

    assert (
        caught.value.message == "the lock of demo has nothing to install 'windows-guest-agent' from"
    )
    assert caught.value.hint == "./inv lock demo"


@pytest.mark.parametrize(
    "change",
    [
        {"pins": (GUEST_AGENT | {"version": "2.7.41491.1194"},)},
        {"pins": (GUEST_AGENT, PESTER)},
        {"customizers": ({"name": "again", "restart": {}},)},
    ],
    ids=["version", "module", "step"],
)
def test_another_image_has_another_key(templates: Templates, change: dict[str, Any]) -> None:
    plain = planned(a_windows_spec(), templates)

    assert planned(a_windows_spec(**change), templates).bake_key != plain.bake_key


@settings(max_examples=25, deadline=None)
@given(
    st.text(
        alphabet="'\u2018\u2019\u201a\u201b\"`$(){};#@-\u2013 ab\u65e5", min_size=1, max_size=30
    )
)
def test_no_text_of_a_pin_can_leave_its_script(templates: Templates, text: str) -> None:
    plan = planned(a_windows_spec(pins=(GUEST_AGENT, TOOL | {"version": text})), templates)

    for script in scripts(plan):
        assert script_text(script).isascii() or not script.is_inline
        assert not script.is_inline or complaints(script_text(script)) == []


def test_linux_scripts_know_nothing_of_windows(plan: Planner) -> None:
    linux = plan(a_full_spec())

    assert {one.kind for one in scripts(linux)} == {StepKind.SHELL}
    assert b"installers" not in linux.manifest
