"""Rings, promotion, rollback and retirement of image versions."""

__all__ = [
    "audience",
    "freezes",
    "model",
    "operation",
    "planners",
    "present",
    "promote",
    "quota",
    "refusal_log",
    "status",
    "undeclared_extensions",
]
