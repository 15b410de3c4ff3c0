"""Galleries, machines and scale sets of Microsoft.Compute."""

__all__ = [
    "fleet",
    "galleries",
    "image_history",
    "machines",
    "marketplace",
    "upgrades",
]
