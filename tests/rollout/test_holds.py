from __future__ import annotations

import pytest

from imagebake.azure.model.fleet import Definition
from imagebake.rollout.holds import hold_plan, unhold_plan
from tests.support.fleets import NOW, a_version, an_inventory, definition_id, version_id

NUMBER = "2026.1120.0"
HELD = {"imagebake-hold": "2026-11-01T00:00:00+00:00 audit"}
SUBJECTS = (version_id(NUMBER), definition_id())


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_version_or_an_image_is_held_once(subject: str) -> None:
    definition = Definition(id=definition_id(), name="demo", tags=HELD)
    free, held = an_inventory(a_version(NUMBER)), an_inventory(
        a_version(NUMBER, tags=HELD), definitions=(definition,)
    )  # fmt: skip

    assert [one.kind for one in hold_plan(free, subject, "audit", now=NOW).actions] == ["hold"]
    assert not hold_plan(held, subject, "audit", now=NOW).actions
    assert hold_plan(held, subject, "another reason", now=NOW).actions
    assert [one.kind for one in unhold_plan(held, subject, "done", now=NOW).actions] == ["unhold"]
    assert not unhold_plan(free, subject, "done", now=NOW).actions


def test_what_there_is_not_cannot_be_held() -> None:
    with pytest.raises(KeyError):
        hold_plan(an_inventory(), version_id("1.0.0"), "x", now=NOW)
