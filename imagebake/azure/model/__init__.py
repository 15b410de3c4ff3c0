"""Values that describe resources in Azure; none of the modules sends a request."""

__all__ = [
    "fleet",
    "gallery",
    "inventory_file",
    "machine",
    "manifest",
    "preflight_finding",
    "run_note",
]
