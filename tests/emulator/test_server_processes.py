"""Two processes that share a folder, and processes that die."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest

from imagebake.emulator.server import SUBSCRIPTION, Emulator
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, RecordingBuilder, azure

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Other:
    """The emulator of the other process, in the form that `azure` takes."""

    process: subprocess.Popen[str]
    url: str
    ca: Path

    def release(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("release\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def _other(folder: Path) -> Iterator[Other]:
    command = [sys.executable, "-m", "tests.support.emulator_process", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield Other(process, process.stdout.readline().strip(), folder / "ca.pem")
        process.kill()


@pytest.fixture
def other(emulator: Emulator) -> Iterator[Other]:
    with _other(emulator.folder) as other:
        yield other


@pytest.fixture
def there(other: Other) -> Iterator[Azure]:
    speaking: Any = other
    with azure(speaking) as clients:
        yield clients


def _run_state(arm: Azure) -> Any:  # noqa: ANN401 - an enumeration of Azure's, and a text
    return arm.templates.get(GROUP, "one").properties.last_run_status.run_state


def _wait_for(arm: Azure, sub_state: str) -> None:
    for _ in itertools.count():
        status = arm.templates.get(GROUP, "one").properties.last_run_status
        if status and status.run_sub_state == sub_state:
            return


def test_what_one_process_does_the_other_sees(arm: Azure, there: Azure) -> None:
    arm.shelf()

    there.version("1.0.0")

    listed = arm.compute.gallery_image_versions.list_by_gallery_image(GROUP, "shelf", "demo")
    assert [version.name for version in listed] == ["1.0.0"]


def test_one_process_follows_the_run_of_the_other(
    arm: Azure, there: Azure, other: Other, builder: RecordingBuilder
) -> None:
    arm.shelf()
    arm.template()
    there.templates.begin_run(GROUP, "one", polling=False)
    _wait_for(arm, "Customizing")

    with pytest.raises(HttpResponseError) as caught:
        arm.templates.begin_run(GROUP, "one")
    other.release()
    while _run_state(arm) == "Running":
        pass

    assert caught.value.error
    assert caught.value.error.code == "OperationNotAllowed"
    assert _run_state(arm) == "Succeeded"
    assert builder.asked == []
    record = arm.emulator.image_record(f"{DEFINITION_ID}/versions/0.0.1")
    assert record == {"layers": ["from the other process"]}


def test_one_process_cancels_the_run_of_the_other(arm: Azure, there: Azure) -> None:
    arm.shelf()
    arm.template()
    poller = there.templates.begin_run(GROUP, "one")
    _wait_for(arm, "Customizing")

    arm.templates.begin_cancel(GROUP, "one").result()

    with pytest.raises(HttpResponseError) as caught:
        poller.result()
    assert caught.value.error
    assert caught.value.error.code == "Canceled"
    assert _run_state(arm) == "Canceled"


def test_a_run_whose_process_died_has_failed(arm: Azure, there: Azure, other: Other) -> None:
    arm.shelf()
    arm.template()
    there.templates.begin_run(GROUP, "one", polling=False)
    _wait_for(arm, "Customizing")

    other.kill()

    status = arm.templates.get(GROUP, "one").properties.last_run_status
    assert status.run_state == "Failed"
    assert status.message.startswith("The process that ran the build ended before the build did.")
    assert status.end_time.year > 1
    assert arm.emulator.records() == ()
    assert arm.run().properties.last_run_status.run_state == "Succeeded"


def test_whoever_polls_the_operation_of_a_dead_process_learns_of_it(
    arm: Azure, there: Azure, other: Other
) -> None:
    arm.shelf()
    arm.template()
    there.templates.begin_run(GROUP, "one", polling=False)
    _wait_for(arm, "Customizing")
    log = arm.emulator.run_log(arm.templates.get(GROUP, "one").id)
    assert log

    other.kill()
    path = (
        f"/subscriptions/{SUBSCRIPTION}/providers"
        f"/Microsoft.VirtualMachineImages/locations/westeurope/operations/{log.parent.name}"
    )
    operation = _get(arm, path)

    assert operation["status"] == "Failed"
    assert operation["error"]["code"] == "InternalOperationError"
    assert str(log) in operation["error"]["message"]


def _get(arm: Azure, path: str) -> Any:  # noqa: ANN401 - JSON
    request = HttpRequest("GET", f"{arm.emulator.url}{path}?api-version=2025-10-01")
    return arm.images.send_request(request).json()


def test_a_folder_opens_again_after_a_kill_in_the_middle_of_writing(
    arm: Azure, there: Azure, other: Other
) -> None:
    arm.shelf()
    acknowledged: list[str] = []

    def write() -> None:
        with contextlib.suppress(AzureError):
            for number in itertools.count():
                there.version(f"1.0.{number}")
                acknowledged.append(f"1.0.{number}")

    writer = threading.Thread(target=write)
    writer.start()
    while len(acknowledged) < 5:
        writer.join(0.005)
    other.kill()
    writer.join()

    listed = arm.compute.gallery_image_versions.list_by_gallery_image(GROUP, "shelf", "demo")
    names = {version.name for version in listed}
    assert names >= set(acknowledged)
    assert len(names) <= len(acknowledged) + 1


def test_many_writers_in_two_processes_lose_nothing(arm: Azure, there: Azure) -> None:
    arm.shelf()

    def write(side: Azure, major: int) -> None:
        for number in range(15):
            side.version(f"{major}.0.{number}")

    threads = [
        threading.Thread(target=write, args=(side, major))
        for major, side in enumerate((arm, there, arm, there))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    versions = arm.compute.gallery_image_versions
    assert len(list(versions.list_by_gallery_image(GROUP, "shelf", "demo"))) == 60


def test_leaving_cancels_the_runs_of_this_process(
    tmp_path: Path, builder: RecordingBuilder
) -> None:
    builder.hold = True
    with Emulator(tmp_path / "left", builder=builder) as emulator, azure(emulator) as arm:
        arm.shelf()
        arm.template()
        arm.templates.begin_run(GROUP, "one", polling=False)
        assert builder.entered.wait(5)

    with Emulator(tmp_path / "left", builder=builder) as emulator, azure(emulator) as arm:
        assert _run_state(arm) == "Canceled"
