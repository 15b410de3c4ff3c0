"""Settings come from a file and the environment; what is wrong in them is said in full."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.kernel import settings
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.kernel.settings import FILE, Settings, load
from imagebake.kernel.text.docstrings import field_docs


def told(folder: Path, content: str | bytes) -> Settings:
    (folder / FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(folder, {})


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    assert load(tmp_path, {}) == Settings()


@pytest.mark.parametrize("content", ["", "# nothing\n", "\ufeff"])
def test_a_file_may_say_nothing(content: str, tmp_path: Path) -> None:
    assert told(tmp_path, content) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("gallery: ours\nlocation: northeurope\nlayer_budget_gb: 5\n")

    result = load(tmp_path, {"IMAGEBAKE_GALLERY": "theirs", "IMAGEBAKE_ROOT": "/elsewhere"})

    assert (result.gallery, result.location, result.layer_budget_gb) == (
        "theirs",
        "northeurope",
        "5",
    )


def test_every_mistake_in_the_file_is_shown(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        told(tmp_path, "clud: local\ncloud: azur\nlayer_budget_gb: much\nstate: a\nstate: b\n")

    assert str(caught.value) == "4 mistakes in imagebake.yaml"
    shown = "\n".join(str(diagnostic) for diagnostic in caught.value.diagnostics)
    assert shown == textwrap.dedent("""\
        imagebake.yaml:1:1: error[C002]: there is no setting 'clud'
          |
        1 | clud: local
          | ^^^^
          = hint: did you mean 'cloud'?
        imagebake.yaml:2:8: error[C003]: 'cloud' is 'azur', and it is 'local' or 'azure'
          |
        2 | cloud: azur
          |        ^^^^
        imagebake.yaml:3:18: error[C003]: 'layer_budget_gb' is 'much', and it is a whole number
          |
        3 | layer_budget_gb: much
          |                  ^^^^
        imagebake.yaml:5:1: error[C002]: 'state' is set twice
          |
        5 | state: b
          | ^^^^^""")


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("- cloud\n", "1:1: error[C001]: imagebake.yaml is a mapping of settings"),
        ("cloud: [local]\n", "1:8: error[C003]: the setting 'cloud' is one text"),
        (
            "cloud: 'local\n",
            "1:8: error[C001]: imagebake.yaml is not YAML: found unexpected end of stream",
        ),
        (
            '"\\UFFFFFFFF": 1\n',
            "1:1: error[C001]: imagebake.yaml is not YAML: an escape in it is out of range",
        ),
        ('state: "a\\nb"\n', "1:8: error[C003]: 'state' is 'a\\nb', and it is one line"),
    ],
)
def test_a_file_of_another_kind_is_explained(content: str, first: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        told(tmp_path, content)

    shown = str(caught.value.diagnostics[0]).splitlines()[0]
    assert shown == f"imagebake.yaml:{first}"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"IMAGEBAKE_CLOUD": "aws"}, "IMAGEBAKE_CLOUD is 'aws', and it is 'local' or 'azure'"),
        ({"IMAGEBAKE_CLUOD": "azure"}, "no setting has the variable IMAGEBAKE_CLUOD"),
        (
            {"IMAGEBAKE_MAX_ARTIFACT_MB": "-1"},
            "IMAGEBAKE_MAX_ARTIFACT_MB is '-1', and it is a whole number",
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, environment)

    assert caught.value.message == message


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"imagebake.yaml cannot be read"):
        told(tmp_path, b"\xff\xfe")


A_FREEZE = """\
freezes:
  - from: 2026-12-20T00:00
    until: 2027-01-04 08:30
    timezone: Europe/Amsterdam
    owner: platform-team
    reason: the holidays
"""


def test_a_freeze_is_from_and_until_in_its_own_time_zone(tmp_path: Path) -> None:
    (freeze,) = told(tmp_path, A_FREEZE).freezes

    assert freeze.begins == dt.datetime(2026, 12, 19, 23, tzinfo=dt.UTC)
    assert freeze.ends == dt.datetime(2027, 1, 4, 7, 30, tzinfo=dt.UTC)
    assert (freeze.owner, freeze.reason) == ("platform-team", "the holidays")


def test_a_freeze_is_the_longer_one_where_the_clocks_change(tmp_path: Path) -> None:
    text = A_FREEZE.replace("2026-12-20T00:00", "2026-10-25T02:30")
    (twice,) = told(tmp_path, text).freezes
    (never,) = told(tmp_path, A_FREEZE.replace("2027-01-04 08:30", "2027-03-28T02:30")).freezes

    assert twice.begins == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    assert never.ends == dt.datetime(2027, 3, 28, 1, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("content", ["freezes:\n", "freezes: []\n"])
def test_there_may_be_no_freeze(content: str, tmp_path: Path) -> None:
    assert told(tmp_path, content).freezes == ()


def test_every_mistake_in_the_freezes_is_shown(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        told(
            tmp_path,
            textwrap.dedent("""\
                freezes:
                  - {from: tomorrow, until: 2027-02-30T00:00, timezone: Europe/Amsterdm}
                  - never
                  - {form: x, owner: [a, b], owner: c}
                  - {from: 2027-01-04T00:00, until: 2026-12-20T00:00, timezone: Etc/UTC,
                     owner: me, reason: why}
                freezes: []
                gallery: {a: [b]}
                cloud: azur
                """),
        )

    shown = "\n".join(str(one).splitlines()[0] for one in caught.value.diagnostics)
    no_zone = "and there is no such time zone: did you mean 'Europe/Amsterdam'?"
    a_time = "and it is a date and a time, such as 2026-12-20T00:00"
    assert shown.replace("imagebake.yaml:", "") == "\n".join(
        [
            "2:5: error[C004]: the freeze does not say 'owner', 'reason'",
            f"2:12: error[C004]: 'from' is 'tomorrow', {a_time}",
            f"2:29: error[C004]: 'until' is '2027-02-30T00:00', {a_time}",
            f"2:57: error[C004]: 'timezone' is 'Europe/Amsterdm', {no_zone}",
            "3:5: error[C004]: a freeze is a mapping",
            "4:5: error[C004]: the freeze does not say 'from', 'until', 'timezone', 'reason'",
            "4:6: error[C004]: a freeze has no 'form'",
            "4:22: error[C004]: 'owner' is '', and it says nothing",
            "4:30: error[C004]: 'owner' is set twice",
            "5:5: error[C004]: of this freeze: it ends before it begins",
            "7:1: error[C002]: 'freezes' is set twice",
            "8:10: error[C003]: the setting 'gallery' is one text",
            "9:8: error[C003]: 'cloud' is 'azur', and it is 'local' or 'azure'",
        ]
    )


def test_freezes_are_a_list_and_not_set_by_a_variable(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        told(tmp_path, "freezes: december\n")
    with pytest.raises(UsageError, match="freezes are not set by a variable"):
        load(tmp_path / "elsewhere", {"IMAGEBAKE_FREEZES": "x"})

    assert caught.value.diagnostics[0].message == "freezes are a list"


@given(content=st.text() | st.binary())
def test_nothing_in_the_file_is_a_surprise(
    content: str | bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("settings")
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    with contextlib.suppress(SpecError, UsageError):
        told(folder, raw)


def test_every_setting_is_documented() -> None:
    documented = field_docs(Path(settings.__file__))["Settings"]

    assert list(documented) == [field.name for field in dataclasses.fields(Settings)]
