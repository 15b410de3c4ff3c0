"""Values of a rollout: version index, rings, actions, plans and outcomes."""

__all__ = [
    "actions",
    "effects",
    "index",
    "plan",
    "rings",
]
