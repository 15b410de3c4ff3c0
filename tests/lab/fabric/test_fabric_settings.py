from __future__ import annotations

import pytest

from imagebake.lab.fabric.fabric_settings import FabricExtension, newer_patch
from tests.lab.fabric.conftest import HELLO


@pytest.mark.parametrize(
    ("version", "newer"),
    [("1.2.3", "1.2.3.1"), ("2.1", "2.1.1"), ("1.10.0.9", "1.10.0.10")],
)
def test_a_newer_patch_is_one_the_agent_would_drift_to(version: str, newer: str) -> None:
    assert newer_patch(version) == newer


def test_the_store_lists_a_newer_patch_unless_it_is_told_what_to_list() -> None:
    told = FabricExtension(publisher="P", type="T", version="1.0.0", advertised=("1.0.0", "2.0.0"))

    assert HELLO.published == ("1.2.3.0", "1.2.3.1")
    assert told.published == ("1.0.0", "2.0.0")


def test_a_secret_is_not_in_the_representation_of_an_extension() -> None:
    extension = FabricExtension(
        publisher="P", type="T", version="1", protected_settings={"k": "hush"}
    )

    assert "hush" not in repr(extension)
