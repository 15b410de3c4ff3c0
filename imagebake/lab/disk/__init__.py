"""Boot of an exported disk in an emulated machine."""

__all__ = [
    "qemu",
    "result",
]
