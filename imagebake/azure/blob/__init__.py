"""Blob storage: the container of the mirror in the cloud."""

__all__ = [
    "address",
    "containers",
    "exposure",
    "uploads",
]
