"""Locks: resolve every pin of a spec to exact artifacts with digests."""

__all__ = [
    "apt_sources",
    "archive",
    "artifact_sources",
    "locking",
    "selection",
]
