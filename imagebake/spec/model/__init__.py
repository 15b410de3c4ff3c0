"""Values of an image spec."""

__all__ = [
    "adoption",
    "base",
    "candidates",
    "delivery",
    "foreign_template",
    "image_spec",
    "options",
    "outputs",
    "pins",
    "rings",
    "source",
    "steps",
    "types",
]
