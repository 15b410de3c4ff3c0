"""Heartbeat: scheduled provisioning of throw-away machines in every region."""

__all__ = [
    "history",
    "history_report",
    "model",
    "records",
    "verdict",
]
