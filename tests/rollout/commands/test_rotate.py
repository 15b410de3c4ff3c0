"""The commands of a rollout as people type them: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagebake.heartbeat.history_report import read_heartbeats
from imagebake.kernel.errors import ImagebakeError, NotNow, RolloutRefused, SpecError, UsageError
from imagebake.rollout.commands.hold import hold, unhold
from imagebake.rollout.commands.map import print_map
from imagebake.rollout.commands.promote import promote
from imagebake.rollout.commands.retire import retire
from imagebake.rollout.commands.rollback import rollback
from imagebake.rollout.commands.rotate import rotate
from imagebake.rollout.commands.status import print_status

ROTATE: dict[str, Any] = {
    "plan": False, "apply": True, "expect": "", "override": "", "as_json": False,
    "heartbeats": read_heartbeats,
}  # fmt: skip
PROMOTE: dict[str, Any] = {
    "plan": False, "apply": False, "override": "", "as_json": False, "heartbeats": read_heartbeats,
}  # fmt: skip
ROLLBACK: dict[str, Any] = {
    "ring": "", "reason": "it does not boot", "plan": False, "override": "", "take_over": False,
    "as_json": False,
}  # fmt: skip
RETIRE: dict[str, Any] = {
    "plan": True, "apply": False, "expect": "", "inventory": "", "now": "", "override": "",
    "as_json": False,
}  # fmt: skip

Shown = pytest.CaptureFixture[str]


def status(shown: Shown) -> list[dict[str, Any]]:
    shown.readouterr()
    print_status("demo", save="", as_json=True)
    rings: list[dict[str, Any]] = json.loads(shown.readouterr().out)["rings"]
    return rings


def test_a_fleet_goes_through_its_rings_and_back(fleet: Path, capsys: Shown) -> None:
    promote("demo@1.0.0", ring="canary", **PROMOTE)
    promote("demo", ring="broad", **PROMOTE)
    rotate("demo", **ROTATE)
    there = status(capsys)
    rollback("demo", **ROLLBACK)
    output = capsys.readouterr().out
    back = status(capsys)

    assert [row["current"] for row in there] == ["1.0.1", "1.0.0"]
    assert there[0]["scale_sets"] == {"moved": 1, "all": 1}
    assert [row["current"] for row in back] == ["1.0.0", "1.0.0"]
    assert "1. Revoke demo@1.0.1 everywhere\n   because it does not boot\n" in output
    assert "; the objective of 10.0 min is met" in output
    record = next(fleet.glob("state/mirror/records/imagebake/demo/rollouts/*-rollback.json"))
    assert json.loads(record.read_bytes())["objective_met"] is True


def test_a_rotation_is_shown_before_it_is_done(fleet: Path, capsys: Shown) -> None:
    rotate("demo", **ROTATE | {"apply": False})
    output = capsys.readouterr().out

    assert output.startswith("# Rotate demo\n\nPlanned at ")
    assert "1. Make demo@1.0.1 current in ring canary\n" in output
    digest = output.rsplit(" ", 1)[-1].strip()
    assert output.endswith(f"\nApply it with: ./inv rotate demo --apply --expect {digest}\n")
    rotate("demo", **ROTATE | {"expect": digest})
    assert status(capsys)[0]["current"] == "1.0.1"


def test_programs_read_the_plan_and_what_came_of_it(fleet: Path, capsys: Shown) -> None:
    rotate("demo", **ROTATE | {"apply": False, "as_json": True})
    plan = json.loads(capsys.readouterr().out)
    rotate("demo", **ROTATE | {"as_json": True})
    done = json.loads(capsys.readouterr().out)

    assert done["plan"]["digest"] == plan["digest"] == done["outcome"]["digest"]
    assert [one["step"] for one in done["outcome"]["done"]] == [
        action["sentence"] for action in plan["actions"]
    ]


def test_a_hold_is_kept_until_it_is_released(fleet: Path, capsys: Shown) -> None:
    promote("demo@1.0.0", ring="canary", **PROMOTE)
    promote("demo", ring="broad", **PROMOTE)
    capsys.readouterr()
    hold("demo@1.0.1", reason="an audit", as_json=False)
    held = capsys.readouterr().out
    rotate("demo", **ROTATE)
    refused = capsys.readouterr().out
    hold("demo@1.0.1", reason="an audit", as_json=False)
    again = capsys.readouterr().out
    unhold("demo@1.0.1", reason="it is over", as_json=False)
    rotate("demo", **ROTATE)

    assert held.startswith("Hold demo@1.0.1: 1 step in ")
    assert "cannot promote to canary: it is held: " in refused
    assert again.startswith("Hold demo@1.0.1: nothing to do\nIt is held already: ")
    assert status(capsys)[0]["current"] == "1.0.1"


def test_in_a_freeze_a_rotation_ends_with_75_and_a_reason_overrules_it(
    fleet: Path, capsys: Shown
) -> None:
    (fleet / "imagebake.yaml").write_text(
        "freezes:\n  - {from: 2020-01-01T00:00, until: 2999-01-01T00:00, timezone: Etc/UTC,"
        " owner: shop, reason: the sale}\n"
    )

    with pytest.raises(NotNow) as caught:
        rotate("demo", **ROTATE)
    output = capsys.readouterr().out
    rotate("demo", **ROTATE | {"apply": False})
    with pytest.raises(NotNow):
        promote("demo", ring="canary", **PROMOTE)
    with pytest.raises(NotNow):
        retire("", **RETIRE | {"plan": False, "apply": True})
    rotate("demo", **ROTATE | {"override": "the fix cannot wait"})

    assert caught.value.exit_code == 75
    assert "until 2999-01-01 00:00 UTC**: freeze: the sale (shop)" in output
    assert "## What would be done" in output
    assert status(capsys)[0]["current"] == "1.0.1"


def test_a_plan_that_would_be_refused_ends_as_doing_it_would(fleet: Path, capsys: Shown) -> None:
    promote("demo@1.0.0", ring="canary", **PROMOTE)
    (fleet / "imagebake.yaml").write_text(
        "freezes:\n  - {from: 2020-01-01T00:00, until: 2999-01-01T00:00, timezone: Etc/UTC,"
        " owner: shop, reason: the sale}\n"
    )
    planned = {"plan": True}
    capsys.readouterr()

    with pytest.raises(NotNow) as frozen:
        promote("demo@1.0.1", ring="canary", **PROMOTE | planned)
    promotion = capsys.readouterr().out
    with pytest.raises(RolloutRefused) as nowhere:
        rollback("demo", **ROLLBACK | planned)
    rotate("demo", **ROTATE | {"apply": False})

    assert (frozen.value.exit_code, nowhere.value.exit_code) == (75, 4)
    assert "1. Make demo@1.0.1 current in ring canary\n" in promotion


def test_a_retirement_is_decided_from_a_file_without_a_cloud(fleet: Path, capsys: Shown) -> None:
    rotate("demo", **ROTATE)
    print_status("", save="fleet.json", as_json=False)
    capsys.readouterr()

    retire("", **RETIRE | {"inventory": "fleet.json"})
    young = capsys.readouterr().out
    retire("", **RETIRE | {"inventory": "fleet.json", "now": "2999-01-01", "as_json": True})
    old = json.loads(capsys.readouterr().out)

    assert "cannot retire: " in young
    assert "it is younger than 14 days" in young
    protected = {one["subject"].rpartition("/")[2]: one["reason"] for one in old["refusals"]}
    assert protected["1.0.1"].startswith("it is the current version of ring canary")
    assert old["at"] == "2999-01-01T00:00:00+00:00"


def test_deciding_from_a_file_loads_no_azure(fleet: Path) -> None:
    print_status("", save="fleet.json", as_json=False)
    probe = (
        "import sys\n"
        "from imagebake.cli.program import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('azure', 'werkzeug')],"
        " file=sys.stderr)"
    )
    words = ("retire", "--inventory", "fleet.json", "--now", "2026-11-22T00:00:00Z", "--json")
    done = subprocess.run(
        [sys.executable, "-c", probe, *words], cwd=fleet, capture_output=True, text=True, check=True
    )

    assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout)["title"] == "Retire versions of gallery imagebake"


def test_a_wrong_inventory_is_explained_in_full(root: Path) -> None:
    (root / "fleet.json").write_text('{"gallery": "g", "at": "today", "extra": 1}')

    with pytest.raises(SpecError) as caught:
        retire("", **RETIRE | {"inventory": "fleet.json"})

    assert [one.path for one in caught.value.diagnostics] == ["fleet.json"] * 3


@pytest.mark.parametrize(
    ("name", "begins"), [("a.svg", "<svg"), ("a.html", "<!doc"), ("a.md", "#")]
)
def test_a_map_is_a_picture(fleet: Path, name: str, begins: str) -> None:
    promote("demo@1.0.0", ring="canary", **PROMOTE)

    print_map("demo", out=name, as_json=False)

    text = (fleet / name).read_text()
    assert text.startswith(begins)
    assert "demo@1.0.0" in text
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_map_is_a_table_for_people_and_json_for_programs(fleet: Path, capsys: Shown) -> None:
    print_map("demo", out="", as_json=False)
    table = capsys.readouterr().out
    print_map("demo", out="", as_json=True)
    found = json.loads(capsys.readouterr().out)

    assert "scale set web" in table
    assert {"scale set", "version", "image", "gallery"} <= {one["kind"] for one in found["nodes"]}


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: rotate("", **ROTATE), "name an image"),
        (lambda: rotate("dmo", **ROTATE), "there is no image spec called 'dmo'"),
        (lambda: rotate("demo", **ROTATE | {"plan": True}), "--plan shows and --apply does"),
        (lambda: rotate("demo", **ROTATE | {"expect": "12"}), "'12' is too short"),
        (lambda: promote("demo", ring="", **PROMOTE), "say to which ring"),
        (lambda: promote("demo", ring="early", **PROMOTE), "demo has no ring 'early'"),
        (lambda: promote("demo@9.9.9", ring="canary", **PROMOTE), "there is no version 9.9.9"),
        (lambda: promote("demo", ring="broad", **PROMOTE), "ring canary has no current version"),
        (lambda: rollback("demo", **ROLLBACK | {"reason": " "}), "say why"),
        (lambda: rollback("demo@9.9.9", **ROLLBACK), "there is no version 9.9.9"),
        (lambda: hold("demo", reason="", as_json=False), "say why"),
        (lambda: hold("", reason="x", as_json=False), "name an image, or IMAGE@VERSION"),
        (lambda: retire("", **RETIRE | {"apply": True}), "--plan shows and --apply does"),
        (lambda: retire("", **RETIRE | {"now": "2026-01-01"}), "--now is for --inventory"),
        (lambda: retire("", **RETIRE | {"inventory": "no"}), "no cannot be read"),
        (lambda: print_map("", out="map.png", as_json=False), "map.png is no name for a picture"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(fleet: Path, act: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(UsageError) as caught:
        act()

    assert caught.value.message.startswith(message)
    assert caught.value.exit_code == 2


def test_before_anything_was_baked_the_commands_say_so(root: Path) -> None:
    acts: tuple[Callable[[], None], ...] = (
        lambda: print_status("", save="", as_json=False),
        lambda: rotate("demo", **ROTATE),
        lambda: rollback("demo", **ROLLBACK),
        lambda: retire("", **RETIRE),
        lambda: print_map("", out="", as_json=False),
        lambda: hold("demo", reason="x", as_json=False),
    )
    for act in acts:
        with pytest.raises(ImagebakeError) as caught:
            act()
        assert caught.value.exit_code == 2
        assert "./inv bake" in (caught.value.hint or "")


def test_a_rollback_with_nowhere_to_go_says_what_would_serve(fleet: Path) -> None:
    promote("demo@1.0.1", ring="canary", **PROMOTE)

    with pytest.raises(RolloutRefused) as caught:
        rollback("demo", **ROLLBACK)

    assert "; 1.0.0 would serve" in caught.value.message
    assert caught.value.hint == "./inv promote demo@1.0.0 --ring canary"
