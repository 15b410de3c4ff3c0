"""Disaster recovery: second gallery, runbooks and their rehearsals."""

__all__ = [
    "runbook",
]
