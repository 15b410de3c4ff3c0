"""Agents, extensions and marketplace images that specs may name."""

__all__ = [
    "component",
    "components",
    "marketplace",
    "reference",
    "replacements",
]
