"""Notes of runs, for whoever reads them."""

from __future__ import annotations

from typing import Any

from imagebake.azure.model.run_note import RunNote
from tests.support.bake_services import SUBSCRIPTION


def a_note(**changes: Any) -> RunNote:  # noqa: ANN401 - any field of a note
    """The note of a run of `demo` in the emulator, with *changes*."""
    version = "/subscriptions/s/resourceGroups/imagebake/providers/Microsoft.Compute/galleries"
    fields: dict[str, Any] = {
        "image": "demo",
        "template": "demo-0123456789abcdef",
        "target": f"{version}/imagebake/images/demo/versions/2026.1122.0",
        "definition": "demo",
        "bake_key": "0123456789abcdef" * 4,
        "base_url": "https://127.0.0.1:9",
        "subscription": SUBSCRIPTION,
        "resource_group": "imagebake",
        "gallery": "imagebake",
        "begun": "2026-11-22T10:00:00+00:00",
        "plan": "{}",
    }
    return RunNote(**(fields | changes))
