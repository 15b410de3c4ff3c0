"""Values that describe resources in Azure; nothing here sends a request."""

__all__ = [
    "fleet",
    "gallery",
    "inventory_file",
    "machine",
    "manifest",
    "preflight_finding",
    "run_note",
]
