"""Drills: incidents replayed against an image, with a baseline beside it."""

__all__ = [
    "outages",
]
