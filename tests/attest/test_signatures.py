"""Signatures: keys from PEM files, and DSSE envelopes bound to their type."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from imagebake.attest.signatures import (
    IN_TOTO,
    Envelope,
    load_private_key,
    load_public_keys,
    read_envelope,
)
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import UsageError
from tests.support.keys import KINDS, a_private_key, public_half


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_is_accepted_by_its_own_key_only(kind: str, tmp_path: Path) -> None:
    path = a_private_key(tmp_path, kind)
    key, other = load_private_key(path, "s"), load_private_key(a_private_key(tmp_path, kind), "s")
    (public,) = load_public_keys(public_half(path), "t")

    signature = key.sign(b"message")

    assert public.is_signed(signature, b"message")
    assert not public.is_signed(signature, b"another message")
    assert not public.is_signed(b"", b"message")
    assert not other.public.is_signed(signature, b"message")
    assert public.keyid == key.keyid != other.keyid


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_accepts_what_we_sign(kind: str, tmp_path: Path) -> None:
    path = a_private_key(tmp_path, kind)
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(b"message")

    signature.write_bytes(load_private_key(path, "s").sign(b"message"))

    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public_half(path)), "-rawin"]
    files = ["-in", str(message), "-sigfile", str(signature)]
    digest = ["-digest", "sha256"] if kind == "p256" else []
    subprocess.run([*verify, *files, *digest], check=True, capture_output=True)


def test_several_public_keys_may_be_in_one_file(tmp_path: Path) -> None:
    paths = [public_half(a_private_key(tmp_path, kind)) for kind in KINDS]
    both = tmp_path / "both.pem"
    both.write_text("# old and new\n" + "".join(path.read_text() for path in paths))

    assert len(load_public_keys(both, "trusted_keys")) == 2


def test_what_is_no_key_of_ours_is_refused_with_what_is(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    for path in (
        rubbish,
        a_private_key(tmp_path, "p384"),
        a_private_key(tmp_path, password=b"secret"),
    ):
        with pytest.raises(UsageError, match="does not have what signing_key needs") as caught:
            load_private_key(path, "signing_key")
        assert "Ed25519" in (caught.value.hint or "")
    for path in (rubbish, public_half(a_private_key(tmp_path, "p384")), a_private_key(tmp_path)):
        with pytest.raises(UsageError, match="does not have what trusted_keys needs"):
            load_public_keys(path, "trusted_keys")


def test_a_key_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"signing_key names .* No such file"):
        load_private_key(tmp_path / "nowhere", "signing_key")
