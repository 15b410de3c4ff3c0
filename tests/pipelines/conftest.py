"""Fixtures of rendering, for workflows."""

from __future__ import annotations

from tests.build.render.conftest import templates

__all__ = ["templates"]
