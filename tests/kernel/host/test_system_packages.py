from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.kernel.host import system_packages
from imagebake.kernel.host.system_packages import MissingProgram, Need


def test_a_whole_path_is_a_file_that_need_not_be_a_program(tmp_path: Path) -> None:
    firmware = Need(str(tmp_path / "firmware.fd"), "ovmf", "is the firmware")

    assert system_packages.missing([firmware]) == (firmware,)

    (tmp_path / "firmware.fd").touch()

    assert system_packages.missing([firmware]) == ()


def test_what_is_missing_is_named_with_the_command_that_gets_it() -> None:
    needs = [Need("sh", "dash", "is there"), Need("no-such-program", "nowhere", "runs disks")]

    with pytest.raises(MissingProgram, match="no-such-program is not installed") as caught:
        system_packages.require(needs)

    assert caught.value.hint == "as root: ./inv setup (or: apt-get install nowhere)"
