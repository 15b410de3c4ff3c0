"""The platform's side of a machine: WireServer, HostGAPlugin and IMDS."""

__all__ = [
    "exchange",
    "extension_store",
    "fabric",
    "fabric_settings",
    "status",
]
