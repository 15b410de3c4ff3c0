"""Keys from files: two kinds, and a plain word about all others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imagebake.attest.signatures import load_private_key, load_public_keys
from imagebake.kernel.errors import UsageError
from tests.support.keys import KINDS, a_private_key, public_half


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
