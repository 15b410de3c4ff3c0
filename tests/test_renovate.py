"""The Renovate preset finds the pins that it says it finds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from imagebake.spec.load import load_all


@pytest.fixture
def pattern(project: Path) -> re.Pattern[str]:
    preset = json.loads((project / "renovate" / "pins.json").read_text(encoding="utf-8"))
    (text,) = preset["customManagers"][0]["matchStrings"]
    # Named groups are all that JavaScript spells differently here.
    return re.compile(text.replace("(?<", "(?P<"))


def test_the_preset_finds_every_package_pin_of_the_shipped_specs(
    project: Path, pattern: re.Pattern[str]
) -> None:
    wanted = {
        (pin.package, pin.version)
        for spec in load_all(project / "image_specs", root=project).values()
        for pin in spec.packages
    }

    found = {
        (match["depName"], match["currentValue"])
        for path in (project / "image_specs").rglob("*.yaml")
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    }

    assert wanted
    assert found == wanted


@pytest.mark.parametrize(
    "text",
    [
        "  - package: jq\n    version: 1.6-2.1+deb12u3\n",
        '  - {package: jq, version: "1.6-2.1+deb12u3"}\n',
        "- package: 'jq'\n  version: '1.6-2.1+deb12u3' # because\n",
    ],
    ids=["block", "flow", "quoted"],
)
def test_a_pin_is_found_however_it_is_written(text: str, pattern: re.Pattern[str]) -> None:
    (match,) = pattern.finditer(text)

    assert (match["depName"], match["currentValue"]) == ("jq", "1.6-2.1+deb12u3")


def test_a_preset_names_no_archive(project: Path) -> None:
    assert "://" not in (project / "renovate" / "pins.json").read_text(encoding="utf-8")
