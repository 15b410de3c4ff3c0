"""The host: processes, namespaces, files, HTTP and system packages."""

__all__ = [
    "debs",
    "download",
    "files",
    "git",
    "http",
    "namespaces",
    "process",
    "process_identity",
    "system_packages",
]
