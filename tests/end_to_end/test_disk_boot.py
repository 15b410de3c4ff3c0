"""`validate --boot` as it is typed, with an image that only pretends to have a boot loader."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.bakery import IMAGE, Bakery

pytestmark = [pytest.mark.root, pytest.mark.archive, pytest.mark.slow]


def test_a_disk_that_does_not_boot_fails_the_check_and_leaves_its_console(warm: Bakery) -> None:
    done = warm.run("validate", IMAGE, "--boot", "--json", ends=3)

    (report,) = json.loads(done.stdout)
    (finding,) = (one for one in report["findings"] if one["severity"] == "error")
    version = report["subject"].partition("@")[2]
    records = warm.state / "mirror/records/imagebake/tiny" / version
    kept = json.loads((records / "boot.json").read_bytes())
    assert finding["rule"] == "P601"
    assert "it reached the firmware, and the boot loader did not come" in finding["message"]
    assert str(records / "boot-console.log") in finding["message"]
    assert (kept["trouble"], list(kept["stages"])) == ("no_loader", ["firmware"])
    assert b"BdsDxe" in (records / "boot-console.log").read_bytes()
    assert list((warm.state / "engine/tmp").iterdir()) == []
