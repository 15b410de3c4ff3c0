"""A loopback Azure Resource Manager over TLS; it imports nothing of ours but the kernel."""

__all__ = [
    "calls",
    "foreground",
    "image_builder",
    "machines",
    "management",
    "outages",
    "server",
    "store",
]
