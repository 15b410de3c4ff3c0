"""The tasks `dr` and `runbook`."""

__all__ = [
    "runbook",
]
