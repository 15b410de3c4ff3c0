"""The Azure that is spoken to: a subscription, or the emulator on this machine."""

__all__ = [
    "gallery",
    "machines",
    "places",
    "session",
]
