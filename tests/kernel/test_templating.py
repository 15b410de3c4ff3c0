from __future__ import annotations

import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from imagebake.kernel.errors import RenderError
from imagebake.kernel.templating import Templates, heredoc, shell_word

HOSTILE = (
    "it's", '"', "$(touch pwned)", "`touch pwned`", "${HOME}", "; touch pwned", "a && b", "| sh",
    "-rf", "--", "*", "~", "\\", "\\'", "'\"'\"'", "!!", "#", "", " ", "  two  spaces ",
    "héllo", "日本語", "\u2028", "\u2019", "\ufeff", "\U0001f4a9", "EOF", "<<EOF",
    "%s%n", "{{ 7 * 7 }}", "{% raw %}",
)  # fmt: skip

words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


def templates(folder: Path, **texts: str) -> Templates:
    for name, content in texts.items():
        (folder / f"{name}.j2").write_text(content, encoding="utf-8")
    return Templates(folder)


def stdout_of(script: str) -> bytes:
    """What `sh` prints for *script*, which must go well."""
    done = subprocess.run(
        ["sh", "-eu"], input=script.encode(), capture_output=True, check=True, timeout=20
    )
    return done.stdout


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(words, min_size=1, max_size=4))
@example(list(HOSTILE))
def test_every_value_reaches_the_shell_as_it_is_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    shell = templates(
        folder, words="printf '%s\\0' --{% for value in values %} {{ value }}{% endfor %}\n"
    )
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in "".join(values)):
        with pytest.raises(RenderError):
            shell.shell("words.j2", values=values)
        return

    script = shell.shell("words.j2", values=values)

    assert stdout_of(script).split(b"\0")[1:-1] == [value.encode() for value in values]


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\x07", "\x7f", "\x85", "\ud800"])
def test_a_control_character_never_reaches_a_script(tmp_path: Path, character: str) -> None:
    shell = templates(tmp_path, one="first\necho {{ value }}\n")

    with pytest.raises(RenderError) as caught:
        shell.shell("one.j2", value=f"a{character}b")

    assert caught.value.message == (
        f"templates/one.j2:2: {f'a{character}b'!r} has the control character {character!r}"
    )


@pytest.mark.parametrize("value", [None, True, ["a"], {"a": 1}, 1.5, b"a"], ids=repr)
def test_only_texts_and_numbers_are_words_of_the_shell(tmp_path: Path, value: object) -> None:
    shell = templates(tmp_path, one="echo {{ value }}\n")

    with pytest.raises(RenderError, match="is not a word of the shell"):
        shell.shell("one.j2", value=value)


def test_a_number_is_a_word() -> None:
    assert shell_word(-1) == "-1"


@settings(max_examples=50, deadline=None)
@given(st.lists(words.filter(lambda word: word.isprintable()), max_size=5).map("\n".join))
def test_a_here_document_says_what_was_put_in(body: str) -> None:
    assume(not any(line[:1] == "T" and not line.isascii() for line in body.split("\n")))

    assert (
        stdout_of(f"cat {heredoc(body, 'THE_END').text}\n")
        == body.removesuffix("\n").encode() + b"\n"
    )


@pytest.mark.parametrize("line", ["T¡", "THE_EN¡", "THE_END¡"])
def test_a_line_of_which_the_shell_would_lose_a_byte_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="begins like 'THE_END', and dash would lose a byte"):
        heredoc(f"first\n{line}\nlast", "THE_END")


@pytest.mark.parametrize("line", ["x T¡", "Tx¡", " T¡", "THE_ENDx"])
def test_a_line_that_the_shell_tells_apart_is_said_as_it_is(line: str) -> None:
    assert stdout_of(f"cat {heredoc(line, 'THE_END').text}\n") == f"{line}\n".encode()


def test_a_text_cannot_end_its_own_here_document(tmp_path: Path) -> None:
    shell = templates(tmp_path, one="cat {{ value | heredoc('THE_END') }}\n")

    with pytest.raises(RenderError) as caught:
        shell.shell("one.j2", value="harmless\nTHE_END\ntouch pwned")

    assert caught.value.message == (
        "templates/one.j2:1: a line is 'THE_END', which ends the here-document"
    )


def test_a_missing_value_is_an_error_with_its_place(tmp_path: Path) -> None:
    shell = templates(tmp_path, outer="a\n{% include 'inner.j2' %}", inner="b\nc\n{{ missing }}\n")

    with pytest.raises(RenderError) as caught:
        shell.shell("outer.j2")

    assert caught.value.message == "templates/inner.j2:3: 'missing' is undefined"
    assert caught.value.hint == "docs/concepts/rendering.md lists what each template is given"


@pytest.mark.parametrize(
    "body",
    ["{% if missing %}{% endif %}", "{{ missing.part }}", "{% for x in missing %}{% endfor %}"],
)
def test_a_missing_value_is_never_just_empty(tmp_path: Path, body: str) -> None:
    shell = templates(tmp_path, one=body)

    for render in (shell.shell, shell.json):
        with pytest.raises(RenderError, match="is undefined"):
            render("one.j2")


def test_a_syntax_error_is_an_error_with_its_place(tmp_path: Path) -> None:
    shell = templates(tmp_path, one="fine\n{% if %}\n")

    with pytest.raises(RenderError, match=r"^templates/one\.j2:2: Expected an expression"):
        shell.shell("one.j2")


def test_a_missing_template_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(RenderError) as caught:
        Templates(tmp_path).shell("install/none.sh.j2")

    assert caught.value.message == "templates/install/none.sh.j2 is missing"
    assert caught.value.hint == (
        "a repository's own templates/ needs all of them: copy it from imagebake"
    )


@pytest.mark.parametrize(
    "body", ["{{ ''.__class__ }}", "{{ values.append(1) }}", "{{ range(10 ** 9) | list }}"]
)
def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path, body: str) -> None:
    shell = templates(tmp_path, one=body)

    with pytest.raises(RenderError):
        shell.shell("one.j2", values=[])


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(json_values)
def test_every_value_is_encoded_however_the_template_prints_it(value: object) -> None:
    folder = Path(__file__).parent / "data"
    shapes = Templates(folder)

    document = shapes.json("shape.json.j2", value=value)

    assert document == {"plain": value, "filtered": value, "listed": [value, value]}


def test_text_that_is_not_json_is_an_error_with_a_hint(tmp_path: Path) -> None:
    shapes = templates(tmp_path, one='{"name": "{{ value }}"}')

    with pytest.raises(RenderError) as caught:
        shapes.json("one.j2", value="x")

    assert caught.value.message.startswith("templates/one.j2: the rendered text is not JSON: ")
    assert caught.value.hint == "a value stands alone: {{ value }}, without quotes around it"


def test_what_json_has_no_word_for_is_an_error(tmp_path: Path) -> None:
    shapes = templates(tmp_path, one="{{ value }}")

    for value in (float("nan"), object(), b"bytes"):
        with pytest.raises(RenderError, match=r"^templates/one\.j2:1: "):
            shapes.json("one.j2", value=value)


def test_a_value_that_looks_like_a_template_stays_a_value(tmp_path: Path) -> None:
    shapes = templates(tmp_path, one="{{ value }}")

    assert shapes.json("one.j2", value="{{ 7 * 7 }}") == "{{ 7 * 7 }}"
