"""Small specs of Windows images."""

from __future__ import annotations

from typing import Any

from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec, a_spec_document

GUEST_AGENT: dict[str, Any] = {
    "agent": "windows-guest-agent",
    "version": "2.7.41491.1193",
    "installer": {"file": "https://files.example/2.7/agent.msi", "sha256": "1" * 64},
}
POWERSHELL: dict[str, Any] = {
    "agent": "windows-powershell",
    "version": "7.6.4",
    "installer": {
        "file": "https://files.example/7.6.4/powershell.msi",
        "sha256": "2" * 64,
        "size": 115515392,
        "arguments": ("ADD_PATH=0", "REGISTER_MANIFEST=1"),
    },
}
AZCOPY: dict[str, Any] = {
    "agent": "windows-azcopy",
    "version": "10.32.7",
    "installer": {"file": "https://files.example/10.32.7/azcopy.zip", "sha256": "3" * 64},
}
PESTER: dict[str, Any] = {
    "module": "Pester",
    "version": "5.7.1",
    "file": "https://files.example/pester.5.7.1.nupkg",
    "sha256": "4" * 64,
}
TOOL: dict[str, Any] = {
    "file": "https://files.example/1.2/tool.exe",
    "version": "1.2",
    "sha256": "5" * 64,
    "destination": "C:\\Tools\\it is\\tool.exe",
}


def a_windows_spec(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A spec of Windows with its guest agent; *changes* replace fields."""
    gallery = a_spec_document()["gallery"] | {"os": "Windows"}
    return a_spec(**{"gallery": gallery, "local": None, "pins": (GUEST_AGENT,)} | changes)


def a_full_windows_spec(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A spec with something of everything that scripts of Windows are rendered from."""
    return a_windows_spec(
        pins=(GUEST_AGENT, POWERSHELL, AZCOPY, PESTER, TOOL),
        customizers=(
            {"name": "greet", "inline": ("Write-Output 'it''s me'",), "exit_codes": (0, 3010)},
            {"name": "again", "restart": {}},
        ),
        validators=({"name": "greeted", "inline": ("exit 0",)},),
        **changes,
    )
