"""Logs taken apart: Azure's as its pages show them, and the local builder's."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Sequence

import pytest

from imagebake.build.build_log import BuildLog, split_lines
from imagebake.kernel.text.redaction import redact
from imagebake.lab.engine.log import AzureLog

RUN = "864c0337-b300-48ab-8e8e-7894bc695b7c"
AZURE = f"""\
[{RUN}] PACKER OUT ==> azure-arm: Deploying deployment template ...
[{RUN}] PACKER ERR 2023/06/13 08:20:00 packer: 2023/06/13 08:20:00 Azure request method="GET"
[{RUN}] PACKER OUT ==> azure-arm: Connected to SSH!
[{RUN}] PACKER ERR 2023/06/13 08:21:00 [INFO] (telemetry) Starting provisioner shell
[{RUN}] PACKER OUT ==> azure-arm: Provisioning with shell script: /tmp/packer-shell12
[{RUN}] PACKER OUT     azure-arm: Reading package lists...
[{RUN}] PACKER ERR 2023/06/13 08:22:30 [INFO] (telemetry) ending shell
[{RUN}] PACKER ERR 2023/06/13 08:22:30 [INFO] (telemetry) Starting provisioner file
[{RUN}] PACKER ERR 2023/06/13 08:22:31 [INFO] (telemetry) ending file
[{RUN}] PACKER ERR 2023/06/13 08:22:31 [INFO] (telemetry) Starting provisioner shell
[{RUN}] PACKER OUT     azure-arm: E: Could not get lock /var/lib/dpkg/lock-frontend
[{RUN}] PACKER ERR 2023/06/13 08:23:00 [INFO] (telemetry) ending shell
[{RUN}] PACKER OUT ==> azure-arm: Provisioning step had errors: Running the cleanup provisioner
[{RUN}] PACKER OUT Build 'azure-arm' errored after 2 minutes: Script exited with non-zero exit status: 100
[{RUN}] PACKER ERR 2023/06/13 08:23:09 [INFO] (telemetry) Finalizing.
"""  # noqa: E501 - as it is
NAMES = (("agents", "shell"), ("upload", "file"), ("packages", "shell"))


def read_log(lines: Iterable[str], names: Sequence[tuple[str, str]] = ()) -> BuildLog:
    log = BuildLog(names)
    for line in lines:
        log.feed(line)
    return log


def test_azures_log_is_split_by_customizer_with_durations() -> None:
    log = read_log(AZURE.splitlines(), NAMES)

    assert log.run == RUN
    assert log.final
    assert log.before == ["Deploying deployment template ...", "Connected to SSH!"]
    assert [(step.name, step.kind, step.seconds) for step in log.steps] == [
        ("agents", "shell", 90.0),
        ("upload", "file", 1.0),
        ("packages", "shell", 29.0),
    ]
    assert "Reading package lists..." in log.steps[0].lines
    assert not any("Azure request" in line for step in log.steps for line in step.lines)


def test_the_step_that_failed_says_why_and_what_to_do() -> None:
    failed = read_log(AZURE.splitlines(), NAMES).failed

    assert failed
    assert (failed.name, failed.outcome) == ("packages", "failed")
    known = failed.meaning()
    assert known
    assert known.id == "package-lock-held"


@pytest.mark.parametrize("kind", ["shell", "file", "powershell", "windows-restart"])
def test_every_kind_of_provisioner_is_a_step(kind: str) -> None:
    lines = (f"(telemetry) Starting provisioner {kind}", f"(telemetry) ending {kind}")

    log = read_log(lines)

    assert [(step.kind, step.outcome) for step in log.steps] == [(kind, "done")]


def test_the_step_that_azure_hides_has_a_name_too() -> None:
    hidden = "(telemetry) Starting provisioner shell"

    log = read_log([*AZURE.splitlines()[:10], hidden], NAMES[:2])

    assert log.steps[-1].name == "generalise"


def test_a_log_that_is_being_written_is_read_as_far_as_it_goes() -> None:
    log = BuildLog()

    marked = log.feed("(telemetry) Starting provisioner shell")
    shown = log.feed("    greet: hello")

    assert marked is None
    assert shown == "greet: hello"
    assert log.steps[0].outcome == "running"
    assert log.steps[0].seconds is None


def test_the_local_builders_log_reads_the_same() -> None:
    out, times = io.StringIO(), iter(range(0, 100, 10))
    start = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    log = AzureLog(out, RUN, lambda: start + dt.timedelta(seconds=next(times)))
    for line in (
        "==> base: making it from packages",
        "(telemetry) Starting provisioner shell",
        "==> greet: Provisioning",
        "    greet: hello",
        "(telemetry) ending shell",
        "Finalizing.",
    ):
        print(line, file=log, flush=True)

    read = read_log(out.getvalue().splitlines())

    assert read.run == RUN
    assert read.final
    assert [(step.name, step.seconds, step.lines) for step in read.steps] == [
        ("greet", 10.0, ["greet: hello"])
    ]
    assert f"[{RUN}] PACKER ERR 2026/11/22 12:00:00 [INFO] (telemetry) Starting" in out.getvalue()


def test_lines_are_put_together_from_pieces() -> None:
    assert list(split_lines([b"one\ntw", b"o\r\nth", b"ree"])) == ["one", "two", "three"]
    assert list(split_lines([b"\xff\n"])) == ["�"]


@pytest.mark.parametrize(
    "secret",
    [
        "curl https://x.example/f?sig=abcdefgh&se=1",
        "export PASSWORD=hunter2hunter2",
        "AccountKey=abcdefghijklmnopqrstuvwxyz==",
        "Authorization: Bearer abcdefghijklmnop",
        "token eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSM",
        "git clone https://me:hunter22@x.example/r",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(secret: str) -> None:
    shown = redact(secret)

    assert shown != secret
    assert not any(word in shown for word in ("hunter", "abcdefgh", "SflK"))


def test_what_is_no_secret_is_left_as_it_is() -> None:
    for text in ("Setting up passwd (1:4.13) ...", "the secret of success", "a?b", "sig: "):
        assert redact(text) == text
