"""Image specs: YAML with positions, the model, the schema and the lock."""

__all__ = [
    "catalogue",
    "codes",
    "edit",
    "entries",
    "load",
    "lock",
    "model",
    "plan",
    "plan_record",
    "reference",
    "schema",
    "yaml",
]
