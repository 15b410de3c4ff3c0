"""A Debian archive in small: signed suites of packages that are made for the test."""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.packages import a_deb, control_text

DATE = "Sat, 14 Nov 2026 09:00:00 UTC"


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key of its own home, and the keyring that trusts it."""

    home: Path
    keyring: Path
    armoured: str
    fingerprint: str

    def sign(self, text: str) -> bytes:
        """*text* as InRelease has it."""
        return _gpg(self.home, "--clearsign", stdin=text.encode())


@contextlib.contextmanager
def a_key(name: str = "archive@example.test") -> Iterator[Key]:
    """A key that is gone, with the agent that holds it, when the context is left."""
    home = Path(tempfile.mkdtemp(prefix="key-"))  # its sockets need a short path
    try:
        _gpg(home, "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign")
        keyring = home / "keyring.gpg"
        keyring.write_bytes(_gpg(home, "--export"))
        listed = _gpg(home, "--with-colons", "--list-keys").decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        yield Key(home, keyring, _gpg(home, "--armor", "--export").decode(), fingerprint)
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)


def _gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-permission-warning"]
    return subprocess.run(
        [*command, *arguments], input=stdin, capture_output=True, check=True
    ).stdout


@dataclass(slots=True)
class Archive:
    """Suites of an archive below *folder*; nothing is visible before `publish`."""

    folder: Path
    key: Key
    label: str = "Debian"
    suites: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def add(
        self, name: str, version: str = "1.0-1", *, suite: str = "bookworm", **fields: str
    ) -> None:
        """Put a package into *suite*; fields are named `pre_depends` for `Pre-Depends`."""
        given = {key.title().replace("_", "-"): value for key, value in fields.items()}
        control = {
            "Package": name,
            "Version": version,
            "Architecture": given.pop("Architecture", "amd64"),
            "Maintainer": "Nobody <nobody@example.test>",
            "Priority": given.pop("Priority", "optional"),
            **given,
            "Description": f"made for a test\n about {name}",
        }
        path = f"pool/main/{name[0]}/{name}/{name}_{version.partition(':')[2] or version}.deb"
        content = a_deb(control)
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        found = {"Filename": path, "Size": str(len(content)), "SHA256": _sha256(content)}
        self.suites.setdefault(suite, []).append(control | found)

    def remove(self, name: str, *, suite: str = "bookworm") -> None:
        """Drop every version of *name*, from the index and from the pool."""
        kept = []
        for package in self.suites[suite]:
            if package["Package"] == name:
                (self.folder / package["Filename"]).unlink(missing_ok=True)
            else:
                kept.append(package)
        self.suites[suite] = kept

    def publish(
        self, *, date: str = DATE, changes: Mapping[str, str] | None = None, by_hash: bool = True
    ) -> None:
        """Write and sign every suite; *changes* replaces fields of the release."""
        for suite, packages in self.suites.items():
            place = self.folder / "dists" / suite
            index = "\n".join(control_text(package) for package in packages).encode()
            listed = []
            for suffix, content in (("", index), (".xz", lzma.compress(index))):
                path = f"main/binary-amd64/Packages{suffix}"
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes(content)
                listed.append(f" {_sha256(content)} {len(content)} {path}")
                if by_hash:
                    named = (place / path).parent / "by-hash" / "SHA256" / _sha256(content)
                    named.parent.mkdir(parents=True, exist_ok=True)
                    named.write_bytes(content)
            fields = {
                "Origin": "Example",
                "Label": self.label,
                "Suite": suite,
                "Codename": suite,
                "Date": date,
                "Architectures": "amd64",
                "Components": "main",
                **({"Acquire-By-Hash": "yes"} if by_hash else {}),
                **(changes or {}),
            }
            text = control_text(fields) + "SHA256:\n" + "\n".join(listed) + "\n"
            (place / "InRelease").write_bytes(self.key.sign(text))

    def sources(self, url: str, *suites: str) -> str:
        """An apt source file that leads to the archive at *url*."""
        return (
            f"Types: deb\nURIs: {url}\nSuites: {' '.join(suites or self.suites)}\n"
            f"Components: main\nSigned-By: {self.key.keyring}\n"
        )


def a_small_archive(folder: Path, key: Key) -> Archive:
    """A distribution of a dozen packages: a base, an agent, a tool and their libraries."""
    archive = Archive(folder, key)
    archive.add("libc6", "2.36-9", priority="optional", multi_arch="same")
    archive.add("base-files", "12.4", essential="yes", priority="required")
    archive.add("dpkg", "1.21", essential="yes", priority="required", pre_depends="libc6")
    archive.add("apt", "2.6.1", priority="required", depends="libc6, dpkg")
    archive.add("tzdata", "2026a-0", priority="required", architecture="all")
    archive.add("sudo", "1.9.13p3-1", depends="libc6")
    archive.add("ca-certificates", "20250419", architecture="all", depends="openssl")
    archive.add("openssl", "3.0.17-1", depends="libc6, libssl3 (>= 3.0.17)")
    archive.add("libssl3", "3.0.17-1", depends="libc6")
    archive.add("python3", "3.11.2-1", depends="libc6")
    archive.add("waagent", "2.7.3.0-4.1", depends="python3, openssl", recommends="chrony")
    archive.add("chrony", "4.3-2", depends="libc6")
    archive.add("libonig5", "6.9.8-1", depends="libc6")
    archive.add("libjq1", "1.6-2.1+deb12u1", depends="libc6, libonig5", source="jq")
    archive.add("jq", "1.6-2.1+deb12u1", depends="libjq1 (= 1.6-2.1+deb12u1)")
    return archive


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
