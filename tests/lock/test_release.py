from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import ArtifactError
from imagebake.lock import release
from tests.support.archive import Key, a_key

TEXT = (
    "Origin: Debian\nLabel: Debian-Security\nSuite: oldstable-security\n"
    "Codename: bookworm-security\nDate: Sat, 14 Nov 2026 09:00:00 UTC\n"
    "Valid-Until: Sat, 21 Nov 2026 09:00:00 UTC\nAcquire-By-Hash: yes\n"
    f"SHA256:\n {'a' * 64} 12 main/binary-amd64/Packages.xz\n"
)
NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def stranger() -> Iterator[Key]:
    with a_key("stranger@example.test") as made:
        yield made


def verify(signed: bytes, *signers: str, keyrings: tuple[Path, ...] = ()) -> release.Release:
    return release.verify(signed, what="InRelease", signers=signers, keyrings=keyrings)


def test_what_is_signed_is_read(key: Key) -> None:
    signed = key.sign(TEXT)

    read = verify(signed, str(key.keyring))

    assert read.label == "Debian-Security"
    assert read.names == {"oldstable-security", "bookworm-security"}
    assert read.by_hash
    assert not read.all_is_apart
    assert read.files == {"main/binary-amd64/Packages.xz": ("a" * 64, 12)}
    assert read.in_release_sha256 == sha256_bytes(signed)


def test_what_stands_around_the_signed_text_is_not_read(key: Key) -> None:
    signed = b"Label: Forged\nSHA256:\n " + b"b" * 64 + b" 1 main/x\n\n" + key.sign(TEXT)

    read = verify(signed, str(key.keyring))

    assert read.label == "Debian-Security"
    assert list(read.files) == ["main/binary-amd64/Packages.xz"]


@pytest.mark.parametrize("how", ["keyring", "armoured file", "key itself", "machine's keyring"])
def test_the_key_may_be_given_in_any_way_that_apt_takes(how: str, key: Key, tmp_path: Path) -> None:
    armoured = tmp_path / "key.asc"
    armoured.write_text(key.armoured)
    signed = key.sign(TEXT)

    if how == "machine's keyring":
        assert verify(signed, keyrings=(key.keyring,)).origin == "Debian"
    else:
        given = {"keyring": str(key.keyring), "armoured file": str(armoured)}
        assert verify(signed, given.get(how, key.armoured)).origin == "Debian"


def test_a_fingerprint_narrows_the_machines_keyrings(key: Key, stranger: Key) -> None:
    signed = key.sign(TEXT)
    keyrings = (key.keyring, stranger.keyring)

    assert verify(signed, key.fingerprint, keyrings=keyrings).origin == "Debian"
    with pytest.raises(ArtifactError, match="InRelease is not trusted"):
        verify(signed, stranger.fingerprint, keyrings=keyrings)


def test_a_strangers_signature_is_refused(key: Key, stranger: Key) -> None:
    with pytest.raises(ArtifactError) as caught:
        verify(stranger.sign(TEXT), str(key.keyring))

    assert caught.value.message == (
        f"InRelease is not trusted: it is signed with {stranger.fingerprint[-16:]},"
        " which the keyring does not have"
    )
    assert caught.value.hint == (
        "a keyring that has the archive's key belongs into the setting keyring, or into"
        " Signed-By of the apt source file"
    )


def test_a_changed_text_is_refused(key: Key) -> None:
    with pytest.raises(ArtifactError, match="its signature does not fit its content"):
        verify(key.sign(TEXT).replace(b"Debian", b"Nobody"), str(key.keyring))


@pytest.mark.parametrize("content", [b"", TEXT.encode(), b"<html>a login page</html>"])
def test_what_is_not_signed_is_refused(content: bytes, key: Key) -> None:
    with pytest.raises(ArtifactError, match="it carries no signature that can be checked"):
        verify(content, str(key.keyring))


def test_no_keyring_at_all_is_said(key: Key) -> None:
    with pytest.raises(ArtifactError, match="cannot be verified: no keyring is known for it"):
        verify(key.sign(TEXT))


def test_a_keyring_that_is_not_there_is_said(key: Key) -> None:
    with pytest.raises(ArtifactError, match=r"the keyring /none\.gpg cannot be read"):
        verify(key.sign(TEXT), "/none.gpg")


def test_a_release_without_digests_is_refused(key: Key) -> None:
    with pytest.raises(ArtifactError, match="names no file by its sha256"):
        verify(key.sign("Origin: Debian\n"), str(key.keyring))


def test_what_has_run_out_is_refused(key: Key) -> None:
    read = verify(key.sign(TEXT), str(key.keyring))

    release.check_dates(read, "InRelease", NOW)
    with pytest.raises(ArtifactError, match="was valid until Sat, 21 Nov 2026 09:00:00 UTC"):
        release.check_dates(read, "InRelease", NOW + dt.timedelta(days=2))
    with pytest.raises(ArtifactError, match="is from the future"):
        release.check_dates(read, "InRelease", NOW - dt.timedelta(days=20))
