"""The command line: program, registry of tasks, error boundary."""

__all__ = [
    "program",
]
