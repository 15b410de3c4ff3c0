"""Disaster recovery: the second gallery, runbooks and their rehearsals."""

__all__ = [
    "runbook",
]
