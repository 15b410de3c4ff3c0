"""This machine as a cloud: builder, fabric, first boots and disk boots."""

__all__ = [
    "boot",
    "disk",
    "engine",
    "fabric",
    "faults",
    "ledger",
    "local_cloud",
    "proof_result",
]
