"""Contract of upgrades: how the instances of a scale set get another image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from tests.support.contract_target import Subscription
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, Clock, azure
from tests.support.scale_sets import create, image, states, update, versions

POLICY = {"maxBatchInstancePercent": 50, "pauseTimeBetweenBatches": "PT1M"}


@pytest.fixture
def arm(end: Emulator | Subscription) -> Iterator[Azure]:
    with azure(end) as clients:
        clients.shelf()
        clients.version("1.0.0")
        clients.version("1.0.1")
        yield clients


def upgrades(arm: Azure) -> Any:  # noqa: ANN401 - the client's generated type says nothing more
    return arm.compute.virtual_machine_scale_set_rolling_upgrades


def sets(arm: Azure) -> Any:  # noqa: ANN401 - as above
    return arm.compute.virtual_machine_scale_sets


def latest(arm: Azure) -> Any:  # noqa: ANN401 - a model
    return upgrades(arm).get_latest(GROUP, "web")


def counts(arm: Azure) -> tuple[int, int, int, int]:
    """Return the numbers of upgraded, failed, upgrading and pending instances."""
    progress = latest(arm).progress
    return (
        progress.successful_instance_count,
        progress.failed_instance_count,
        progress.in_progress_instance_count,
        progress.pending_instance_count,
    )


def why(caught: pytest.ExceptionInfo[HttpResponseError]) -> Any:  # noqa: ANN401 - a model
    return caught.value.error


def test_an_upgrade_moves_every_instance_to_the_model(arm: Azure) -> None:
    create(arm, capacity=4)
    update(arm, image("1.0.1"))

    upgrades(arm).begin_start_os_upgrade(GROUP, "web").result()

    assert versions(arm) == ["1.0.1"] * 4
    assert latest(arm).running_status.code == "Completed"
    assert counts(arm) == (4, 0, 0, 0)
    assert sets(arm).get(GROUP, "web").provisioning_state == "Succeeded"


def test_what_was_never_upgraded_has_no_latest_upgrade(arm: Azure) -> None:
    create(arm)

    with pytest.raises(ResourceNotFoundError):
        latest(arm)


def test_an_upgrade_goes_on_in_batches_with_a_pause_between(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    create(arm, capacity=4, policy=POLICY)
    update(arm, image("1.0.1"))
    emulator.pace = Pace(instance=300)
    upgrades(arm).begin_start_os_upgrade(GROUP, "web", polling=False)

    assert versions(arm) == ["1.0.1", "1.0.1", "1.0.0", "1.0.0"]
    assert states(arm) == ["Updating", "Updating", "Succeeded", "Succeeded"]
    assert counts(arm) == (0, 0, 2, 2)
    assert latest(arm).running_status.code == "RollingForward"
    clock.turn(seconds=301)
    assert counts(arm) == (2, 0, 0, 2)
    clock.turn(seconds=60)
    assert counts(arm) == (2, 0, 2, 0)
    clock.turn(seconds=300)
    assert counts(arm) == (4, 0, 0, 0)
    assert latest(arm).running_status.code == "Completed"


def test_nobody_has_to_look_for_an_upgrade_to_go_on(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    create(arm, capacity=4, policy=POLICY)
    update(arm, image("1.0.1"))
    emulator.pace = Pace(instance=300)
    began = clock()
    upgrades(arm).begin_start_os_upgrade(GROUP, "web", polling=False)

    clock.turn(days=1)

    first = next(iter(sets(arm).get_os_upgrade_history(GROUP, "web")))
    took = first.properties.running_status.end_time - began
    assert took.total_seconds() == 300 + 60 + 300
    assert versions(arm) == ["1.0.1"] * 4


def test_an_upgrade_ends_that_breaks_too_many_instances(arm: Azure, emulator: Emulator) -> None:
    create(arm, capacity=4, policy=POLICY)
    update(arm, image("1.0.1"))
    emulator.pace = Pace(failing_instances=frozenset({"*@1.0.1"}))

    with pytest.raises(HttpResponseError) as caught:
        upgrades(arm).begin_start_os_upgrade(GROUP, "web").result()

    code = "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    assert why(caught).code == code
    assert "First failed instance ID is: 0." in why(caught).message
    assert versions(arm) == ["1.0.1", "1.0.1", "1.0.0", "1.0.0"]
    assert counts(arm) == (0, 2, 0, 2)
    assert latest(arm).running_status.code == "Faulted"
    assert latest(arm).error.code == code


def test_as_many_instances_may_fail_as_the_policy_says(arm: Azure, emulator: Emulator) -> None:
    allowed = {"maxUnhealthyInstancePercent": 50, "maxUnhealthyUpgradedInstancePercent": 50}
    create(arm, capacity=4, policy=POLICY | {"pauseTimeBetweenBatches": "PT0S"} | allowed)
    update(arm, image("1.0.1"))
    emulator.pace = Pace(failing_instances=frozenset({"web_1"}))

    upgrades(arm).begin_start_os_upgrade(GROUP, "web").result()

    assert counts(arm) == (3, 1, 0, 0)
    assert latest(arm).running_status.code == "Completed"


def test_an_upgrade_does_not_begin_where_too_many_are_unwell(
    arm: Azure, emulator: Emulator
) -> None:
    emulator.pace = Pace(failing_instances=frozenset({"web_0", "web_1"}))
    create(arm, capacity=4)
    update(arm, image("1.0.1"))

    with pytest.raises(HttpResponseError) as caught:
        upgrades(arm).begin_start_os_upgrade(GROUP, "web").result()

    assert why(caught).code == "MaxUnhealthyInstancePercentExceededBeforeRollingUpgrade"
    assert versions(arm) == ["1.0.0"] * 4


def test_an_upgrade_is_cancelled_after_the_batch_under_way(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    create(arm, capacity=4, policy=POLICY)
    update(arm, image("1.0.1"))
    emulator.pace = Pace(instance=300)
    upgrades(arm).begin_start_os_upgrade(GROUP, "web", polling=False)

    upgrades(arm).begin_cancel(GROUP, "web").result()
    clock.turn(days=1)

    assert versions(arm) == ["1.0.1", "1.0.1", "1.0.0", "1.0.0"]
    assert states(arm) == ["Succeeded"] * 4
    assert latest(arm).running_status.code == "Cancelled"
    assert latest(arm).running_status.last_action == "Cancel"
    with pytest.raises(HttpResponseError) as caught:
        upgrades(arm).begin_cancel(GROUP, "web").result()
    assert why(caught).code == "OperationNotAllowed"


def test_one_upgrade_at_a_time_and_no_other_model_meanwhile(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    create(arm, capacity=4)
    update(arm, image("1.0.1"))
    emulator.pace = Pace(instance=300)
    upgrades(arm).begin_start_os_upgrade(GROUP, "web", polling=False)

    refused: list[Callable[[], Any]] = [
        lambda: upgrades(arm).begin_start_os_upgrade(GROUP, "web").result(),
        lambda: update(arm, image("1.0.0")),
        lambda: sets(arm).begin_update_instances(GROUP, "web", {"instanceIds": ["*"]}).result(),
    ]
    for again in refused:
        with pytest.raises(HttpResponseError) as caught:
            again()
        assert why(caught).code == "OperationNotAllowed"
    clock.turn(days=1)
    update(arm, {"tags": {"that": "is allowed"}})
    assert versions(arm) == ["1.0.1"] * 4


def test_instances_are_upgraded_by_hand_one_by_one_or_all(arm: Azure) -> None:
    create(arm, capacity=3)
    update(arm, image("1.0.1"))

    sets(arm).begin_update_instances(GROUP, "web", {"instanceIds": ["1"]}).result()
    assert versions(arm) == ["1.0.0", "1.0.1", "1.0.0"]

    sets(arm).begin_update_instances(GROUP, "web", {"instanceIds": ["*"]}).result()
    assert versions(arm) == ["1.0.1"] * 3


def test_an_instance_that_does_not_come_up_fails_the_upgrade_by_hand(
    arm: Azure, emulator: Emulator
) -> None:
    create(arm)
    emulator.pace = Pace(failing_instances=frozenset({"web_1"}))

    with pytest.raises(HttpResponseError):
        sets(arm).begin_update_instances(GROUP, "web", {"instanceIds": ["*"]}).result()

    assert states(arm) == ["Succeeded", "Failed"]


def test_instances_that_are_named_must_exist(arm: Azure) -> None:
    create(arm)

    with pytest.raises(HttpResponseError) as caught:
        sets(arm).begin_update_instances(GROUP, "web", {"instanceIds": ["7"]}).result()

    assert why(caught).code == "InvalidParameter"


def test_reimaging_heals_an_instance_and_leaves_its_version(arm: Azure, emulator: Emulator) -> None:
    emulator.pace = Pace(failing_instances=frozenset({"web_1"}))
    create(arm)
    update(arm, image("1.0.1"))
    emulator.pace = Pace()

    arm.compute.virtual_machine_scale_set_vms.begin_reimage(GROUP, "web", "1").result()

    assert states(arm) == ["Succeeded"] * 2
    assert versions(arm) == ["1.0.0"] * 2


def test_all_disks_are_reimaged_as_one_is(arm: Azure) -> None:
    create(arm)
    update(arm, image("1.0.1"))

    sets(arm).begin_reimage_all(GROUP, "web", {"instanceIds": ["1"]}).result()

    assert states(arm) == ["Succeeded"] * 2
    assert versions(arm) == ["1.0.0"] * 2


def test_deleting_instances_wants_fewer(arm: Azure) -> None:
    create(arm, capacity=3)

    sets(arm).begin_delete_instances(GROUP, "web", {"instanceIds": ["0"]}).result()
    arm.compute.virtual_machine_scale_set_vms.begin_delete(GROUP, "web", "2").result()

    assert len(versions(arm)) == 1
    assert sets(arm).get(GROUP, "web").sku.capacity == 1


def test_an_automatic_policy_moves_all_instances_at_once(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    create(arm, capacity=3, mode="Automatic")
    emulator.pace = Pace(instance=300)

    update(arm, image("1.0.1"))

    assert states(arm) == ["Updating"] * 3
    clock.turn(seconds=301)
    assert versions(arm) == ["1.0.1"] * 3


def test_a_rolling_policy_moves_instances_in_batches_by_itself(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    create(arm, capacity=4, mode="Rolling", policy=POLICY)
    emulator.pace = Pace(instance=300)

    update(arm, image("1.0.1"))

    assert counts(arm) == (0, 0, 2, 2)
    clock.turn(days=1)
    assert versions(arm) == ["1.0.1"] * 4


def test_a_model_of_the_latest_version_is_followed_by_an_upgrade_alone(arm: Azure) -> None:
    create(arm, image=DEFINITION_ID)
    arm.version("1.0.2")
    assert versions(arm) == ["1.0.1"] * 2

    upgrades(arm).begin_start_os_upgrade(GROUP, "web").result()

    assert versions(arm) == ["1.0.2"] * 2


def test_upgrades_are_remembered(arm: Azure) -> None:
    create(arm)
    for version in ("1.0.1", "1.0.0"):
        update(arm, image(version))
        upgrades(arm).begin_start_os_upgrade(GROUP, "web").result()

    history = [upgrade.properties for upgrade in sets(arm).get_os_upgrade_history(GROUP, "web")]

    targets = [upgrade.target_image_reference.id.rpartition("/")[2] for upgrade in history]
    assert targets == ["1.0.0", "1.0.1"]
    assert {upgrade.running_status.code for upgrade in history} == {"Completed"}
