"""Known error messages of Azure, with their causes and remedies."""

__all__ = [
    "builds",
    "known_error",
    "lookup",
]
