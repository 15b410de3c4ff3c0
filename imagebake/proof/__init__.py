"""Offline proof: first boots of a version while every artifact host is dead."""

__all__ = [
    "first_boots",
    "image_checks",
    "records",
    "validate",
]
