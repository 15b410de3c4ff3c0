"""Watching a machine: programs that write a console stand in for it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagebake.lab.disk.qemu import (
    EMULATED,
    KVM,
    Accelerator,
    BootAttempt,
    EmulatorFailed,
    Hardware,
    boot,
)
from imagebake.lab.disk.result import BootStage, BootTrouble, DiskBoot

pytestmark = pytest.mark.root

CONSOLES = Path(__file__).parent / "consoles"
FOREVER = "exec sleep 1000"


@dataclass(frozen=True, slots=True)
class Bench:
    """Machines by their accelerator, as shell scripts; every look at the clock is *pace* on."""

    folder: Path
    pace: float = 0.1
    limit: float = 1000.0
    heard: list[str] = field(default_factory=list)

    def boot(self, **scripts: str) -> DiskBoot:
        console = self.folder / "console"
        by_name = {"kvm": KVM, "emulated": EMULATED}
        chosen = {by_name[name].name: script for name, script in scripts.items()}

        def command(accelerator: Accelerator) -> tuple[str, ...]:
            script = f"console={shlex.quote(str(console))}; {chosen[accelerator.name]}"
            return ("sh", "-c", script)

        clock: Iterator[float] = itertools.count(0.0, self.pace)
        return boot(
            BootAttempt(
                command=command,
                console=console,
                scratch=self.folder,
                secure=True,
                limit=self.limit,
            ),
            [by_name[name] for name in scripts],
            clock=lambda: next(clock),
            on_stage=self.heard.append,
        )


def says(name: str) -> str:
    return f"cat {shlex.quote(str(CONSOLES / f'{name}.log'))} > $console"


def test_a_login_prompt_ends_the_boot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    seen = bench.boot(emulated=f"{says('login')}; {FOREVER}")

    assert seen.trouble is None
    assert seen.reached is BootStage.LOGIN
    assert seen.secure
    assert seen.accelerator == EMULATED.name
    assert seen.last == ()
    assert [words.partition(" after")[0] for words in bench.heard] == [
        "the firmware",
        "the boot loader",
        "the kernel 6.1.0-56-cloud-amd64",
        "the root file system",
        "systemd",
        "the login prompt",
    ]


def test_a_trouble_ends_the_boot_long_before_the_limit(tmp_path: Path) -> None:
    seen = Bench(tmp_path).boot(emulated=f"{says('no-kernel')}; {FOREVER}")

    assert (seen.trouble, seen.reached) == (BootTrouble.NO_KERNEL, BootStage.LOADER)
    assert seen.missing is BootStage.KERNEL


def test_the_limit_ends_what_does_not_get_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, pace=100.0, limit=300.0)

    seen = bench.boot(emulated=f"{says('no-console')}; {FOREVER}")

    assert seen.trouble is BootTrouble.LATE
    assert seen.reached is BootStage.LOADER or seen.reached is None


def test_a_machine_that_reboots_has_ended(tmp_path: Path) -> None:
    seen = Bench(tmp_path).boot(emulated=says("no-console"))

    assert (seen.trouble, seen.reached) == (BootTrouble.ENDED, BootStage.LOADER)
    assert seen.last


@pytest.mark.parametrize(
    "broken",
    [
        "echo 'Could not access KVM kernel module'; exit 1",
        f"printf x > $console; echo 'KVM internal error. Suberror: 1'; {FOREVER}",
        FOREVER,
    ],
    ids=["refused", "breaks", "hangs"],
)
def test_an_accelerator_that_does_not_work_is_passed_over(tmp_path: Path, broken: str) -> None:
    seen = Bench(tmp_path, pace=1.0).boot(kvm=broken, emulated=f"{says('login')}; {FOREVER}")

    assert seen.trouble is None
    assert seen.accelerator == EMULATED.name


def test_an_emulator_that_does_not_start_is_not_the_disks_fault(tmp_path: Path) -> None:
    with pytest.raises(EmulatorFailed, match="did not start: no such firmware"):
        Bench(tmp_path).boot(emulated="echo no such firmware; exit 1")


def test_a_comma_in_a_path_is_no_option(tmp_path: Path) -> None:
    hardware = Hardware(
        disk=tmp_path / "a,b.vhd", console=tmp_path / "c,d", scratch=tmp_path, secure=False
    )
    firmware = tmp_path / "OVMF_VARS_4M.fd"
    firmware.touch()

    command = " ".join(hardware.command(EMULATED, firmware=tmp_path))

    assert "a,,b.vhd" in command
    assert "c,,d" in command
    assert "-nic none" in command
