from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.kernel.errors import ArtifactError
from imagebake.lock.archive_index import Index, field

TEXT = b"""\
Package: jq
Version: 1.6-2.1
Architecture: amd64
Priority: optional
Depends: libjq1 (= 1.6-2.1),
 libc6 (>= 2.34)
Description: a processor
 for JSON
Tag: implemented-in::c,
 role::program

Package: jq
Version: 1.10-1
Architecture: amd64

Package: base-files
Version: 12.4
Essential: yes
Architecture: amd64
Maintainer: Somebody

Package: tzdata
Version: 2026a
Priority: required
Architecture: all
"""


def test_what_no_solver_reads_is_left_out_and_the_rest_kept() -> None:
    (package, _) = Index.parse([TEXT]).packages("jq")[::-1]

    assert package == {
        "Package": "jq",
        "Version": "1.6-2.1",
        "Architecture": "amd64",
        "Priority": "optional",
        "Depends": "libjq1 (= 1.6-2.1),\n libc6 (>= 2.34)",
    }


def test_versions_are_in_their_own_order() -> None:
    assert Index.parse([TEXT]).versions("jq") == ("1.6-2.1", "1.10-1")
    assert Index.parse([TEXT]).versions("none") == ()


def test_what_every_system_has_is_essential_or_required() -> None:
    assert Index.parse([TEXT]).minimal() == ("base-files", "tzdata")


def test_a_package_for_all_processors_fits_any() -> None:
    index = Index.parse([TEXT])

    assert index.find("tzdata", "2026a", "arm64")
    assert index.find("jq", "1.6-2.1", "amd64")
    assert index.find("jq", "1.6-2.1", "arm64") is None


def test_a_stanza_without_a_digest_is_refused() -> None:
    with pytest.raises(ArtifactError, match="the archive's index says no SHA256 for jq"):
        field({"Package": "jq"}, "SHA256")


@given(st.permutations(TEXT.decode().rstrip("\n").split("\n\n")), st.integers(0, 4))
def test_the_order_of_a_listing_changes_nothing(stanzas: list[str], cut: int) -> None:
    texts = ["\n\n".join(part).encode() + b"\n" for part in (stanzas[:cut], stanzas[cut:])]

    assert Index.parse(texts).text == Index.parse([TEXT]).text


def test_only_what_is_asked_about_is_read() -> None:
    text = (
        b"Package: jq\nVersion: 1-1\n\nPackage: jqp\nVersion: 2-1\n\nPackage: vim\nVersion: 9-1\n"
    )

    index = Index.parse([text, text], {"jq", "vim", "nothing"})

    assert set(index.stanzas) == {"jq", "vim"}
    assert index.versions("vim") == ("9-1",)
