from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.host import files
from imagebake.lab.engine.errors import Cancelled, EngineFailed
from imagebake.lab.engine.store import LayerStore, clean

MIB = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    return LayerStore(tmp_path / "store")


def never() -> bool:
    return False


def fill(attempt: Path) -> dict[str, Any]:
    (attempt / "root/file").write_bytes(os.urandom(MIB))
    return {"kind": "test"}


def test_a_tree_is_made_once(store: LayerStore) -> None:
    made = store.obtain("a", fill, cancelled=never)
    found = store.obtain("a", fill, cancelled=never)

    assert (made.cached, found.cached) == (False, True)
    assert made.root == found.root
    assert [path.name for path in made.root.iterdir()] == ["file"]
    assert sorted(path.name for path in made.folder.iterdir()) == ["layer.json", "root"]


def test_a_tree_that_fails_is_not_there(store: LayerStore) -> None:
    def fail(attempt: Path) -> dict[str, Any]:
        fill(attempt)
        raise EngineFailed("no")

    with pytest.raises(EngineFailed, match="no"):
        store.obtain("a", fail, cancelled=never)

    assert store.layer("a") is None
    assert list((store.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_one_sentence(store: LayerStore, number: int) -> None:
    def fail(attempt: Path) -> dict[str, Any]:
        raise OSError(number, "full", str(attempt))

    with pytest.raises(EngineFailed) as caught:
        store.obtain("a", fail, cancelled=never)

    assert caught.value.code == "DiskFull"
    assert caught.value.message == f"the disk of {store.folder} is full"


def test_what_a_killed_process_left_is_swept_and_what_lives_is_not(store: LayerStore) -> None:
    (store.folder / "tmp/dead/root").mkdir(parents=True)
    with store.temporary_tree("living") as attempt:
        store.sweep()

        assert attempt.is_dir()
        assert not (store.folder / "tmp/dead").exists()
    assert not attempt.exists()


def test_whoever_waits_for_a_tree_that_is_being_made_can_be_cancelled(store: LayerStore) -> None:
    with files.file_lock(store.lock_path("a")), pytest.raises(Cancelled):
        store.obtain("a", fill, cancelled=lambda: True)


def test_whoever_waits_finds_what_the_other_made(store: LayerStore) -> None:
    making, waiting = threading.Event(), threading.Event()

    def slowly(attempt: Path) -> dict[str, Any]:
        making.set()
        waiting.wait(10)
        return fill(attempt)

    def asked() -> bool:
        waiting.set()
        return False

    thread = threading.Thread(target=lambda: store.obtain("a", slowly, cancelled=never))
    thread.start()
    making.wait(10)

    layer = store.obtain("a", fill, cancelled=asked)

    thread.join()
    assert layer.cached


def test_a_layer_counts_after_a_crash_only_when_it_was_settled(store: LayerStore) -> None:
    for key in ("lost", "kept"):
        store.obtain(key, fill, cancelled=never)
    store.persist(("kept",))
    for key in ("lost", "kept"):
        path = store.path(key) / "layer.json"
        known = json.loads(path.read_bytes())
        boot = known["boot"] if known["boot"] == "settled" else "another boot"
        path.write_text(json.dumps({**known, "boot": boot}))

    assert store.layer("lost") is None
    assert store.layer("kept") is not None
    assert not store.obtain("lost", fill, cancelled=never).cached


def test_nobody_else_can_reach_the_programs_in_a_tree(store: LayerStore) -> None:
    store.obtain("a", fill, cancelled=never)

    modes = {path.name: path.stat().st_mode & 0o777 for path in store.folder.iterdir()}
    assert (modes["layers"], modes["tmp"]) == (0o700, 0o700)


def test_a_layer_without_its_description_is_made_again(store: LayerStore) -> None:
    store.obtain("a", fill, cancelled=never)
    (store.path("a") / "layer.json").write_text("")

    assert not store.obtain("a", fill, cancelled=never).cached


def used_in_order(store: LayerStore, *keys: str) -> None:
    for second, key in enumerate(keys):
        store.obtain(key, fill, cancelled=never)
        os.utime(store.path(key) / "layer.json", (second, second))


def test_what_nobody_asked_for_the_longest_goes_first(store: LayerStore) -> None:
    used_in_order(store, "c", "a", "b")

    done = clean(store.folder, budget=2 * MIB + MIB // 2, keep=())

    assert (done.removed, done.freed > MIB, done.left <= 2 * MIB + MIB // 2) == (1, True, True)
    assert [bool(store.layer(key)) for key in "cab"] == [False, True, True]


def test_what_a_record_stands_on_stays(store: LayerStore) -> None:
    used_in_order(store, "base", "layer", "other")

    done = clean(store.folder, budget=0, keep=({"base": "base", "layers": ["layer"]},))

    assert done.removed == 1
    assert [bool(store.layer(key)) for key in ("base", "layer", "other")] == [True, True, False]


def test_a_dry_run_says_the_same_and_does_nothing(store: LayerStore) -> None:
    used_in_order(store, "a", "b")

    told = clean(store.folder, budget=0, keep=(), dry_run=True)

    assert store.layer("a")
    assert told == clean(store.folder, budget=0, keep=())
    assert store.layer("a") is None


def test_nothing_is_removed_while_a_build_reads_layers(store: LayerStore) -> None:
    used_in_order(store, "a")

    with store.in_use(), pytest.raises(EngineFailed) as caught:
        clean(store.folder, budget=0, keep=())

    assert caught.value.code == "StoreBusy"
    assert store.layer("a")


def test_a_store_that_is_not_there_is_clean(tmp_path: Path) -> None:
    done = clean(tmp_path / "nowhere", budget=0, keep=())

    assert (done.removed, done.left) == (0, 0)
