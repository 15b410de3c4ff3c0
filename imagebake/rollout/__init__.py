"""Rings, promotion, rollback and retirement of image versions."""

__all__ = [
    "audience",
    "freezes",
    "gallery_copies",
    "model",
    "operation",
    "present",
    "promote",
    "quota",
    "refusal_log",
    "status",
    "undeclared_extensions",
]
