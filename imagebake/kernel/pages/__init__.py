"""Building blocks of our HTML pages."""

__all__ = [
    "charts",
    "html",
    "parts",
]
