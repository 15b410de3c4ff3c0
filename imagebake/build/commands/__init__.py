"""The tasks that plan, render, bake, compare, export and clean."""

__all__ = [
    "bake",
]
