"""Injected faults apply to matching requests, as often as requested."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

from imagebake.emulator.server import Emulator
from tests.support.emulators import GROUP, Azure, RecordingBuilder, azure


def test_a_fault_strikes_its_times_and_no_more(arm: Azure) -> None:
    arm.gallery()
    fault = arm.emulator.fail("GET", "*/galleries/SHELF", status=418, code="Teapot", times=2)

    for _ in range(2):
        with pytest.raises(HttpResponseError) as caught:
            arm.compute.galleries.get(GROUP, "shelf")
        assert caught.value.status_code == 418
        assert caught.value.error
        assert caught.value.error.code == "Teapot"
    assert arm.compute.galleries.get(GROUP, "shelf").name == "shelf"
    assert fault.hits == 2


def test_a_fault_leaves_other_methods_and_paths_alone(arm: Azure) -> None:
    fault = arm.emulator.fail("DELETE", "*/galleries/*")
    arm.emulator.fail("GET", "*/imageTemplates*")

    arm.gallery()

    assert arm.compute.galleries.get(GROUP, "shelf").name == "shelf"
    assert fault.hits == 0


def test_faults_strike_one_after_the_other(arm: Azure) -> None:
    arm.emulator.fail("*", "*", status=410)
    arm.emulator.fail("*", "*", status=411)

    seen = []
    for _ in range(2):
        with pytest.raises(HttpResponseError) as caught:
            arm.compute.galleries.get(GROUP, "shelf")
        seen.append(caught.value.status_code)

    assert seen == [410, 411]


def test_a_refused_write_has_not_happened(arm: Azure) -> None:
    arm.emulator.fail("PUT", "*/galleries/*", status=400)

    with pytest.raises(HttpResponseError):
        arm.gallery()

    assert list(arm.compute.galleries.list()) == []


def test_a_lost_reply_has_happened(arm: Azure) -> None:
    arm.emulator.fail("PUT", "*/galleries/*", lose_reply=True)

    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        arm.gallery()

    assert [gallery.name for gallery in arm.compute.galleries.list()] == ["shelf"]


def test_a_run_whose_answer_was_lost_runs(arm: Azure, builder: RecordingBuilder) -> None:
    arm.shelf()
    arm.template()
    arm.emulator.fail("POST", "*/run", lose_reply=True)

    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        arm.templates.begin_run(GROUP, "one")

    assert builder.entered.wait(5)


def test_the_clients_own_retries_get_through(emulator: Emulator) -> None:
    options: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0}
    fault = emulator.fail(
        "GET", "*", status=429, code="TooManyRequests", times=2, headers={"retry-after-ms": "1"}
    )
    with azure(emulator, **options) as arm:
        assert list(arm.compute.galleries.list()) == []

    assert fault.hits == 2


def test_a_slow_answer_is_the_true_one_and_holds_up_nobody(arm: Azure) -> None:
    arm.gallery()
    fault = arm.emulator.fail("GET", "*/galleries/shelf", status=None, delay=0.2)
    answers: list[str] = []

    def ask() -> None:
        with azure(arm.emulator) as other:
            answers.append(str(other.compute.galleries.get(GROUP, "shelf").name))

    thread = threading.Thread(target=ask)
    began = time.monotonic()
    thread.start()
    assert len(list(arm.compute.galleries.list())) == 1
    listed = time.monotonic() - began
    thread.join()

    assert fault.hits == 1
    assert answers == ["shelf"]
    assert listed < time.monotonic() - began


def test_a_delay_ends_with_the_server(tmp_path: Path, builder: RecordingBuilder) -> None:
    began = time.monotonic()
    with Emulator(tmp_path / "short", builder=builder) as emulator:
        fault = emulator.fail("GET", "*", status=503, delay=60)
        thread = threading.Thread(target=_ask_in_vain, args=(emulator,))
        thread.start()
        while not fault.hits:
            thread.join(0.005)
    thread.join()

    assert time.monotonic() - began < 30


def _ask_in_vain(emulator: Emulator) -> None:
    with (
        azure(emulator) as arm,
        pytest.raises((HttpResponseError, ServiceRequestError, ServiceResponseError)),
    ):
        arm.compute.galleries.get(GROUP, "shelf")


def test_state_that_cannot_be_used_is_refused_for_good(arm: Azure) -> None:
    arm.gallery()
    with contextlib.closing(sqlite3.connect(arm.emulator.folder / "arm.sqlite3")) as meddler:
        meddler.execute("DROP TABLE resources")

    with pytest.raises(HttpResponseError) as caught:
        arm.compute.galleries.get(GROUP, "shelf")

    assert caught.value.status_code == 507
    assert "no such table: resources" in str(caught.value)
