"""A complaint is readable in a terminal, whatever it complains about."""

from __future__ import annotations

from imagebake.kernel.diagnostics import Diagnostic, Severity


def a_diagnostic(**changes: object) -> Diagnostic:
    fields: dict[str, object] = {
        "path": "a.yaml", "line": 2, "column": 4, "code": "S009", "message": "no",
        "source": "a: b", "width": 1,
    }  # fmt: skip
    return Diagnostic(**(fields | changes))  # type: ignore[arg-type]


def test_a_caret_stands_below_the_place() -> None:
    assert str(a_diagnostic(hint="yes")) == (
        "a.yaml:2:4: error[S009]: no\n  |\n2 | a: b\n  |    ^\n  = hint: yes"
    )


def test_a_tab_is_as_wide_as_a_space() -> None:
    assert str(a_diagnostic(source="\ta: b", column=5)).splitlines()[2:] == [
        "2 |  a: b",
        "  |     ^",
    ]


def test_a_long_line_is_shown_around_the_place() -> None:
    for column in (1, 80, 500, 921, 1000):
        source = "x" * (column - 1) + "Y" + "x" * (1000 - column)

        shown = str(a_diagnostic(source=source, column=column)).splitlines()

        assert len(shown[2]) == len("2 | ") + 160
        assert shown[2][shown[3].index("^")] == "Y"


def test_a_caret_is_no_wider_than_the_line() -> None:
    assert str(a_diagnostic(width=100)).splitlines()[3] == "  |    ^"


def test_complaints_are_ordered_by_place_with_or_without_hints() -> None:
    first, second = a_diagnostic(line=1, hint="a"), a_diagnostic(line=2)

    assert sorted([second, first, a_diagnostic(hint="b")]) == [first, second, second]


def test_an_annotation_is_one_line() -> None:
    shown = a_diagnostic(message="50%\nmore", hint="do", severity=Severity.WARNING).annotation()

    assert shown == "::warning file=a.yaml,line=2,col=4,title=S009::50%25%0Amore (do)"
