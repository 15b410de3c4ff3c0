"""Azure Resource Manager and Blob storage, through the SDK clients."""

__all__ = [
    "blob",
    "client",
    "compute",
    "error_catalog",
    "image_builder",
    "model",
    "resources",
]
