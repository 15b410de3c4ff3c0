"""Versions that sources have of pins; adoption, outdated pins and bumps."""

__all__ = [
    "bump",
    "outlooks",
    "pin_status",
    "review_due",
    "subjects",
    "transaction",
]
