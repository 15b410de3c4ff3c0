"""Names as Azure and Debian allow them."""

from __future__ import annotations

import re

import pytest

from imagebake.kernel.text import constrained


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (constrained.IMAGE, ["a", "debian-12-base", "a" * 63], ["", "-a", "a-", "A", "a" * 64]),
        (constrained.GALLERY, ["imagebake", "A.b_c"], ["", "a-b", ".a", "a.", "a" * 81]),
        (constrained.DEFINITION, ["debian-12", "A.b_c-d"], ["", "-a", "a.", "a" * 81]),
        (constrained.TEMPLATE, ["a", "a" * 64, "-a."], ["", "a" * 65, "a b", "a/b"]),
        (constrained.REGION, ["westeurope", "eastus2"], ["West Europe", "2us", "us"]),
        (constrained.DEBIAN_PACKAGE, ["jq", "g++", "libc6-dev", "0ad"], ["a", "Jq", "-a", "a_b"]),
        (constrained.SHA256, ["0" * 64], ["0" * 63, "A" * 64, "g" * 64]),
    ],
)
def test_names(pattern: re.Pattern[str], good: list[str], bad: list[str]) -> None:
    assert [name for name in good if not pattern.fullmatch(name)] == []
    assert [name for name in bad if pattern.fullmatch(name)] == []


def test_an_extension_is_known_by_publisher_and_type() -> None:
    name = constrained.handler_name("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent")

    assert name == "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent"
