"""Plan, render and bake an image version."""

__all__ = [
    "diff",
    "due",
    "journal",
    "plan",
    "preconditions",
    "render",
    "workspace_bake",
]
