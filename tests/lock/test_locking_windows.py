from __future__ import annotations

from typing import Any

import pytest

from imagebake.kernel.errors import LockError
from imagebake.lock.locking import check_lock, read_lock, resolve_windows
from imagebake.spec.lock import LockedInstaller
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_lock, a_spec
from tests.support.windows import (
    GUEST_AGENT,
    PESTER,
    POWERSHELL,
    TOOL,
    a_full_windows_spec,
    a_windows_spec,
)


def stale(spec: ImageSpec, **changes: Any) -> str:  # noqa: ANN401 - any field of a spec
    with pytest.raises(LockError) as caught:
        check_lock(a_windows_spec(**changes), resolve_windows(spec, {}))
    return caught.value.message


def test_a_lock_of_windows_has_files_alone() -> None:
    lock = resolve_windows(a_full_windows_spec(), {TOOL["sha256"]: 10})

    assert (lock.suite, lock.repositories, lock.steps) == (None, (), ())
    assert [one.name for one in lock.files] == ["tool.exe"]
    assert [one.name for one in lock.installers or ()] == [
        "windows-guest-agent",
        "windows-powershell",
        "windows-azcopy",
        "Pester",
    ]
    assert [one.size for one in lock.installers or ()] == [None, 115515392, None, None]
    assert len(lock.artifacts) == 5


def test_a_lock_of_windows_survives_its_file_and_is_fresh() -> None:
    spec = a_windows_spec(pins=(GUEST_AGENT, POWERSHELL, PESTER))
    lock = resolve_windows(spec, {})

    assert read_lock(lock.canonical, "demo") == lock
    check_lock(spec, lock)


def test_a_stale_lock_says_what_moved() -> None:
    old = a_windows_spec(pins=(GUEST_AGENT, PESTER))

    moved = stale(old, pins=(GUEST_AGENT, PESTER | {"version": "5.8.0"}))
    assert moved == "the lock of demo is stale: Pester is pinned at 5.8.0, locked at 5.7.1"
    gone = stale(old, pins=(GUEST_AGENT,))
    assert gone == "the lock of demo is stale: Pester is pinned at no version, locked at 5.7.1"
    other = stale(old, pins=(GUEST_AGENT, PESTER | {"sha256": "9" * 64}))
    assert other == "the lock of demo is stale: its spec has changed"


@pytest.mark.parametrize(
    ("pin", "message"),
    [
        (
            {"package": "jq", "version": "1.6-2.1"},
            "demo pins the package 'jq', and Windows has none of Debian's",
        ),
        (
            {"agent": "windows-azcopy", "version": "10.32.7"},
            "demo pins the agent 'windows-azcopy' without its installer",
        ),
    ],
    ids=["package", "no installer"],
)
def test_a_pin_that_windows_cannot_have_is_refused(pin: dict[str, Any], message: str) -> None:
    with pytest.raises(LockError) as caught:
        resolve_windows(a_windows_spec(pins=(GUEST_AGENT, pin)), {})

    assert caught.value.message == message


def test_a_lock_of_linux_says_nothing_of_installers() -> None:
    assert b"installers" not in a_lock(a_spec()).canonical


@pytest.mark.parametrize("size", [0, -1])
def test_an_installer_has_bytes(size: int) -> None:
    fields = {"name": "a", "version": "1", "url": "u", "sha256": "0" * 64, "size": size}

    with pytest.raises(ValueError, match="greater than or equal to 1"):
        LockedInstaller.model_validate(fields)
