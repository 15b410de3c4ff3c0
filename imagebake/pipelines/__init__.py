"""GitHub Actions workflows, generated from specs and settings."""

__all__ = [
    "workflows",
]
