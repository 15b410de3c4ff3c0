"""First boots of an image in namespaces, with its network watched."""

__all__ = [
    "namespaces",
    "negative_control",
    "runner",
    "scenario",
    "trials",
]
