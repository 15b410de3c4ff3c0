"""Resource ids, deployments and resource providers."""

__all__ = [
    "deployments",
    "providers",
    "resource_ids",
]
