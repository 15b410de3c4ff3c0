"""Sessions with a subscription in Azure or with the emulator on this machine."""

__all__ = [
    "configured_ids",
    "machines",
    "session",
]
