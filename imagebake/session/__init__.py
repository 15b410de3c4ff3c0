"""The Azure that is spoken to: a subscription, or the emulator on this machine."""

__all__ = [
    "machines",
    "places",
    "session",
]
