"""What a plan changes of an earlier one: everything that differs, nothing else, who answers."""

from __future__ import annotations

from typing import Any

from imagebake.build.diff.changes import PlanChange, RiskArea
from imagebake.build.diff.plan_diff import diff_plans
from imagebake.spec.plan import BakePlan, plan_record, read_plan
from tests.support.builders import a_lock, a_package, a_spec, a_spec_document
from tests.support.plans import a_plan

ZIP = "https://github.com/example/handler/releases/download/v1.2/handler.zip"
AGENT = {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"}
JQ = {"package": "jq", "version": "1.6-2.1+deb12u1"}


def changed(old: BakePlan | None, new: BakePlan | None) -> dict[str, PlanChange]:
    return {change.name: change for change in diff_plans(old, new).changes}


def extension(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {
        "publisher": "Example",
        "type": "Handler",
        "version": "1.2.0",
        "mode": "cached",
        "package": {"file": ZIP, "sha256": "a" * 64},
    } | changes


def test_a_plan_changes_nothing_of_itself() -> None:
    comparison = diff_plans(a_plan(), a_plan())

    assert (comparison.changes, comparison.differs, comparison.diff) == ((), False, "")


def test_a_kept_plan_is_the_plan() -> None:
    plan = a_plan(extensions=(extension(),))

    kept = read_plan(plan_record(plan))

    assert kept == plan
    assert kept.bake_key == plan.bake_key
    assert diff_plans(kept, plan).differs is False


def test_what_is_no_kept_plan_is_none() -> None:
    assert read_plan(None) is None
    assert read_plan(b"{}") is None
    assert (
        read_plan(plan_record(a_plan()).replace(b'"plan_version": 1', b'"plan_version": 2')) is None
    )


def test_a_moved_pin_says_who_answers_for_it_and_why() -> None:
    moved = JQ | {"version": "1.7-1", "owner": "shell-team", "reason": "reads larger numbers"}

    change = changed(a_plan(), a_plan(pins=(AGENT, moved)))["jq"]

    assert (change.risk, change.kind, change.sign) == (RiskArea.PACKAGES, "package", "~")
    assert change.moved == "1.6-2.1+deb12u1 → 1.7-1"
    assert (change.owner, change.reason) == ("shell-team", "reads larger numbers")


def test_an_agent_is_named_once_and_not_as_its_package() -> None:
    names = [
        (change.kind, change.name)
        for change in diff_plans(a_plan(), a_plan(pins=(AGENT | {"version": "2.8-1"}, JQ))).changes
        if change.direct
    ]

    assert names == [("agent", "azure-linux-agent")]


def test_a_version_that_goes_back_is_said_to() -> None:
    old, new = a_plan(pins=(AGENT, JQ | {"version": "1.7-1"})), a_plan()

    assert changed(old, new)["jq"].note == "downgrade"


def test_other_bytes_at_the_same_version_are_a_change() -> None:
    spec = a_spec()
    lock = a_lock(spec)
    packages = lock.steps[-1].packages
    tampered = lock.steps[-1].model_copy(
        update={"packages": (packages[0].model_copy(update={"sha256": "0" * 64}),)}
    )
    other = lock.model_copy(update={"steps": (*lock.steps[:-1], tampered)})

    change = changed(a_plan(spec, lock), a_plan(spec, other))["jq"]

    assert change.note == "different bytes at the same version"
    assert change.moved == "1.6-2.1+deb12u1"


def test_what_came_along_is_told_from_what_somebody_wrote() -> None:
    spec = a_spec()
    lock = a_lock(spec)
    step = lock.steps[-1]
    more = step.model_copy(update={"packages": (a_package("libonig5"), *step.packages)})
    grown = lock.model_copy(update={"steps": (*lock.steps[:-1], more)})

    change = changed(a_plan(spec, lock), a_plan(spec, grown))["libonig5"]

    assert (change.kind, change.direct, change.owner) == ("for packages", False, "")


def test_a_package_that_stays_while_its_pin_goes_is_said_to() -> None:
    spec, less = a_spec(pins=(AGENT, JQ, {"package": "tree", "version": "2"})), a_spec()
    lock = a_lock(less)
    step = lock.steps[-1]
    kept = step.model_copy(update={"packages": (*step.packages, a_package("tree", "2"))})
    after = a_plan(less, lock.model_copy(update={"steps": (*lock.steps[:-1], kept)}))

    assert changed(a_plan(spec), after)["tree"].note == "no longer pinned, still a dependency"
    assert changed(after, a_plan(spec))["tree"].note == "was a dependency, now pinned"


def test_an_extension_has_its_mode_and_a_link_to_its_release() -> None:
    old, new = a_plan(), a_plan(extensions=(extension(),))

    change = changed(old, new)["Example.Handler"]

    assert (change.risk, change.sign, change.new) == (RiskArea.AGENTS, "+", "1.2.0 cached")
    assert change.link == "https://github.com/example/handler/releases/tag/v1.2"
    other = a_plan(extensions=(extension(package={"file": ZIP, "sha256": "b" * 64}),))
    assert changed(new, other)["Example.Handler"].note == "another package"
    absent = a_plan(extensions=(extension(mode="absent", package=None),))
    assert changed(new, absent)["Example.Handler"].moved == "1.2.0 cached → 1.2.0 absent"


def test_a_goal_state_agent_is_an_agent_of_its_own() -> None:
    zipped = {"file": ZIP, "version": "2.15.0.1", "sha256": "c" * 64}

    change = changed(a_plan(), a_plan(pins=(AGENT | {"goal_state_agent": zipped}, JQ)))[
        "azure-linux-agent from the disk"
    ]

    assert (change.kind, change.sign, change.new) == ("agent", "+", "2.15.0.1")


def test_a_file_is_named_by_its_place() -> None:
    file = {
        "file": "https://example.test/tool",
        "version": "1",
        "sha256": "d" * 64,
        "destination": "/opt/tool",
    }

    old, new = a_plan(pins=(AGENT, JQ, file)), a_plan(pins=(AGENT, JQ, file | {"mode": "0755"}))

    assert changed(a_plan(), old)["/opt/tool"].risk is RiskArea.FILES
    assert changed(old, new)["/opt/tool"].moved == "1, 0644 → 1, 0755"
    other = a_plan(pins=(AGENT, JQ, file | {"sha256": "e" * 64}))
    assert changed(old, other)["/opt/tool"].note == "different bytes at the same version"


def test_the_spec_s_steps_are_named_and_the_rendered_ones_share_a_line() -> None:
    step = {"name": "greet", "inline": ("echo hello",), "reason": "manners"}
    old = a_plan(pins=(AGENT, JQ | {"version": "1.7-1"}))

    changes = changed(old, a_plan(customizers=(step,)))

    assert (changes["greet"].kind, changes["greet"].sign) == ("customizer", "+")
    assert changes["greet"].reason == "manners"
    (rendered,) = [change for change in changes.values() if change.kind == "rendered"]
    assert rendered.name == "install-packages, write-manifest, check-packages, check-image"


def test_the_order_of_steps_is_a_change() -> None:
    one, two = ({"name": name, "inline": (f"echo {name}",)} for name in ("one", "two"))

    change = changed(a_plan(customizers=(one, two)), a_plan(customizers=(two, one)))["customizers"]

    assert (change.kind, change.moved) == ("order", "one, two → two, one")


def test_a_region_or_a_setting_alone_bakes_nothing() -> None:
    document = a_spec_document(
        regions=({"name": "westeurope", "replicas": 2}, {"name": "northeurope"}), owner="others"
    )

    comparison = diff_plans(a_plan(), a_plan(**document))

    assert (comparison.differs, comparison.rebuilt) == (True, False)
    assert [(one.risk, one.name, one.moved) for one in comparison.changes] == [
        (RiskArea.REGIONS, "westeurope", "1 in Standard_LRS → 2 in Standard_LRS"),
        (RiskArea.REGIONS, "northeurope", "1 in Standard_LRS"),
        (RiskArea.SETTINGS, "owner", "platform-team → others"),
    ]


def test_the_source_image_comes_before_what_is_in_it() -> None:
    source = a_spec_document()["source"] | {"version": "0.20261001.1"}
    changes = diff_plans(a_plan(), a_plan(source=source)).changes

    assert changes[0].risk is RiskArea.BASE
    assert changes[0].name == "source image"


def test_a_pin_s_stewardship_is_a_setting() -> None:
    change = changed(a_plan(), a_plan(pins=(AGENT, JQ | {"review_by": "2027-03-01"})))

    assert change["jq: review_by"].risk is RiskArea.SETTINGS


def test_only_the_steps_after_the_first_difference_run_anew() -> None:
    step = {"name": "greet", "inline": ("echo hello",)}

    comparison = diff_plans(a_plan(), a_plan(customizers=(step,)))

    assert comparison.steps[-comparison.rerun :] == ("greet", "write-deprovisioning-script")


def test_new_artifacts_are_those_that_the_earlier_lock_lacks() -> None:
    comparison = diff_plans(a_plan(), a_plan(pins=(AGENT, JQ | {"version": "1.7-1"})))

    assert [one.version for one in comparison.fetched] == ["1.7-1"]
    assert comparison.fetched_bytes == 1000


def test_a_new_image_has_everything_and_an_old_one_goes() -> None:
    new, gone = diff_plans(None, a_plan()), diff_plans(a_plan(), None)

    assert {change.sign for change in new.changes} == {"+"}
    assert {change.sign for change in gone.changes} == {"-"}
    assert (new.rebuilt, new.gone, gone.gone) == (True, False, True)
    assert (new.diff, gone.diff) == ("", "")


def test_the_diff_is_of_the_scripts() -> None:
    comparison = diff_plans(a_plan(), a_plan(pins=(AGENT, JQ | {"version": "1.7-1"})))

    assert "--- a/customizers/install-packages.sh\n" in comparison.diff
    assert "-    jq=1.6-2.1+deb12u1\n+    jq=1.7-1\n" in comparison.diff
    assert "install-azure-linux-agent" not in comparison.diff
