"""Draft of an image spec, imported from an Azure Image Builder template."""

__all__ = [
    "model",
]
