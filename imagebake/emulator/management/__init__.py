"""Subscriptions, groups, deployments, roles, locks, tags and policies."""

__all__ = [
    "health",
]
