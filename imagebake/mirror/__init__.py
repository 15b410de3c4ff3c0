"""Content-addressed store of artifacts, on this machine and in Blob storage."""

__all__ = [
    "local",
    "remote",
    "store",
]
