"""One entry of the catalogue of Azure's errors."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a message is about, why Azure says it, and what to do next.

    *pattern* is looked for in `CODE: MESSAGE`, the message on one line, case and all.
    """

    id: str
    pattern: str
    cause: str
    hint: str

    def claims(self, text: str) -> bool:
        """Whether *text* is such a message."""
        return _compiled(self.pattern).search(text) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
