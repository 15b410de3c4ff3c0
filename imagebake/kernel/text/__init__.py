"""Texts with a fixed spelling: names, versions, times, Markdown; and redaction."""

__all__ = [
    "constrained",
    "docstrings",
    "json_reader",
    "markdown",
    "redaction",
    "times",
    "versions",
]
