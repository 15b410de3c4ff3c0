"""Fixtures of bakes and rollouts, for bootstraps."""

from __future__ import annotations

from tests.build.conftest import builder, emulator, machine
from tests.rollout.commands.conftest import root

__all__ = ["builder", "emulator", "machine", "root"]
