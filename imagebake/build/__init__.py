"""Plan, render and bake an image version."""

__all__ = [
    "diff",
    "due",
    "image_bakes",
    "journal",
    "plan",
    "preconditions",
    "render",
]
