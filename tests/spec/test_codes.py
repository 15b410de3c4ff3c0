"""The catalogue of complaints is complete and stays as it is."""

from __future__ import annotations

from imagebake.spec import codes


def test_codes_are_numbered_without_gaps() -> None:
    assert [code.id for code in codes.ALL] == [f"S{n:03}" for n in range(1, len(codes.ALL) + 1)]


def test_every_code_is_explained() -> None:
    for code in codes.ALL:
        assert code.title[0].islower() or code.title.startswith("YAML ")
        assert not code.title.endswith(".")
        assert code.explanation.endswith(".")


def test_the_table_has_a_row_for_every_code() -> None:
    rows = codes.table().splitlines()

    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == [
        code.id for code in codes.ALL
    ]
    assert all(row.count(" | ") == 2 for row in rows[2:])
