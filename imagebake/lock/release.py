"""InRelease files: signature, dates and content of an archive's suite."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import email.utils
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host import process
from imagebake.kernel.host.debs import parse_stanza

_ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[^\n]*:[^\n]*\n)*\n?(.*?)-----END PGP", re.DOTALL
)
_FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})!?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The signed description of a suite.

    *files* maps a path below the suite to its sha256 and size; *by_hash* says that the archive
    also serves files under their digests.
    """

    origin: str
    label: str
    names: frozenset[str]
    date: str
    valid_until: str | None
    by_hash: bool
    all_is_apart: bool
    files: Mapping[str, tuple[str, int]]
    in_release_sha256: str


def verify(
    signed: bytes, *, what: str, signers: Sequence[str], keyrings: Sequence[Path]
) -> Release:
    """Verify an InRelease file and return only its signed content.

    *signers* are the keyrings, keys or fingerprints that the source names; where it names none,
    or fingerprints only, *keyrings* are trusted. *what* names the file in messages.
    """
    if process.find("gpgv") is None:
        raise ArtifactError("gpgv is not installed", hint="./inv setup installs it")
    with tempfile.TemporaryDirectory(prefix="imagebake-") as name:
        folder = Path(name)
        files, fingerprints = _trusted(signers, keyrings, folder)
        if not files:
            raise ArtifactError(
                f"{what} cannot be verified: no keyring is known for it",
                hint="name one in the setting keyring, or in Signed-By of the apt source file",
            )
        (folder / "InRelease").write_bytes(signed)
        rings = [word for file in files for word in ("--keyring", str(file))]
        # gpgv writes what the signature covers, and only that is read: text around it is not
        # signed.
        places = ("--output", str(folder / "Release"), str(folder / "InRelease"))
        outcome = process.run(
            ["gpgv", "--homedir", name, "--status-fd", "2", *rings, *places], check=False
        )
        status = outcome.stderr.decode(errors="replace")
        if not _is_trusted(status, fingerprints):
            raise _refusal(what, status)
        text = (folder / "Release").read_text(encoding="utf-8", errors="replace")
    return _parse(text, what, sha256_bytes(signed))


def check_dates(release: Release, what: str, now: dt.datetime) -> None:
    """Raise `ArtifactError` where the release has expired or is from the future."""
    until = _moment(release.valid_until)
    if until and until < now:
        raise ArtifactError(
            f"{what} was valid until {release.valid_until}",
            hint="the mirror is behind, or replays an old state; for a snapshot, name it in the"
            " setting snapshot",
        )
    date = _moment(release.date)
    if date and date > now + dt.timedelta(days=1):
        raise ArtifactError(
            f"{what} is from the future ({release.date})", hint="is this machine's clock right?"
        )


def _moment(text: str | None) -> dt.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime((text or "").replace("UTC", "+0000"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _trusted(
    signers: Sequence[str], keyrings: Sequence[Path], folder: Path
) -> tuple[list[Path], frozenset[str]]:
    # 'FINGERPRINT!' means that key and none of its subkeys (sources.list(5)).
    fingerprints = frozenset(word.rstrip("!") for word in signers if _FINGERPRINT.fullmatch(word))
    named: list[str | Path] = [word for word in signers if not _FINGERPRINT.fullmatch(word)]
    files: list[Path] = []
    for number, ring in enumerate(named or keyrings):
        try:
            content = str(ring).encode() if _is_key(ring) else Path(ring).read_bytes()
        except OSError as error:
            raise ArtifactError(f"the keyring {ring} cannot be read: {error.strerror}") from error
        place = folder / f"keyring-{number}.gpg"
        place.write_bytes(_binary(content))
        files.append(place)
    return files, fingerprints


def _is_key(ring: str | Path) -> bool:
    return "BEGIN PGP" in str(ring)


def _binary(keyring: bytes) -> bytes:
    """Return the keyring without the ASCII armour, which apt allows and gpgv does not."""
    if not keyring.lstrip().startswith(b"-----BEGIN PGP"):
        return keyring
    blocks = []
    for body in _ARMOUR.findall(keyring.decode("ascii", errors="replace").replace("\r\n", "\n")):
        lines = [line for line in body.splitlines() if line and not line.startswith("=")]
        try:
            blocks.append(base64.b64decode("".join(lines)))
        except binascii.Error as error:
            raise ArtifactError(f"a keyring is damaged: {error}") from error
    return b"".join(blocks)


def _is_trusted(status: str, fingerprints: frozenset[str]) -> bool:
    """Return whether a trusted key made a good signature and none is bad, as apt decides."""
    # gpgv's exit code does not serve: it fails when one of several signatures has an unknown key,
    # as InRelease files have after a change of keys.
    good = re.findall(
        r"^\[GNUPG:\] GOODSIG .*\n(?:.*\n)*?\[GNUPG:\] VALIDSIG (.+)$", status, re.MULTILINE
    )
    if "[GNUPG:] BADSIG" in status:
        return False
    return any(not fingerprints or fingerprints & set(line.split()) for line in good)


def _refusal(what: str, status: str) -> ArtifactError:
    unknown = sorted(set(re.findall(r"^\[GNUPG:\] NO_PUBKEY (\w+)", status, re.MULTILINE)))
    if "BADSIG" in status:
        reason = "its signature does not fit its content"
    elif "EXPKEYSIG" in status or "REVKEYSIG" in status:
        reason = "the key it is signed with has expired or was revoked"
    elif unknown:
        reason = f"it is signed with {', '.join(unknown)}, which the keyring does not have"
    else:
        reason = "it carries no signature that can be checked"
    return ArtifactError(
        f"{what} is not trusted: {reason}",
        hint="a keyring that has the archive's key belongs into the setting keyring, or into"
        " Signed-By of the apt source file",
    )


def _parse(text: str, what: str, in_release_sha256: str) -> Release:
    fields = parse_stanza(text)
    files: dict[str, tuple[str, int]] = {}
    for line in fields.get("SHA256", "").splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():  # noqa: PLR2004 - digest, size, path
            files[words[2]] = (words[0], int(words[1]))
    if not files:
        raise ArtifactError(f"{what} names no file by its sha256")
    names = (fields.get("Suite"), fields.get("Codename"))
    return Release(
        origin=fields.get("Origin", ""),
        label=fields.get("Label", ""),
        names=frozenset(filter(None, names)),
        date=fields.get("Date", ""),
        valid_until=fields.get("Valid-Until"),
        by_hash=fields.get("Acquire-By-Hash", "").lower() == "yes",
        # An archive may repeat the packages of `all` in the index of each architecture and say so
        # (DebianRepository/Format, "No-Support-for-Architecture-all").
        all_is_apart="all" in fields.get("Architectures", "").split()
        and fields.get("No-Support-for-Architecture-all") != "Packages",
        files=files,
        in_release_sha256=in_release_sha256,
    )
