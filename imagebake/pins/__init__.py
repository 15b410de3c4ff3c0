"""Versions that sources have of pins; adoption, outdated pins and bumps."""

__all__ = [
    "bump",
    "pin_status",
    "pinned_items",
    "review_due",
    "transaction",
]
