"""What goes into a script as it is, and what never does."""

from __future__ import annotations

import re
from dataclasses import dataclass

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What could end a line or ring a bell, and halves of characters."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a script that we wrote, or rendered: it goes into a script as it is.

    Nothing that comes from a spec or a lock may be made one; no template can make one.
    """

    text: str
