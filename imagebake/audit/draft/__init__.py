"""Draft of an image spec, made from an image template of somebody else."""

__all__ = [
    "model",
]
