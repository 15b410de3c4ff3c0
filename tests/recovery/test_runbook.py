"""A runbook has every part, or is refused by what it lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebake.kernel.errors import UsageError
from imagebake.recovery.faults import FAULTS
from imagebake.recovery.runbook import (
    CHECKS,
    COMMANDS,
    FACTS,
    STOPS,
    RunbookCommand,
    load_runbooks,
    parse_runbook,
)

BOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
PAGE = """\
---
title: It burns
trigger: smoke
expected: 2 min
rto: 10 min
rpo: none
measured: never
---
# It burns

## Checks

```sh
./inv gate          # ends with 75
```

## Commands

```sh
NAME=second ./inv hold $IMAGE --reason "it burns"
./inv status $IMAGE
```

```text
call somebody
```

## Stop conditions

- `./inv gate` ends with 0: it is out;
  go home.
- `./inv status $IMAGE` ends with 6: nobody
  answers.

## Afterwards

Sweep.
"""


def test_a_page_is_read_as_it_stands() -> None:
    book = parse_runbook("fire", PAGE)

    assert (book.title, book.minutes) == ("It burns", 10)
    assert book.checks == (RunbookCommand(text="./inv gate", exit_code=75),)
    assert [command.text for command in book.commands] == [
        'NAME=second ./inv hold $IMAGE --reason "it burns"',
        "./inv status $IMAGE",
    ]
    assert book.commands[0].words({"IMAGE": "web"}) == (
        {"NAME": "second"},
        ("hold", "web", "--reason", "it burns"),
    )
    assert [(stop.command.exit_code, stop.why) for stop in book.stops] == [
        (0, "it is out; go home."),
        (6, "nobody answers."),
    ]
    assert parse_runbook("fire", book.with_measurement("3 s")).facts["measured"] == "3 s"
    assert book.with_measurement("3 s").replace("measured: 3 s", "measured: never") == PAGE


@pytest.mark.parametrize("fact", FACTS)
def test_a_page_that_lacks_a_fact_is_refused(fact: str) -> None:
    without = re.sub(rf"^{fact}: .*\n", "", PAGE, flags=re.MULTILINE)

    with pytest.raises(UsageError, match=f"its front part does not say {fact}"):
        parse_runbook("fire", without)


@pytest.mark.parametrize("section", [CHECKS, COMMANDS, STOPS])
def test_a_page_that_lacks_a_section_is_refused(section: str) -> None:
    with pytest.raises(UsageError, match=f"its section '{section}' has no command"):
        parse_runbook("fire", PAGE.replace(f"## {section}", "## Something"))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("rto: 10 min", "rto: soon", "its rto is not a number of minutes"),
        ("./inv gate  ", "rm -rf / ", "is no ./inv command"),
        ("rpo: none", "rpo: none\nowner: me", "its front part has an unknown field owner"),
        ("---\ntitle", "title", "its front part does not say title"),
        ('"it burns"', '"it burns', "is no ./inv command"),
    ],
)
def test_what_a_page_must_not_say_is_named(old: str, new: str, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        parse_runbook("fire", PAGE.replace(old, new, 1))


def test_every_page_is_whole_measured_indexed_and_can_be_rehearsed() -> None:
    books = load_runbooks(BOOKS)
    index = (BOOKS.parent / "how-to" / "recovery.md").read_text(encoding="utf-8")

    assert set(books) == set(FAULTS)
    assert [name for name in books if f"(../runbooks/{name}.md)" not in index] == []
    for book in books.values():
        measured = re.match(
            r"([\d.]+) s of (\d+) min, on \d{4}-\d\d-\d\d, .+", book.facts["measured"]
        )
        assert measured, book.name
        assert int(measured[2]) == book.minutes
        assert float(measured[1]) <= book.minutes * 60
