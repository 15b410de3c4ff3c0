"""The tasks that read and change rollouts."""

__all__ = [
    "rotate",
    "status",
]
