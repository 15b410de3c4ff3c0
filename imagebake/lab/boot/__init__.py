"""First boots of an image in namespaces, with its network watched."""

__all__ = [
    "namespaces",
    "runner",
    "scenario",
    "trials",
]
