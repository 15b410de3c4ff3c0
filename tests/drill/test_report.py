"""The report of a drill: the same words every time, safe, and nothing fetched from anywhere."""

from __future__ import annotations

import html.parser
import re
from dataclasses import replace

from imagebake.drill.model import GOLDEN, PLAIN, DrillRecord, ProvisioningAttempt, february_outage
from imagebake.drill.report import drill_page, headline, markdown, witness_text
from imagebake.drill.verdict import judge_drill
from imagebake.kernel.digest import canonical_json
from tests.support.drills import a_plan, a_record, an_attempt
from tests.support.golden import Golden


def test_the_report_in_words(golden: Golden) -> None:
    record = a_record()

    golden.check("reports/drill.md", markdown(record, judge_drill(record)))


def test_the_report_as_a_page(golden: Golden) -> None:
    record = a_record()

    golden.check("reports/drill.html", drill_page(record, judge_drill(record)))


def test_the_report_for_programs(golden: Golden) -> None:
    record = a_record()
    document = record.to_json() | {"verdict": judge_drill(record).to_json()}

    golden.check("reports/drill.json", canonical_json(document).decode())


def test_a_failed_drill_says_first_what_was_wrong() -> None:
    record = _failed()

    summary = headline(record, judge_drill(record))

    assert summary.startswith("The drill failed. Every golden machine becomes Ready: 0 of 1")


def test_a_page_needs_nothing_but_itself() -> None:
    record = a_record()

    text = drill_page(record, judge_drill(record))

    assert re.findall(r"""(?:src|href|url)\s*[=(]""", text) == []
    assert "<script" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_a_page_says_first_how_many_machines_there_were() -> None:
    record = a_record()

    facts = drill_page(record, judge_drill(record)).partition("<body>")[2].partition("<figure>")[0]

    places = [facts.index(word) for word in ("passed", ">4 of 4", ">2 of 4", "replayed")]
    assert places == sorted(places)


def test_what_was_broken_has_the_same_mark_and_shade_in_the_chart_and_its_key() -> None:
    record = a_record(plan=a_plan(timeline=february_outage()))

    text = drill_page(record, judge_drill(record))

    for mark, style in (("1", "store"), ("2", "both"), ("3", "identity")):
        assert f'<span class="key broken-{style}">{mark}</span>' in text
        assert text.count(f'<rect class="broken-{style}"') == 4  # two charts, wide and narrow
    assert "3 Packages are back, managed identity is not</text>" in text


def test_charts_say_what_their_axes_are() -> None:
    record = a_record()

    text = drill_page(record, judge_drill(record))

    assert text.count(">time of day (UTC)</text>") == 4
    assert '<text class="value" x="36" y="122">4</text>' in text
    assert "number of requests in 15 minutes" in text


def test_a_chart_without_a_single_request_is_drawn_all_the_same() -> None:
    record = a_record(traffic=())

    assert "Plain image, packages: 0" in drill_page(record, judge_drill(record))


def test_every_tag_of_a_page_is_closed() -> None:
    record = a_record()
    checker = _Tags()

    checker.feed(drill_page(record, judge_drill(record)))

    assert checker.open == []


def test_a_machine_s_message_cannot_become_markup_of_the_page_or_of_markdown() -> None:
    hostile = "<script>alert(1)</script> | a\nb & `c`"
    witness = a_record().witness
    assert witness is not None
    record = a_record(
        *a_record().attempts,
        an_attempt(PLAIN, 95, None, message=hostile),
        witness=replace(witness, message=hostile),
    )

    text = drill_page(record, judge_drill(record))

    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<script" not in markdown(record, judge_drill(record))


def test_a_witness_that_healed_is_told_of_as_such() -> None:
    record = a_record()
    seen = record.witness
    assert seen is not None
    healed = a_record(witness=type(seen)(name=seen.name, minute=seen.minute, healed=True))

    assert "still was not Ready (Failed to fetch manifest" in witness_text(record)
    assert witness_text(healed).endswith("healed by itself.")
    assert witness_text(a_record(witness=None)) == ""


def _failed() -> DrillRecord:
    attempt: ProvisioningAttempt = an_attempt(GOLDEN, 90, None)
    return a_record(attempt, an_attempt(PLAIN, 10), an_attempt(PLAIN, 95, None))


class _Tags(html.parser.HTMLParser):
    """Keeps the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
