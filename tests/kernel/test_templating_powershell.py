from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imagebake.kernel.errors import RenderError
from imagebake.kernel.templating import Templates, here_string, powershell_text
from tests.support.powershell import QUOTES, complaints, literal_value

HOSTILE = (
    *QUOTES, "it's", "''", "\u2019\u2019", "'; Remove-Item C:\\ -Recurse; '",
    "\u2019; Remove-Item C:\\ -Recurse; \u2018", "\u201a; calc \u201b", "a'\u2019b",
    "$(calc)", "$env:TEMP", "${x}", "`n", "`", "@'", "'@", "\u2018@", '"', '@"',
    "\u201c$(calc)\u201d",
    "-Recurse", "\u2013Recurse", "--%", "#", "<#", "#>", ";", "|", "&", "&&", "{", "}", "(", ")",
    "$null", "[char]0x27", "' + [char]0x27 + '", "%TEMP%", "C:\\Program Files\\x", "", " ",
    "h\xe9llo", "\u65e5\u672c\u8a9e", "\u2028", "\u2029", "\xa0", "\ufeff", "\U0001f4a9",
    "{{ 7 * 7 }}", "{% raw %}",
)  # fmt: skip

words = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.text(alphabet=f'{QUOTES}"`$@(){{}};+[]a \u201c\u201d\u2013', max_size=20),
)


def said_safely(value: str) -> bool:
    return not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in value)


def templates(folder: Path, text: str) -> Templates:
    (folder / "one.ps1.j2").write_text(text, encoding="utf-8")
    return Templates(folder)


@settings(max_examples=300, deadline=None)
@given(words.filter(said_safely))
@example("'")
def test_a_literal_is_the_value_and_nothing_beside_it(value: str) -> None:
    assert literal_value(powershell_text(value)) == value


@settings(max_examples=150, deadline=None)
@given(words.filter(said_safely))
def test_a_literal_is_ascii_and_one_line_and_parses(value: str) -> None:
    literal = powershell_text(value)

    assert literal.isascii()
    assert literal.isprintable()
    assert complaints(f"Stop-Step {literal}\n$x = {literal}\n") == []


@pytest.mark.parametrize("quote", QUOTES, ids=unicodedata.name)
def test_no_quote_that_powershell_knows_ends_a_text(quote: str) -> None:
    value = f"a{quote}; calc #"

    assert literal_value(powershell_text(value)) == value


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("", "''"),
        ("it's", "'it''s'"),
        ('$(calc) `n "x"', "'$(calc) `n \"x\"'"),
        ("a\u2019b", "('a' + [char]0x2019 + 'b')"),
        ("\u2019", "('' + [char]0x2019)"),
        ("\U0001f4a9", "('' + [char]0xd83d + [char]0xdca9)"),
        (7, "7"),
        (-7, "(-7)"),
    ],
)
def test_a_literal_is_as_plain_as_it_can_be(value: str | int, literal: str) -> None:
    assert powershell_text(value) == literal


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(words)
def test_every_value_reaches_a_script_as_it_is_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    windows = templates(tmp_path_factory.getbasetemp(), "{{ value }}\n")
    if said_safely(value):
        assert (
            literal_value(windows.powershell("one.ps1.j2", value=value).removesuffix("\n")) == value
        )
    else:
        with pytest.raises(RenderError, match="has the control character"):
            windows.powershell("one.ps1.j2", value=value)


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\x07", "\x7f", "\x85", "\ud800"])
def test_a_control_character_never_reaches_a_script(tmp_path: Path, character: str) -> None:
    windows = templates(tmp_path, "first\nStop-Step {{ value }}\n")

    with pytest.raises(RenderError) as caught:
        windows.powershell("one.ps1.j2", value=f"a{character}b")

    assert caught.value.message == (
        f"templates/one.ps1.j2:2: {f'a{character}b'!r} has the control character {character!r}"
    )


@pytest.mark.parametrize("value", [None, True, ["a"], {"a": 1}, 1.5, b"a"], ids=repr)
def test_only_texts_and_numbers_are_literals(tmp_path: Path, value: object) -> None:
    with pytest.raises(RenderError, match="is not a literal of PowerShell"):
        templates(tmp_path, "{{ value }}\n").powershell("one.ps1.j2", value=value)


def test_a_missing_value_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(RenderError) as caught:
        templates(tmp_path, "a\n{{ missing }}\n").powershell("one.ps1.j2")

    assert caught.value.message == "templates/one.ps1.j2:2: 'missing' is undefined"


def test_a_here_string_has_its_lines_as_they_were() -> None:
    text = here_string('{\n  "a": "it\'s $(calc) `n @"\n}\n').text

    assert text == '@\'\n{\n  "a": "it\'s $(calc) `n @"\n}\n\'@'
    assert complaints(f"$x = {text}\n") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("harmless\n'@; calc\n", 'the line "\'@; calc" ends the here-string'),
        (
            "harmless\n\u2019@; calc\n",
            "the line '\u2019@; calc' is not ASCII, and may be read as another",
        ),
        ("h\xe9llo", "the line 'h\xe9llo' is not ASCII, and may be read as another"),
        ("a\r\n'@", "the text has the control character '\\r'"),
        ("a\x00b", "the text has the control character '\\x00'"),
    ],
    ids=["end", "curly end", "beyond ASCII", "carriage return", "nul"],
)
def test_a_text_cannot_end_its_own_here_string(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        here_string(text)

    assert str(caught.value) == complaint


def test_a_here_string_says_where_it_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(RenderError) as caught:
        templates(tmp_path, "$x = {{ value | here_string }}\n").powershell("one.ps1.j2", value="'@")

    assert caught.value.message == 'templates/one.ps1.j2:1: the line "\'@" ends the here-string'


@pytest.mark.parametrize(
    "broken",
    ["'abc", "if ($a { }", "function { ", "foo(", "$x = @(1,", "@'\nabc\n 'x", "}", "$x = "],
)
def test_a_broken_script_is_told_from_a_whole_one(broken: str) -> None:
    whole = "function Get-It([string] $A) {\n  return @($A)\n}\ntry { Get-It 'a' } finally { }\n"

    assert complaints(whole) == []
    assert complaints(whole + broken + "\n") != []
