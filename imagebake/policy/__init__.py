"""Rules over specs, locks and images: one rule, one function, one id."""

__all__ = [
    "facts",
    "reference",
    "registry",
    "rule",
]
