from __future__ import annotations

import pydantic
import pytest

from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.spec.lock import Bundle, Lock, LockedPackage
from tests.support.builders import a_lock, a_package


def test_a_lock_survives_its_own_file() -> None:
    lock = a_lock()

    assert Lock.model_validate_json(lock.canonical) == lock
    assert lock.canonical == canonical_json(lock.to_json())
    assert lock.sha256 == sha256_bytes(lock.canonical)


def test_the_base_is_apart_from_what_customizers_install() -> None:
    lock = a_lock()

    assert lock.base.name == "base"
    assert [step.name for step in lock.customizing] == ["azure-linux-agent", "packages"]
    assert [step.is_agent for step in lock.customizing] == [True, False]


@pytest.mark.parametrize(
    ("version", "file_name"),
    [("1.6-2.1", "jq_1.6-2.1_amd64.deb"), ("2:1.6~rc1+b2", "jq_1.6~rc1+b2_amd64.deb")],
)
def test_a_package_file_is_named_without_its_epoch(version: str, file_name: str) -> None:
    assert a_package("jq", version).file_name == file_name


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/passwd"},
        {"name": "jq;reboot"},
        {"version": "1/../../x"},
        {"version": "$(reboot)"},
        {"architecture": "amd64/.."},
        {"path": "/etc/passwd"},
        {"path": "pool/../../secret"},
        {"path": "pool/.hidden"},
        {"path": "pool/a b"},
        {"path": "pool/x?sig=1"},
        {"path": "pool/x\n"},
        {"sha256": "A" * 64},
        {"sha256": "a" * 63},
        {"size": 0},
        {"size": "10"},
    ],
)
def test_a_package_of_a_forged_lock_is_refused(change: dict[str, object]) -> None:
    fields = a_package("jq").to_json() | change

    with pytest.raises(pydantic.ValidationError):
        LockedPackage.model_validate(fields)


@pytest.mark.parametrize(
    "path",
    [
        "pool/main/g/gcc-12/libstdc++6_12.2.0-14+deb12u1_amd64.deb",
        "pool/updates/main/o/openssl/libssl3_3.0.17-1~deb12u2_amd64.deb",
        "jq.deb",
        "pool/a/a_1%3a2.deb",
    ],
)
def test_paths_as_archives_have_them_are_taken(path: str) -> None:
    assert a_package("jq", path=path).path == path


def test_a_bundle_is_named_by_what_is_in_it() -> None:
    jq, bc = a_package("jq"), a_package("bc")

    assert Bundle((jq, bc)).digest == Bundle((bc, jq)).digest != Bundle((jq,)).digest
    assert Bundle((jq, bc)).index.decode().splitlines() == sorted(
        f"{package.sha256} {package.size} {package.file_name}" for package in (jq, bc)
    )
