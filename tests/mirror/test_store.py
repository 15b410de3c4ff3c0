from __future__ import annotations

import stat
from pathlib import Path

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.mirror.store import DirectoryStore

CONTENT = b"content"
SHA256 = sha256_bytes(CONTENT)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def test_a_blob_is_read_only_under_its_digest(store: DirectoryStore, tmp_path: Path) -> None:
    assert store.put(CONTENT) == SHA256

    path = tmp_path / "sha256" / SHA256[:2] / SHA256
    assert path == store.path(SHA256)
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_what_is_there_is_not_written_again(store: DirectoryStore) -> None:
    store.put(CONTENT)
    before = store.path(SHA256).stat().st_ino

    store.put(CONTENT)

    assert store.path(SHA256).stat().st_ino == before


def test_a_blob_of_another_size_is_not_there(store: DirectoryStore) -> None:
    store.put(CONTENT)

    assert store.has(SHA256)
    assert store.has(SHA256, len(CONTENT))
    assert not store.has(SHA256, len(CONTENT) + 1)
    assert not store.has("0" * 64)


def test_downloads_on_their_way_are_no_blobs(store: DirectoryStore) -> None:
    store.put(CONTENT)
    (store.path(SHA256).parent / f".{SHA256}.partial").touch()

    assert [path.name for path in store.blobs()] == [SHA256]
