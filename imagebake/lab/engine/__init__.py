"""The local builder: bases, layers and steps of an image template."""

__all__ = [
    "errors",
    "probe",
    "recipe",
    "store",
]
