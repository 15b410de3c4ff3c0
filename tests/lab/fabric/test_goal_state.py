from __future__ import annotations

import datetime as dt
import json

import pytest

from imagebake.lab.fabric import goal_state
from imagebake.lab.fabric.fabric_settings import FabricExtension, GoalState, GoalStateSource
from imagebake.lab.fabric.goal_state import GoalStateRevision, GoalStates
from tests.lab.fabric.conftest import HELLO, MACHINE, NOW, parsed

AWKWARD = FabricExtension(
    publisher="Contoso.Demo",
    type="Hello",
    version="1.2.3.0",
    settings={"greeting": '<you> & "me" ]]>'},
    protected_settings={"password": "hush"},
    sequence=7,
)


def wanted(source: GoalStateSource, *extensions: FabricExtension) -> GoalStateRevision:
    goals = GoalStates(MACHINE, NOW)
    goals.set(GoalState(extensions=extensions, source=source), NOW)
    return goals.latest


def test_every_address_in_the_goal_state_is_the_wire_servers() -> None:
    root = parsed(goal_state.goal_state(wanted(GoalStateSource.EXTENSIONS_CONFIG)))

    found = [node.text or "" for node in root.iter() if (node.text or "").startswith("http")]
    assert len(found) == 5
    assert all(url.startswith("http://168.63.129.16:80/machine/") for url in found)


def test_settings_survive_their_way_through_both_documents() -> None:
    config = parsed(goal_state.extensions_config(wanted(GoalStateSource.FAST_TRACK, AWKWARD)))
    fast = goal_state.vm_settings(wanted(GoalStateSource.FAST_TRACK, AWKWARD))

    node = config.find("PluginSettings/Plugin/RuntimeSettings")
    assert node is not None
    handler = json.loads(node.text or "")["runtimeSettings"][0]["handlerSettings"]
    assert node.get("seqNo") == "7"
    assert handler["publicSettings"] == AWKWARD.settings
    goal = fast["extensionGoalStates"][0]
    assert goal["settingsSeqNo"] == 7
    assert json.loads(goal["settings"][0]["publicSettings"]) == AWKWARD.settings


def test_protected_settings_leave_only_encrypted() -> None:
    state = wanted(GoalStateSource.EXTENSIONS_CONFIG, AWKWARD)

    config, fast = goal_state.extensions_config(state), json.dumps(goal_state.vm_settings(state))

    assert "hush" not in config + fast
    assert state.tenant.thumbprint in config
    assert state.tenant.thumbprint in fast


def test_both_documents_of_one_goal_state_say_the_same() -> None:
    state = wanted(GoalStateSource.EXTENSIONS_CONFIG, HELLO)

    meta = parsed(goal_state.extensions_config(state)).find("InVMGoalStateMetaData")
    fast = goal_state.vm_settings(state)

    assert meta is not None
    assert meta.get("activityId") == fast["activityId"]
    assert meta.get("createdOnTicks") == str(fast["extensionsLastModifiedTickCount"])
    assert fast["extensionGoalStatesSource"] == "Fabric"


def test_ticks_count_from_the_year_one() -> None:
    assert goal_state.ticks_of(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) == (621_355_968_000_000_000)


def test_a_goal_state_by_fast_track_is_newer_and_leaves_the_incarnation() -> None:
    goals = GoalStates(MACHINE, NOW)
    first = goals.latest

    goals.set(GoalState(extensions=(HELLO,), source=GoalStateSource.FAST_TRACK), NOW)
    fast = goals.latest
    goals.set(GoalState(), NOW)

    assert fast.incarnation == first.incarnation == 1
    assert fast.tag != first.tag
    assert first.ticks < fast.ticks < goals.latest.ticks
    assert goals.latest.incarnation == goals.wire_server.incarnation == 2


@pytest.mark.parametrize("source", GoalStateSource)
def test_a_machine_without_extensions_has_the_documents_too(source: GoalStateSource) -> None:
    state = wanted(source)

    assert parsed(goal_state.extensions_config(state)).findall("Plugins/Plugin") == []
    assert goal_state.vm_settings(state)["extensionGoalStates"] == []
