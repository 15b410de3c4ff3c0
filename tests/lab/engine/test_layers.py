from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import EngineFailed
from tests.lab.engine import support
from tests.lab.engine.support import build, shell

pytestmark = [pytest.mark.root, pytest.mark.archive]

WRITE = shell("write", "sudo touch /etc/written")


def test_validators_see_the_generalised_image_and_leave_no_trace(
    engine: Engine, tmp_path: Path
) -> None:
    checks = [
        shell("change", "test -e /etc/written", "sudo touch /etc/changed", "id -un"),
        shell("see", "test -e /etc/changed", "test ! -s /etc/machine-id", "ls /sys/class/net"),
    ]

    record = build(engine, [WRITE], log=tmp_path / "log", validate={"inVMValidations": checks})

    assert "    change: packer\n" in (tmp_path / "log").read_text()
    assert "    see: lo\n" in (tmp_path / "log").read_text()
    image = support.contents(engine, record)
    assert "/etc/changed" not in image
    assert "/home/packer" not in image


def test_a_failed_validation_makes_no_image(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as caught:
        build(
            engine,
            [WRITE],
            log=tmp_path / "log",
            validate={"inVMValidations": [shell("check", "echo not good", "exit 3")]},
        )

    assert caught.value.code == "ValidationFailed"
    assert caught.value.message == "check ended with exit code 3\nnot good"
    assert caught.value.record is None


def test_a_failed_validation_makes_an_image_where_the_template_says_so(
    engine: Engine, tmp_path: Path
) -> None:
    states: list[str] = []

    with pytest.raises(EngineFailed) as caught:
        build(
            engine,
            [WRITE],
            log=tmp_path / "log",
            on_state=states.append,
            validate={
                "inVMValidations": [shell("check", "false")],
                "continueDistributeOnFailure": True,
            },
        )

    assert states[-1] == "Distributing"
    assert caught.value.code == "ValidationFailed"
    assert caught.value.record
    assert "/etc/written" in support.contents(engine, caught.value.record)


def test_a_source_can_be_validated_without_building(engine: Engine, tmp_path: Path) -> None:
    states: list[str] = []

    record = build(
        engine,
        [shell("never", "exit 1")],
        log=tmp_path / "log",
        on_state=states.append,
        validate={
            "inVMValidations": [shell("check", "test ! -e /etc/written")],
            "sourceValidationOnly": True,
        },
    )

    assert states == ["Building", "Validating", "Distributing"]
    assert record["layers"] == []
