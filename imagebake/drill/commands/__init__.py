"""The tasks `drill` and `outage`."""

__all__ = [
    "outage",
]
