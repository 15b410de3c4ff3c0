"""Strict YAML whose every value has a position."""

__all__ = [
    "nodes",
]
