"""Values of a rollout: inventory index, rings, actions, plans and outcomes."""

__all__ = [
    "actions",
    "effects",
    "index",
    "plan",
    "rings",
]
