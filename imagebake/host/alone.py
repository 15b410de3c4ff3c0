"""Being the only one on this machine that does something."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from imagebake.host.files import locked


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock *path* while the context is open; *waiting* is called when another has it."""
    with locked(path, wait=False) as held:
        if held:
            yield
            return
    waiting()
    with locked(path):
        yield
