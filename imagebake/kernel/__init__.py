"""Errors, settings, progress and the host: everything that imports nothing else of ours."""

__all__ = [
    "charts",
    "console",
    "context",
    "diagnostics",
    "digest",
    "errors",
    "flags",
    "host",
    "progress",
    "settings",
    "templating",
    "text",
    "version",
]
