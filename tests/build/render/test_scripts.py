from __future__ import annotations

import re
import subprocess

import pytest

from imagebake.build.plan import plan_bake
from imagebake.build.render.scripts import HYGIENE, render_deprovisioning
from imagebake.kernel.errors import LockError, RenderError
from imagebake.kernel.host.process import find
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import LockedFile
from imagebake.spec.plan import MIRROR_LINE, Script
from tests.build.render.conftest import MIRROR, Planner, a_full_spec, as_root, text
from tests.support.builders import a_lock, a_spec
from tests.support.golden import Golden

OURS = (
    "mask-downloads",
    "install-azure-linux-agent",
    "install-cloud-init",
    "install-packages",
    "put-files",
    "write-manifest",
)


def by_name(plan: Planner) -> dict[str, Script]:
    planned = plan(a_full_spec())
    return {script.name: script for script in (*planned.customizers, *planned.validators)}


def shellcheck(script: str) -> str:
    program = find("shellcheck")
    assert program, "shellcheck is not installed"
    done = subprocess.run(
        [program, "--shell", "sh", "--severity", "style", "-"],
        input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def test_customizers_mask_first_and_generalise_last(plan: Planner) -> None:
    names = [script.name for script in plan(a_full_spec()).customizers]

    assert names == [*OURS, "greet", "fetch", "write-deprovisioning-script"]


def test_validators_check_each_step_then_the_image_then_what_the_spec_says(plan: Planner) -> None:
    names = [script.name for script in plan(a_full_spec()).validators]

    assert names == [
        "check-azure-linux-agent",
        "check-cloud-init",
        "check-packages",
        "check-image",
        "greeted",
    ]


@pytest.mark.parametrize(
    "name",
    [*OURS, "greet", "fetch", "write-deprovisioning-script", "check-azure-linux-agent",
     "check-cloud-init", "check-packages", "check-image", "greeted"],
)  # fmt: skip
def test_each_script_is_the_one_that_was_reviewed(golden: Golden, plan: Planner, name: str) -> None:
    golden.check(f"scripts/{name}.sh", text(by_name(plan)[name]))


def test_our_scripts_are_shellcheck_clean(plan: Planner) -> None:
    planned = plan(a_full_spec())
    ours = [s for s in planned.customizers if s.name not in ("greet", "fetch")]

    for script in ours:
        assert shellcheck(text(script)) == "", script.name
        assert shellcheck(as_root(script)) == "", script.name
    for script in planned.validators[:-1]:
        assert shellcheck(text(script)) == "", script.name


def test_the_deprovisioning_script_is_shellcheck_clean(templates: Templates) -> None:
    assert shellcheck(render_deprovisioning(CATALOGUE, templates)) == ""


def test_no_line_of_ours_is_empty(plan: Planner) -> None:
    planned = plan(a_full_spec())

    for script in (*planned.customizers, *planned.validators):
        assert all(line.strip() for line in script.lines(MIRROR)), script.name


def test_only_what_asks_for_the_network_gets_it(plan: Planner) -> None:
    asking = [
        s.name for s in plan(a_full_spec()).customizers if "# imagebake: network=required" in s.text
    ]

    assert asking == ["fetch"]


def test_the_mirror_is_one_quoted_word_on_one_line(plan: Planner) -> None:
    script = by_name(plan)["put-files"]

    assert MIRROR_LINE in script.text.splitlines()
    assert "mirror='https://m.example/a b' reader=''" in script.lines("https://m.example/a b")
    assert "imagebake-mirror" not in "".join(script.lines(MIRROR))


def test_the_words_of_a_spec_are_left_alone(plan: Planner) -> None:
    mine = ("mirror=@imagebake-mirror@ # mine", "echo '$(x)' \"`y`\" \\", "  two", "\u2028x")
    spec = a_spec(customizers=({"name": "mine", "inline": mine},))

    script = plan(spec).customizers[-2]

    assert script.lines(MIRROR)[1:] == mine


def test_nothing_depends_on_the_time_or_the_machine(plan: Planner) -> None:
    scripts = plan(a_full_spec()).customizers

    for script in scripts:
        assert not re.search(r"\$\(date|`date|hostname\)|\$HOSTNAME|\$\$", script.text), script.name


def test_a_version_cannot_leave_its_word(templates: Templates) -> None:
    spec = a_spec(pins=({"package": "jq", "version": "1.6"},))
    lock = a_lock(spec)
    step = lock.steps[-1]
    hostile = step.packages[0].model_copy(update={"version": "1.6; touch /pwned $(id) `id` 'x"})
    steps = (lock.base, step.model_copy(update={"packages": (hostile,)}))

    planned = plan_bake(
        spec, lock.model_copy(update={"steps": steps}), catalogue=CATALOGUE, templates=templates
    )

    body = as_root(next(s for s in planned.customizers if s.name == "install-packages"))
    assert "    'jq=1.6; touch /pwned $(id) `id` '\"'\"'x'\n" in body


@pytest.mark.parametrize("field", ["destination", "mode", "sha256"])
def test_a_line_break_in_the_lock_is_refused(templates: Templates, field: str) -> None:
    spec = a_full_spec()
    lock = a_lock(spec)
    bad: LockedFile = lock.files[0].model_copy(update={field: "x\ntouch /pwned"})

    with pytest.raises(RenderError, match="control character"):
        plan_bake(
            spec, lock.model_copy(update={"files": (bad,)}), catalogue=CATALOGUE,
            templates=templates,
        )  # fmt: skip


def test_hostile_texts_reach_the_manifest_as_they_are(templates: Templates) -> None:
    spec = a_full_spec()
    text = "IMAGEBAKE_MANIFEST\nIMAGEBAKE_AS_ROOT\n$(id) `id` ' \" \\ é \u2028"
    file = spec.files[0].model_copy(update={"version": text})
    hostile = spec.model_copy(update={"pins": (*spec.agents, *spec.packages, file)})

    planned = plan_bake(hostile, a_lock(spec), catalogue=CATALOGUE, templates=templates)

    body = as_root(next(s for s in planned.customizers if s.name == "write-manifest"))
    heredoc = body.partition("/etc/imagebake/manifest.json ")[2].partition("  chmod")[0]
    done = subprocess.run(
        ["sh", "-eu"], input=f"cat {heredoc}".encode(), capture_output=True, check=True
    )
    assert done.stdout == planned.manifest


def test_an_agent_that_the_lock_lacks_names_the_command(templates: Templates) -> None:
    spec = a_spec()
    lock = a_lock(spec).model_copy(update={"steps": a_lock(spec).steps[:1]})

    with pytest.raises(LockError) as caught:
        plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates)

    assert caught.value.message == "the lock of demo has no step 'azure-linux-agent'"
    assert caught.value.hint == "./inv lock demo"


def test_a_pin_that_its_step_lacks_names_the_command(templates: Templates) -> None:
    spec = a_spec()
    base, *steps = a_lock(spec).steps
    steps[-1] = steps[-1].model_copy(update={"pins": ("yq",)})

    with pytest.raises(LockError) as caught:
        plan_bake(
            spec, a_lock(spec, steps=(base, *steps)), catalogue=CATALOGUE, templates=templates
        )

    assert caught.value.message == (
        "the step 'packages' of the lock of demo asks for 'yq', which it does not have"
    )


def test_an_unknown_agent_names_the_known_ones(templates: Templates) -> None:
    spec = a_spec(pins=({"agent": "waagent", "version": "1.0"},))

    with pytest.raises(LockError) as caught:
        plan_bake(spec, a_lock(spec), catalogue=CATALOGUE, templates=templates)

    assert caught.value.message == (
        "demo pins the agent 'waagent', which the catalogue does not have"
    )
    assert "azure-linux-agent, azure-proxy-agent" in str(caught.value.hint)


def test_what_an_agent_of_others_leaves_behind_goes_where_it_is_pinned(
    templates: Templates,
) -> None:
    plain = render_deprovisioning(CATALOGUE, templates)

    script = render_deprovisioning(CATALOGUE, templates, pinned=("mdatp",))

    added = set(script.splitlines()) - set(plain.splitlines())
    assert any("mdatp_onboard.json" in line for line in added)
    assert "mdatp" not in plain


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ("2.7.3.0-4.1", ["AutoUpdate.Enabled n"]),
        ("2.10.0.8-1", ["AutoUpdate.Enabled y", "AutoUpdate.UpdateToLatestVersion n"]),
        ("2.12.0.2-3", ["AutoUpdate.Enabled y", "AutoUpdate.UpdateToLatestVersion n"]),
    ],
)
def test_each_agent_is_told_not_to_update_itself_in_its_own_words(
    plan: Planner, version: str, lines: list[str]
) -> None:
    spec = a_spec(pins=({"agent": "azure-linux-agent", "version": version},))

    script = plan(spec).customizers[1].text

    assert re.findall(r"set_line /etc/waagent.conf (.*)", script) == lines


@pytest.mark.parametrize(
    ("version", "printed"),
    [
        ("2.7.3.0-4.1", "2.7.3.0"),
        ("22.4.2-1+deb12u3", "22.4.2"),
        ("1:2.39.5-0+deb12u3", "2.39.5"),
        ("4.3.1+ds1-8+deb12u1", "4.3.1"),
        ("1.0~rc1-2", "1.0"),
        ("2.12", "2.12"),
    ],
)
def test_a_program_is_asked_for_its_upstream_version(
    plan: Planner, version: str, printed: str
) -> None:
    spec = a_spec(pins=({"agent": "azure-linux-agent", "version": version},))

    script = plan(spec).validators[0].text

    assert f'expect_version {printed} "$(waagent --version)"' in script


def test_what_goes_into_a_script_unquoted_is_paths_and_wildcards() -> None:
    assert all(re.fullmatch(r"/[A-Za-z0-9_.@+/*-]+", path) for path in HYGIENE)
