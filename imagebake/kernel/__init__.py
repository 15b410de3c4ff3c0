"""Errors, settings, progress and the host: everything that imports nothing else of ours."""

__all__ = [
    "console",
    "context",
    "diagnostics",
    "digest",
    "errors",
    "flags",
    "host",
    "pages",
    "progress",
    "settings",
    "templating",
    "text",
    "version",
]
