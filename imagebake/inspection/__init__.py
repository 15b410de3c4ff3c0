"""Contents of an image: packages, files, accounts, units and secrets."""

__all__ = [
    "contents",
    "dpkg",
    "secrets",
    "tree",
]
