"""Errors, settings, progress and the host; imports no other package of imagebake."""

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
