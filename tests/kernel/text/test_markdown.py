"""Whatever a spec says, a comment links nothing, mentions nobody and ends no block."""

from __future__ import annotations

import pytest

from imagebake.kernel.text.markdown import code, fenced, folded, plain, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("[a](https://x.example)", r"\[a\](https://x.example)"),
        ("a | b", r"a \| b"),
        ("@everybody, see #12", "&#64;everybody, see &#35;12"),
        ("demo@2026.1122.0", "demo@2026.1122.0"),
        ("*bold* _it_ `code` ~~gone~~", r"\*bold\* \_it\_ \`code\` \~\~gone\~\~"),
        ("two\nlines\r\n\there", "two lines here"),
    ],
)
def test_plain_text_is_no_markup(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_code_is_code_even_with_backticks_and_pipes() -> None:
    assert code("jq") == "`jq`"
    assert code("a`b``c|d") == r"``` a`b``c\|d ```"
    assert code("") == ""


def test_nothing_inside_ends_a_block() -> None:
    assert fenced("```\nx\n````", "diff").splitlines()[0] == "`````diff"
    assert fenced("x") == "```\nx\n```"


def test_a_table_is_a_table() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert folded("more", "x") == "<details><summary>more</summary>\n\nx\n\n</details>"
