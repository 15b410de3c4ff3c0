"""The agent's allow-list: written where an agent obeys it, and found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagebake.spec.model.delivery import POLICY
from imagebake.spec.plan import BakePlan, Script
from tests.build.render.conftest import Planner, as_root, text
from tests.build.render.scratch import Scratch
from tests.build.render.test_scripts import shellcheck
from tests.support.deliveries import HANDLER, a_delivering_spec, an_agent_with_its_own
from tests.support.golden import Golden

SCRIPT = "Microsoft.Azure.Extensions.CustomScript"
GUARD = {"allow_list": True, "also": (SCRIPT,)}
OLD = {"agent": "azure-linux-agent", "version": "2.12.0.2-3"}


def scripts(planned: BakePlan) -> dict[str, Script]:
    return {one.name: one for one in (*planned.customizers, *planned.validators)}


@pytest.mark.parametrize("name", ["guard", "check-guard"])
def test_each_script_is_the_one_that_was_reviewed(golden: Golden, plan: Planner, name: str) -> None:
    golden.check(f"scripts/{name}.sh", text(scripts(plan(a_delivering_spec(guard=GUARD)))[name]))


def test_our_scripts_are_shellcheck_clean(plan: Planner) -> None:
    found = scripts(plan(a_delivering_spec(guard=GUARD)))

    assert shellcheck(as_root(found["guard"])) == ""
    assert shellcheck(text(found["check-guard"])) == ""


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"guard": GUARD}, (HANDLER, SCRIPT)),
        ({"guard": {"allow_list": True}}, (HANDLER,)),
        ({"guard": {"allow_list": True}, "extensions": ()}, ()),
        ({"guard": {"also": (SCRIPT,)}}, None),
        ({}, None),
        ({"guard": GUARD, "pins": (OLD,)}, None),
        ({"guard": GUARD, "pins": (OLD | {"version": "2.16.0.2-2"},)}, (HANDLER, SCRIPT)),
        ({"guard": GUARD, "pins": (an_agent_with_its_own(version="2.14.0.1"),)}, (HANDLER, SCRIPT)),
        ({"guard": GUARD, "pins": (an_agent_with_its_own(version="2.13.1.1"),)}, None),
    ],
    ids=["both", "cached", "nothing", "off", "absent", "old", "packaged", "first", "last-deaf"],
)
def test_the_list_is_what_is_delivered_where_the_newest_agent_obeys_it(
    plan: Planner, changes: dict[str, Any], allowed: tuple[str, ...] | None
) -> None:
    spec = a_delivering_spec(**changes)

    assert spec.allowed == allowed
    assert ({"guard", "check-guard"} <= {*scripts(plan(spec))}) == (allowed is not None)


@pytest.mark.root
def test_it_is_the_agents_document_and_the_agent_is_told_to_look(
    plan: Planner, tmp_path: Path
) -> None:
    scratch = Scratch.make(tmp_path / "root")
    scratch.write("/etc/waagent.conf", "Debug.EnableExtensionPolicy=n\nLogs.Verbose=n\n")
    body = as_root(scripts(plan(a_delivering_spec(guard=GUARD)))["guard"])

    for _ in range(2):
        done = scratch.run(body)
        assert done.returncode == 0, done.stderr

    written = tmp_path / "root" / POLICY.lstrip("/")
    assert json.loads(written.read_text()) == {
        "policyVersion": "0.1.0",
        "extensionPolicies": {
            "allowListedExtensionsOnly": True,
            "extensions": {HANDLER: {}, SCRIPT: {}},
        },
    }
    assert written.stat().st_mode & 0o777 == 0o644
    conf = (tmp_path / "root/etc/waagent.conf").read_text()
    assert conf == "Logs.Verbose=n\nDebug.EnableExtensionPolicy=y\n"
