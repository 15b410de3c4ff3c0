"""Fixtures of commands and bakes, for proofs."""

from __future__ import annotations

from tests.build.commands.conftest import folder, run, somebody
from tests.build.conftest import builder, emulator, machine

__all__ = ["builder", "emulator", "folder", "machine", "run", "somebody"]
