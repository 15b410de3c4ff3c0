"""The tutorials are followed to the letter, in a clone whose base is as small as can boot."""

from __future__ import annotations

import pytest

from tests.end_to_end.bakery import PROJECT
from tests.end_to_end.clones import IMAGE, Clone
from tests.support.tutorials import Reader

pytestmark = [pytest.mark.root, pytest.mark.archive]


@pytest.mark.slow
def test_the_first_tutorial_can_be_followed_to_the_letter(clone: Clone) -> None:
    reader = Reader(clone.root, clone.environment(proved=False), clone.versions)

    reader.follow(PROJECT / "docs" / "start" / "tutorial.md")

    assert len(clone.versions()) == 1


@pytest.mark.timeout(900)  # a bake, a bump and a proof: minutes where the machine is busy
def test_a_pin_goes_from_outdated_to_baked_proved_and_attested(clone: Clone) -> None:
    clone.bakery.run("bake", IMAGE)
    meanwhile = {"a security fix": clone.fix, "the merge": clone.merge}
    reader = Reader(clone.root, clone.environment(), clone.versions, meanwhile)

    reader.follow(PROJECT / "docs" / "start" / "tutorial-pins.md")

    assert len(clone.versions()) == 2


@pytest.mark.slow
def test_an_outage_is_detected_stops_a_promotion_is_answered_and_shown(clone: Clone) -> None:
    reader = Reader(clone.root, clone.environment(), clone.versions)

    reader.follow(PROJECT / "docs" / "start" / "tutorial-outage.md")

    page = (clone.root.parent / "site" / "index.html").read_text()
    assert "store.test" in page.replace("<wbr>", "")
