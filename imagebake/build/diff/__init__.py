"""Differences between two plans, and between the contents of two versions."""

__all__ = [
    "revisions",
]
