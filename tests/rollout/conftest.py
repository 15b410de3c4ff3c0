"""Fixtures of Azure clients, for rollouts."""

from __future__ import annotations

from tests.azure.conftest import time

__all__ = ["time"]
