"""Fixtures of archives and bakes, for pins."""

from __future__ import annotations

from tests.build.conftest import builder, emulator, machine
from tests.lock.conftest import archive, archives, downloader, key, server

__all__ = ["archive", "archives", "builder", "downloader", "emulator", "key", "machine", "server"]
