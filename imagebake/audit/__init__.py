"""Audit of other people's ARM, Bicep, Terraform and Packer files: `debt` and `import`."""

__all__ = [
    "draft",
    "findings",
]
