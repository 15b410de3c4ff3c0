"""Digests, and the one canonical form of JSON that they are taken over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def sha256_bytes(content: bytes) -> str:
    """The lower-case hexadecimal SHA-256 of *content*."""
    return hashlib.sha256(content).hexdigest()


def sha256_chunks(chunks: Iterable[bytes]) -> str:
    """The SHA-256 of the concatenation of *chunks*, none of which is kept."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, read in pieces; raises `OSError` where it cannot be read."""
    with path.open("rb") as file:
        return sha256_chunks(iter(lambda: file.read(_CHUNK), b""))


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - JSON is what it is
    """Serialise *value* for people and for digests: sorted, indented, one final newline.

    Refuses what JSON has no word for (NaN, infinities) with `ValueError`.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def sha256_json(value: Any) -> str:  # noqa: ANN401 - JSON is what it is
    """The SHA-256 of *value*'s canonical form."""
    return sha256_bytes(canonical_json(value))
