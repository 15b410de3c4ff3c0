"""Versions that sources have of pins; adoption, outdated pins and bumps."""

__all__ = [
    "bump",
    "outlook",
    "outlooks",
    "review_due",
    "subjects",
    "transaction",
]
