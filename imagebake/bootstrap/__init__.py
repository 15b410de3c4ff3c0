"""Resources, roles and quota that a subscription needs before the first bake."""

__all__ = [
    "preflight",
]
