"""Image templates of Azure Image Builder, their runs and logs."""

__all__ = [
    "build_logs",
    "image_templates",
    "leftovers",
    "output_version",
    "runs",
    "trigger_templates",
]
