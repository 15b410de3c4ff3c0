"""What every script of an image is made from, and how a step becomes one that runs as root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.component import Catalogue, Component, DropIn
from imagebake.spec.lock import Lock
from imagebake.spec.model import ImageSpec
from imagebake.spec.plan import Script

SOURCE_DATE_EPOCH = 1760000000
"""The time that everything written by a script claims; the local builder clamps to it."""

AGENT = "azure-linux-agent"
"""The guest agent's name in the catalogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What all scripts of one image are rendered from."""

    spec: ImageSpec
    lock: Lock
    catalogue: Catalogue
    manifest: bytes

    @property
    def guest_agent(self) -> Component | None:
        """The guest agent, where the image pins it."""
        pinned = any(pin.agent == AGENT for pin in self.spec.agents)
        return self.catalogue.components.get(AGENT) if pinned else None


def as_root(name: str, template: str, templates: Templates, **values: Any) -> Script:  # noqa: ANN401
    """The step *name*, from the template `install/TEMPLATE.sh.j2`."""
    body = templates.shell(f"install/{template}.sh.j2", epoch=SOURCE_DATE_EPOCH, **values)
    return Script(name=name, text=templates.shell("install/as_root.sh.j2", body=body))


def file_of(drop_in: DropIn) -> dict[str, str]:
    """A configuration file of ours, as templates take it."""
    return {
        "path": drop_in.path,
        "folder": drop_in.path.rpartition("/")[0],
        "text": "\n".join(drop_in.lines),
    }
