"""Texts with a fixed spelling: names, versions, times, Markdown; and redaction."""

__all__ = [
    "constrained",
    "docstrings",
    "json_positions",
    "markdown",
    "names",
    "redaction",
    "times",
    "versions",
]
