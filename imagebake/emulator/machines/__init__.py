"""Virtual machines, scale sets and marketplace images of Microsoft.Compute."""

__all__ = [
    "host",
    "marketplace",
]
