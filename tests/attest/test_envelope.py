"""DSSE: what is signed is bound to its type, and what is no envelope is refused."""

from __future__ import annotations

import json

import pytest

from imagebake.attest.signatures import IN_TOTO, Envelope, read_envelope
from imagebake.kernel.digest import canonical_json


def test_what_is_signed_is_what_the_standard_says() -> None:
    envelope = Envelope(b"hello world", (), "http://example.com/HelloWorld")

    assert envelope.signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_count_bytes() -> None:
    assert Envelope("é".encode(), (), "ü").signed == "DSSEv1 2 ü 2 é".encode()


def test_an_envelope_survives_its_own_spelling() -> None:
    envelope = Envelope(b'{"a": 1}', (("k", b"\0\xff"), ("l", b"")))

    assert read_envelope(canonical_json(envelope.to_json())) == envelope
    assert envelope.payload_type == IN_TOTO


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"payloadType": "x", "payload": "!!", "signatures": []}',
        b'{"payloadType": "x", "payload": "", "signatures": {}}',
        b'{"payloadType": "x", "payload": "", "signatures": [1]}',
        b'{"payloadType": "x", "payload": "", "signatures": [{"keyid": "k"}]}',
        json.dumps({"payloadType": "x", "payload": 1, "signatures": []}).encode(),
    ],
)
def test_what_is_no_envelope_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_envelope(content)
