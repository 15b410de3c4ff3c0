from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host import debs
from tests.support.packages import a_deb, ar

FIELDS = {
    "Package": "jq",
    "Version": "1.6-2.1+deb12u1",
    "Architecture": "amd64",
    "Depends": "libjq1 (= 1.6-2.1+deb12u1), libc6 (>= 2.34)",
    "Description": "processor\n made for JSON\n .\n and nothing else",
}


@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
@pytest.mark.parametrize("name", ["./control", "control"])
def test_control_fields_are_read_in_their_order(suffix: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "jq.deb"
    path.write_bytes(a_deb(FIELDS, suffix=suffix, name=name))

    assert list(debs.control(path).items()) == list(FIELDS.items())


@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
def test_what_dpkg_deb_builds_is_read(compression: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    text = "Package: a-tool\nVersion: 1:2~rc1\nArchitecture: all\nMaintainer: x\nDescription: y\n"
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(text)
    subprocess.run(
        [
            "dpkg-deb",
            "--uniform-compression",
            f"-Z{compression}",
            "--build",
            tmp_path / "tree",
            tmp_path / "a.deb",
        ],
        check=True,
        capture_output=True,
    )

    assert debs.control(tmp_path / "a.deb")["Version"] == "1:2~rc1"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it does not start as one"),
        (b"<html>404</html>", "it does not start as one"),
        (ar({"debian-binary": b"2.0\n"}), "it has no control member"),
        (ar({"control.tar.xz": b"not xz"}), "Input format not supported by decoder"),
        (ar({"control.tar.gz": b"not gz"}), "Error -3 while decompressing data"),
        (ar({"control.tar": b""}), "empty file"),
        (a_deb(FIELDS, name="./other"), "it has no control file"),
        (a_deb(FIELDS)[:100], "it has no control"),
    ],
)
def test_what_is_no_package_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.deb"
    path.write_bytes(content)

    with pytest.raises(ArtifactError, match=f"broken.deb is not a Debian package: {why}"):
        debs.control(path)


def test_a_control_member_that_unpacks_without_end_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.deb"
    path.write_bytes(a_deb({"Package": "x" * (64 << 20)}))

    with pytest.raises(ArtifactError, match=r"bomb\.deb is not a Debian package"):
        debs.control(path)


def test_a_stanza_keeps_continued_lines_and_drops_comments() -> None:
    text = "A: one\n two\n\tthree\n# no: field\nB:\n four\n"

    assert debs.parse_stanza(text) == {"A": "one\n two\n\tthree", "B": "\n four"}
