"""Image specs: YAML with positions, the model, the schema and the lock."""

__all__ = [
    "catalogue",
    "codes",
    "edit",
    "load",
    "lock",
    "model",
    "plan",
    "reference",
    "schema",
    "yaml",
]
