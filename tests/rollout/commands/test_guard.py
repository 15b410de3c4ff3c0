"""`guard` and `status` before a fleet whose models ask for too much."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagebake.kernel.errors import ValidationFailed
from imagebake.rollout.commands.guard import guard
from imagebake.rollout.commands.status import print_status
from tests.rollout.commands.conftest import in_azure
from tests.support.live_fleets import World, version_id

Shown = pytest.CaptureFixture[str]
SCRIPT = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript"}


def test_a_fleet_that_asks_for_nothing_is_well(fleet: Path, capsys: Shown) -> None:
    guard("", as_json=False)

    assert capsys.readouterr().out == (
        "none of 2 scale sets and 0 machines asks for more than its image holds\n"
    )


def test_a_model_that_asks_for_more_is_named_with_what_mends_it(fleet: Path, capsys: Shown) -> None:
    def make(world: World) -> None:
        one = {"name": "run", "properties": SCRIPT | {"typeHandlerVersion": "2.1"}}
        world.scale_set(
            "batch", image=version_id("1.0.0"), capacity=0, extensionProfile={"extensions": [one]}
        )

    in_azure(make)
    print_status("demo", save="", as_json=False)
    remark = capsys.readouterr().out
    with pytest.raises(ValidationFailed, match="1 model asks for more") as caught:
        guard("demo", as_json=False)
    table = capsys.readouterr().out
    with pytest.raises(ValidationFailed):
        guard("demo", as_json=True)
    (told,) = json.loads(capsys.readouterr().out)["excess"]

    assert (
        "1 scale set declares extensions that their image does not contain: ./inv guard" in remark
    )
    assert caught.value.exit_code == 3
    assert "az vmss extension delete --resource-group imagebake --vmss-name batch" in table
    assert (told["extension"], told["name"]) == ("Microsoft.Azure.Extensions.CustomScript", "run")
