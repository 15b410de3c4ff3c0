from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.kernel.errors import ArtifactError
from imagebake.lock.apt_sources import AptSource, read_sources, select

DEB822 = """\
# the machine's own
Types: deb deb-src
URIs: http://archive.example/debian/
Suites: bookworm bookworm-updates
# a comment in between
Components: main contrib
Signed-By: /usr/share/keyrings/example.gpg

Types: deb
URIs: http://archive.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/example.gpg

Types: deb
Enabled: no
URIs: http://switched-off.example/debian
Suites: bookworm
Components: main
"""

ONE_LINE = """\
# the machine's own
deb [signed-by=/usr/share/keyrings/example.gpg] http://archive.example/debian bookworm main contrib
deb-src http://archive.example/debian bookworm main
deb [ arch=amd64,arm64 signed-by=/k.gpg ] http://archive.example/debian bookworm-updates main # x
deb http://archive.example/debian-security/ bookworm-security main
deb http://flat.example/ ./
#deb http://commented-out.example/debian bookworm main
"""

VENDOR = (
    "deb https://sdk.example/apt cloud-sdk-bookworm main\ndeb https://node.example nodistro main\n"
)


def read(tmp_path: Path, **texts: str) -> tuple[AptSource, ...]:
    paths = []
    for name, text in texts.items():
        paths.append(tmp_path / name.replace("_", "."))
        paths[-1].write_text(text)
    return read_sources(paths)


def test_deb822_and_one_line_files_say_the_same(tmp_path: Path) -> None:
    new = read(tmp_path, debian_sources=DEB822)
    old = read(tmp_path, sources_list=ONE_LINE)

    assert [(source.address, source.suite) for source in new] == [
        ("http://archive.example/debian", "bookworm"),
        ("http://archive.example/debian", "bookworm-updates"),
        ("http://archive.example/debian-security", "bookworm-security"),
    ]
    assert [(source.address, source.suite) for source in old] == [
        (source.address, source.suite) for source in new
    ]
    assert new[0] == old[0]
    assert (old[1].architectures, old[1].signed_by) == (("amd64", "arm64"), ("/k.gpg",))


def test_a_deb822_text_is_known_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert read(tmp_path, archive_txt=DEB822) == read(tmp_path, archive_sources=DEB822)


def test_a_key_may_stand_in_the_source_file(tmp_path: Path) -> None:
    text = (
        "Types: deb\nURIs: http://archive.example/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEabc=\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )

    (source,) = read(tmp_path, a_sources=text)

    assert source.signed_by[0].strip().splitlines() == [
        "-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "",
        "mDMEabc=",
        "-----END PGP PUBLIC KEY BLOCK-----",
    ]


def test_a_suite_comes_with_its_updates_and_security_fixes_and_nothing_else(
    tmp_path: Path,
) -> None:
    sources = read(tmp_path, vendor_list=VENDOR, debian_sources=DEB822)

    chosen = select(sources, "bookworm", "amd64")

    assert [source.suite for source in chosen] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]
    assert chosen[2].address == "http://archive.example/debian-security"


def test_another_suite_is_derived_from_the_machines_own(tmp_path: Path) -> None:
    sources = read(tmp_path, vendor_list=VENDOR, debian_sources=DEB822)

    chosen = select(sources, "trixie", "amd64")

    assert [(source.address, source.suite) for source in chosen] == [
        ("http://archive.example/debian", "trixie"),
        ("http://archive.example/debian", "trixie-updates"),
        ("http://archive.example/debian-security", "trixie-security"),
    ]


def test_a_suite_that_is_named_wins_over_one_that_could_be_derived(tmp_path: Path) -> None:
    other = DEB822.replace("bookworm", "trixie").replace("archive.example", "next.example")
    sources = read(tmp_path, a_sources=DEB822, b_sources=other)

    assert {source.address for source in select(sources, "trixie", "amd64")} == {
        "http://next.example/debian",
        "http://next.example/debian-security",
    }


def test_components_of_several_entries_are_one(tmp_path: Path) -> None:
    more = "deb http://archive.example/debian bookworm non-free-firmware\n"
    mirror = "deb http://mirror.example/debian bookworm main\n"

    (chosen,) = select(
        read(tmp_path, a_list=ONE_LINE.splitlines()[1] + "\n" + more + mirror), "bookworm", "amd64"
    )

    assert chosen.components == ("main", "contrib", "non-free-firmware")
    assert chosen.address == "http://archive.example/debian"


def test_sources_for_other_processors_do_not_count(tmp_path: Path) -> None:
    text = "deb [arch=arm64] http://ports.example/debian bookworm main\n"

    with pytest.raises(ArtifactError) as caught:
        select(read(tmp_path, a_list=text), "bookworm", "amd64")

    assert caught.value.message == (
        "no apt source of this machine leads to an archive with bookworm"
    )
    assert caught.value.hint == "name an apt source file for it in the setting archive"


def test_a_missing_source_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"the apt source file .*/none\.sources cannot be read"):
        read_sources([tmp_path / "none.sources"])
