"""Which specs claim the same place in the gallery, without comparing each with each."""

from __future__ import annotations

from typing import Any

from imagebake.proof.validate import conflicting_specs
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec


def claiming(name: str, definition: str, sku: str) -> ImageSpec:
    gallery = a_spec().gallery
    changes: dict[str, Any] = {
        "definition": definition,
        "identifier": gallery.identifier.model_copy(update={"sku": sku}),
    }
    return a_spec(name=name, gallery=gallery.model_copy(update=changes))


def test_those_that_share_a_definition_or_an_identifier_are_rivals() -> None:
    specs = [
        claiming("one", "Web", "a"),
        claiming("two", "web", "b"),
        claiming("three", "other", "b"),
        claiming("four", "alone", "c"),
    ]

    found = {
        name: {spec.name for spec in others} for name, others in conflicting_specs(specs).items()
    }

    assert found == {
        "one": {"one", "two"},
        "two": {"one", "two", "three"},
        "three": {"two", "three"},
    }
