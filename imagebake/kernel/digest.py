"""SHA-256 digests, and the canonical form of JSON that they are computed over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from json.encoder import encode_basestring as _quoted
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def sha256_bytes(content: bytes) -> str:
    """Return the SHA-256 of *content* in lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def sha256_chunks(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 of the concatenation of *chunks*, holding one chunk at a time."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces; raises `OSError` where it cannot be read."""
    with path.open("rb") as file:
        return sha256_chunks(iter(lambda: file.read(_CHUNK), b""))


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - JSON is what it is
    """Serialise *value* for people and digests: sorted, indented, one final newline.

    Raises `ValueError` for values without a JSON form (NaN, infinities).
    """
    return f"{_serialise(value, chr(10))}\n".encode()


def _serialise(value: Any, newline: str) -> str:  # noqa: ANN401 - JSON is what it is
    """Serialise *value* with indents, faster than `json.dumps` does; *newline* holds the indent."""
    if isinstance(value, str):
        return _quoted(value)
    inner = f"{newline}  "
    if isinstance(value, dict) and value:
        rows = [f"{_key(key)}: {_serialise(value[key], inner)}" for key in sorted(value)]
        return f"{{{inner}{f',{inner}'.join(rows)}{newline}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{inner}{f',{inner}'.join([_serialise(item, inner) for item in value])}{newline}]"
    return json.dumps(value, allow_nan=False)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys of JSON are texts, and this one is {key!r}")
    return _quoted(key)


def sha256_json(value: Any) -> str:  # noqa: ANN401 - JSON is what it is
    """Return the SHA-256 of *value*'s canonical form."""
    return sha256_bytes(canonical_json(value))
