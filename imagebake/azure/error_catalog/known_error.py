"""An entry of the catalogue of Azure's errors."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownError:
    """Cause and remedy of an error message.

    *pattern* is searched for, case-sensitively, in `CODE: MESSAGE` on a single line.
    """

    id: str
    pattern: str
    cause: str
    hint: str

    def matches(self, text: str) -> bool:
        """Return whether *text* is such a message."""
        return _compiled(self.pattern).search(text) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
