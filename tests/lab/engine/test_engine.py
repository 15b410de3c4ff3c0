from __future__ import annotations

import dataclasses
import hashlib
import re
import threading
from pathlib import Path

import pytest

from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import Cancelled, EngineFailed, UnsupportedTemplate
from tests.lab.engine import support
from tests.lab.engine.support import build, shell

pytestmark = [pytest.mark.root, pytest.mark.archive]


def test_a_step_is_the_build_user_with_sudo_in_a_world_of_its_own(
    engine: Engine, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    build(
        engine,
        [
            shell(
                "look",
                "echo user=$(id -un):$(id -u) home=$HOME pwd=$PWD",
                "echo sudo=$(sudo id -u)",
                "echo links=$(ls /sys/class/net | tr '\\n' ' ')",
                "echo processes=$(ls -d /proc/[0-9]* | wc -l)",
                "echo host=$(cat /proc/sys/kernel/hostname)",
                "echo bundles=$(ls /run/imagebake/mirror)",
                "echo epoch=$SOURCE_DATE_EPOCH secret=$SECRET",
                "sudo touch /run/imagebake/mirror/x 2>/dev/null || echo mirror=read-only",
                "sudo sh -c 'echo 1 > /proc/sys/vm/drop_caches' 2>/dev/null || echo kernel=safe",
                "sudo systemctl start nothing 2>&1",
                "readlink /proc/self/fd/0",
                "ls /proc/self/fd | wc -l",
            )
        ],
        log=log,
    )

    lines = [line.removeprefix("    look: ") for line in log.read_text().splitlines()]
    assert "user=packer:1000 home=/home/packer pwd=/home/packer" in lines
    assert "sudo=0" in lines
    assert "links=lo" in lines
    assert "host=imagebake" in lines
    assert "bundles=bundles" in lines
    assert "epoch=1767225600 secret=" in lines
    assert "mirror=read-only" in lines
    assert "kernel=safe" in lines
    assert "Running in chroot, ignoring command 'start'" in lines
    assert "/dev/null" in lines
    assert next(int(line.split("=")[1]) for line in lines if line.startswith("processes=")) < 10


def test_the_log_speaks_as_azures_does(engine: Engine, tmp_path: Path) -> None:
    log, states = tmp_path / "log", list[str]()

    build(
        engine,
        [shell("greet", "echo hello from greet")],
        log=log,
        on_state=states.append,
        validate={"inVMValidations": [shell("check", "true")]},
    )

    assert states == ["Building", "Customizing", "Validating", "Distributing"]
    assert (
        "(telemetry) Starting provisioner shell\n==> greet: Provisioning\n"
        "    greet: hello from greet\n(telemetry) ending shell\n"
    ) in log.read_text()
    assert log.read_text().endswith("Finalizing.\n")


def test_layers_are_found_again_up_to_the_first_change(engine: Engine, tmp_path: Path) -> None:
    one, two = shell("one", "echo first-ran"), shell("two", "echo second-ran")
    before = build(engine, [one, two], log=tmp_path / "before")

    again = build(engine, [one, two], log=tmp_path / "again")
    changed = build(engine, [one, shell("two", "echo changed")], log=tmp_path / "changed")

    assert again == before
    assert "-ran" not in (tmp_path / "again").read_text()
    assert "first-ran" not in (tmp_path / "changed").read_text()
    assert "    two: changed\n" in (tmp_path / "changed").read_text()
    assert changed["layers"][:2] == before["layers"][:2]
    assert not set(changed["layers"][2:]) & set(before["layers"])


def test_a_failing_customizer_is_named_and_those_before_it_are_kept(
    engine: Engine, tmp_path: Path
) -> None:
    good = shell("good", "echo good-ran")

    with pytest.raises(EngineFailed) as caught:
        build(
            engine,
            [good, shell("bad", "seq 1 30 | sed s/^/line-/", "exit 7")],
            log=tmp_path / "log",
        )
    build(engine, [good, shell("bad", "echo mended")], log=tmp_path / "again")

    assert caught.value.step == "bad"
    assert caught.value.code == "PackerBuildFailed"
    assert caught.value.message.startswith("bad ended with exit code 7\nline-11\n")
    assert caught.value.output.splitlines() == [f"line-{n}" for n in range(11, 31)]
    assert "good-ran" not in (tmp_path / "again").read_text()


def test_a_script_stops_at_its_first_failing_line(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="exit code 1"):
        build(engine, [shell("stop", "false", "echo went-on")], log=tmp_path / "log")

    assert "went-on" not in (tmp_path / "log").read_text()


def test_the_image_has_what_steps_did_and_nothing_of_the_builder(
    engine: Engine, tmp_path: Path
) -> None:
    record = build(
        engine,
        [
            shell("write", "sudo sh -c 'echo kept > /etc/kept; rm /etc/issue.net'"),
            shell("enable", support.install("cron"), "echo installed"),
        ],
        log=tmp_path / "log",
    )

    image = support.contents(engine, record)
    assert image["/etc/kept"].content == b"kept\n"
    assert "/etc/issue.net" not in image
    assert "/usr/sbin/cron" in image
    for gone in (
        "/usr/sbin/policy-rc.d",
        "/etc/sudoers.d/packer",
        "/home/packer",
        "/etc/resolv.conf",
        "/etc/dpkg/dpkg.cfg.d/imagebake",
        "/etc/apt/apt.conf.d/99imagebake",
        "/run/imagebake",
        "/etc/passwd-",
    ):
        assert gone not in image
    assert b"packer" not in image["/etc/passwd"].content + image["/etc/shadow"].content
    assert b"packer" not in image["/etc/group"].content + image["/etc/subuid"].content
    assert image["/etc/hostname"].content == b"localhost\n"
    assert image["/etc/machine-id"].content == b""
    assert image["/etc/apt/sources.list"].content == b""
    assert {name for name in image if re.match("/(dev|proc|run|sys|tmp)/", name)} == set()
    assert max(entry.info.mtime for entry in image.values()) <= record["epoch"]
    assert not [name for name, entry in image.items() if str(tmp_path).encode() in entry.content]


def test_files_land_below_tmp_for_the_next_step(engine: Engine, tmp_path: Path) -> None:
    content = b"\x00\xff binary\n"
    digest = hashlib.sha256(content).hexdigest()

    def fetch(uri: str, sha256: str | None) -> bytes:
        return content if sha256 == digest else b"echo script-ran in $0\n"

    engine = dataclasses.replace(engine, fetch=fetch)
    record = build(
        engine,
        [
            {
                "type": "File",
                "name": "put",
                "sourceUri": "https://files.example/blob?sig=1",
                "destination": "/tmp/blob",  # noqa: S108
                "sha256Checksum": digest,
            },
            {"type": "Shell", "name": "run", "scriptUri": "https://files.example/run.sh"},
            shell("move", "stat -c %U:%a /tmp/blob", "sudo install -m 600 /tmp/blob /etc/blob"),
        ],
        log=tmp_path / "log",
    )

    log = (tmp_path / "log").read_text()
    assert "script-ran in /tmp/script_imagebake.sh" in log
    assert "    move: packer:644\n" in log
    assert support.contents(engine, record)["/etc/blob"].content == content


def test_what_a_step_leaves_running_is_gone_with_it(engine: Engine, tmp_path: Path) -> None:
    marker = f"sleep-{tmp_path.name}"

    build(
        engine,
        [shell("daemon", f"sudo sh -c 'exec -a {marker} sleep 600 & sleep 0'", "true")],
        log=tmp_path / "log",
    )

    assert support.processes(marker) == []
    assert support.mounts(str(engine.folder)) == []


def test_a_cancelled_build_stops_at_once_and_publishes_nothing(
    fresh: Engine, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    with pytest.raises(Cancelled):
        build(
            fresh,
            [shell("long", "echo started", "sleep 600")],
            log=log,
            cancelled=lambda: log.is_file() and "    long: started" in log.read_text(),
        )

    assert support.processes(str(fresh.folder)) == []
    assert list((fresh.folder / "tmp").iterdir()) == []
    assert not [p for p in (fresh.folder / "layers").iterdir() if "long" in _description(p)]


def _description(layer: Path) -> str:
    return (layer / "layer.json").read_text()


def test_a_build_that_takes_too_long_says_so(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as caught:
        build(
            engine,
            [shell("long", "sleep 600")],
            log=tmp_path / "log",
            buildTimeoutInMinutes=0.01,
        )

    assert caught.value.code == "BuildTimeout"
    assert caught.value.message == "the build took longer than its 0.01 minutes"


@pytest.mark.slow
def test_ninety_steps_are_ninety_layers(engine: Engine, tmp_path: Path) -> None:
    steps = [shell(f"step {n}", f"echo {n} >> /home/packer/n") for n in range(90)]

    record = build(
        engine, [*steps, shell("count", "sudo cp /home/packer/n /etc/n")], log=tmp_path / "log"
    )

    assert len(record["layers"]) > 90
    image = support.contents(engine, record)
    assert image["/etc/n"].content.split() == [str(n).encode() for n in range(90)]


def test_more_steps_than_the_kernel_can_stack_are_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="the template has 481 steps"):
        build(engine, [shell("one", "true")] * 481, log=tmp_path / "log")


def test_parallel_builds_make_each_layer_once(engine: Engine, tmp_path: Path) -> None:
    steps = [shell("shared", "echo shared-ran; sleep 0.3; cat /proc/sys/kernel/random/uuid")]
    logs = [tmp_path / "one", tmp_path / "two"]
    records: list[dict[str, object]] = []
    threads = [
        threading.Thread(target=lambda log=log: records.append(build(engine, steps, log=log)))
        for log in logs
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert records[0] == records[1]
    assert sum("shared: shared-ran" in log.read_text() for log in logs) == 1


def test_a_source_that_nothing_stands_in_for_is_named(engine: Engine, tmp_path: Path) -> None:
    described = support.template([])
    described["properties"]["source"] = {**support.SOURCE, "offer": "windows"}

    with pytest.raises(EngineFailed) as caught:
        engine.build(
            described, log=tmp_path / "log", on_state=lambda _: None, cancelled=lambda: False
        )

    assert caught.value.code == "BadPIRSource"
    assert caught.value.message == (
        "no base on this machine stands in for the source Debian:windows:test:1.0.0"
    )
    assert isinstance(caught.value, UnsupportedTemplate)


def test_a_step_that_asks_for_the_network_has_this_machines(engine: Engine, tmp_path: Path) -> None:
    links = len(list(Path("/sys/class/net").iterdir()))

    build(
        engine,
        [shell("net", "# imagebake: network=required", "ls /sys/class/net | wc -l")],
        log=tmp_path / "log",
    )

    assert f"    net: {links}\n" in (tmp_path / "log").read_text()
    assert "==> net: Provisioning, with the network" in (tmp_path / "log").read_text()
