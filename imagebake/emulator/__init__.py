"""A loopback Azure Resource Manager over TLS; of our code it imports only the kernel."""

__all__ = [
    "calls",
    "image_builder",
    "machines",
    "outages",
    "server",
    "store",
]
