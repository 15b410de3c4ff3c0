"""Questions to sources, the cache of their answers, and the status made from them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagebake.kernel.errors import ArtifactError
from imagebake.pins.answer_cache import Answer, AnswerCache
from imagebake.pins.pin_status import PinStatus, decide_status, gather
from imagebake.pins.pinned_items import PinKind, pinned_items, questions_of
from imagebake.spec.model.candidates import Candidate, Origin, Question
from tests.support.builders import a_spec

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
JQ = Question(origin=Origin.ARCHIVE, names=("bookworm", "amd64", "jq"))
VIM = Question(origin=Origin.ARCHIVE, names=("bookworm", "amd64", "vim"))
AGENT = Question(origin=Origin.EXTENSIONS, names=("A.B", "C"), regions=("westeurope",))


@dataclass
class Recorded:
    """A source with recorded answers, which keeps the questions."""

    versions: tuple[Candidate, ...] = (Candidate(version="1.7-1"),)
    failing: bool = False
    asked: list[Question] = field(default_factory=list)

    def candidates(self, question: Question) -> tuple[Candidate, ...]:
        self.asked.append(question)
        if self.failing:
            raise ArtifactError("the archive hangs")
        return self.versions

    @contextlib.contextmanager
    def connect(self, questions: Sequence[Question]) -> Iterator[Mapping[Origin, Recorded]]:
        assert questions
        yield dict.fromkeys(Origin, self)


def answers(folder: Path, *, hours: float = 0.0) -> AnswerCache:
    return AnswerCache(folder=folder, now=NOW + dt.timedelta(hours=hours))


def ask(source: Recorded, kept: AnswerCache, *questions: Question, **how: bool) -> list[Answer]:
    found = gather(questions, kept, source.connect, askable={Origin.ARCHIVE}, **how)
    return [found[question] for question in questions]


def test_a_fresh_answer_is_not_asked_for_again(tmp_path: Path) -> None:
    source = Recorded()

    first = ask(source, answers(tmp_path), JQ, VIM)
    again = ask(source, answers(tmp_path, hours=5.9), JQ, VIM)

    assert sorted(source.asked, key=lambda one: one.names) == [JQ, VIM]
    assert again == first


@pytest.mark.parametrize("hours", [6.0, -0.1])
def test_an_old_answer_or_one_from_the_future_is_asked_for_again(
    tmp_path: Path, hours: float
) -> None:
    source = Recorded()
    ask(source, answers(tmp_path), JQ)

    ask(source, answers(tmp_path, hours=hours), JQ)

    assert source.asked == [JQ, JQ]


def test_everything_is_asked_again_on_demand(tmp_path: Path) -> None:
    source = Recorded()
    ask(source, answers(tmp_path), JQ)

    ask(source, answers(tmp_path), JQ, refresh=True)

    assert source.asked == [JQ, JQ]


def test_the_day_on_which_a_version_was_first_seen_is_kept(tmp_path: Path) -> None:
    ask(Recorded(), answers(tmp_path), JQ)
    later = Recorded((Candidate(version="1.7-1"), Candidate(version="1.8-1")))

    (found,) = ask(later, answers(tmp_path, hours=48), JQ)

    assert [one.seen for one in found.candidates] == [dt.date(2026, 11, 22), dt.date(2026, 11, 24)]


def test_what_is_known_outlives_a_source_that_is_down(tmp_path: Path) -> None:
    ask(Recorded(), answers(tmp_path), JQ)

    (found,) = ask(Recorded(failing=True), answers(tmp_path, hours=24), JQ)

    assert found.trouble
    assert found.asked == NOW
    assert [one.version for one in found.candidates] == ["1.7-1"]


def test_nobody_is_asked_who_is_not_there(tmp_path: Path) -> None:
    source = Recorded()

    assert ask(source, answers(tmp_path), AGENT) == [Answer()]
    assert source.asked == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"asked": 1, "candidates": []}', b'{"asked": "x", "candidates": [{}]}'],
)
def test_a_damaged_answer_is_no_answer(tmp_path: Path, content: bytes) -> None:
    source = Recorded()
    ask(source, answers(tmp_path), JQ)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)

    (found,) = ask(source, answers(tmp_path), JQ)

    assert source.asked == [JQ, JQ]
    assert found.asked == NOW


def look(answer: Answer, name: str = "jq", **pin: object) -> PinStatus:
    spec = a_spec(pins=({"package": "jq", "version": "1.6-1"} | pin,))
    item = next(one for one in pinned_items(spec, ()) if one.name == name)
    return decide_status(item, answer, today=NOW.date())


def test_a_pin_at_the_newest_version_has_nothing_to_say() -> None:
    found = look(Answer(candidates=(Candidate(version="1.6-1"),), asked=NOW))

    assert found.is_newest
    assert (found.why, found.review, found.age) == ("", "", "")


@pytest.mark.parametrize(
    ("day", "message", "overdue"),
    [
        ("2026-11-21", "2026-11-21 (overdue)", True),
        ("2026-11-22", "2026-11-22 (soon)", False),
        ("2026-12-22", "2026-12-22 (soon)", False),
        ("2026-12-23", "2026-12-23", False),
    ],
)
def test_a_review_is_said_thirty_days_before(day: str, message: str, *, overdue: bool) -> None:
    found = look(Answer(asked=NOW), review_by=day)

    assert (found.review, found.is_overdue) == (message, overdue)
    assert found.is_newest is ("(" not in message)


def test_what_is_not_known_is_not_the_newest() -> None:
    nobody, down = look(Answer()), look(Answer(trouble=ArtifactError("it hangs")))

    assert not nobody.is_newest
    assert nobody.why == "there is no marketplace here to ask"
    assert down.why == "not asked: it hangs"


def test_a_status_says_everything_to_programs() -> None:
    newest = Candidate(version="1.8-1", published=dt.date(2026, 11, 20))
    good = Candidate(version="1.7-1", published=dt.date(2026, 11, 1))

    assert look(Answer(candidates=(newest, good), asked=NOW), owner="me").to_json() == {
        "name": "jq",
        "kind": "package",
        "owner": "me",
        "current": "1.6-1",
        "allowed": "1.7-1",
        "newest": {"version": "1.8-1", "published": "2026-11-20"},
        "why": "published on 2026-11-20, waits until 2026-11-27",
        "asked": "2026-11-22T10:00:00+00:00",
    }


def test_every_version_of_a_spec_is_a_pinned_item() -> None:
    spec = a_spec(
        extensions=(
            {"publisher": "A.B", "type": "C", "version": "1.2.3", "mode": "absent", "hold": "no"},
        ),
        regions=({"name": "westeurope"}, {"name": "northeurope"}),
    )

    found = pinned_items(spec, ())

    assert [(one.name, one.kind) for one in found] == [
        ("source", PinKind.IMAGE),
        ("azure-linux-agent", PinKind.AGENT),
        ("jq", PinKind.PACKAGE),
        ("A.B.C", PinKind.EXTENSION),
    ]
    assert found[3].terms.hold == "no"
    assert len(tuple(questions_of((*found, *found)))) == len(found)
    assert found[0].question
    assert found[0].question.regions == ("westeurope", "northeurope")


def test_a_spec_without_a_suite_has_nobody_to_ask_about_packages() -> None:
    found = pinned_items(a_spec(local=None), ())

    assert [one.by_hand for one in found if one.kind is PinKind.PACKAGE] == [
        "its spec names no suite (local:)"
    ]
