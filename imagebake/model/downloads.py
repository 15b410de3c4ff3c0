"""Shell lines that fetch something from the network, told by their commands."""

from __future__ import annotations

import re

COMMAND = (
    r"(?:^|[;&|(]|\b(?:sudo|then|do|else|exec|env)\s)\s*(?:sudo\s+)?(?:-\w+\s+)*(?:\w+=\S*\s+)*"
)
"""Where a shell line may start a command: roughly, and without parsing quotes."""

_ADDRESS = r"(?:https?|ftp)://(?!127\.0\.0\.1|localhost|\[::1\])"

DOWNLOADS = tuple(
    (name, re.compile(COMMAND + pattern))
    for name, pattern in (
        ("curl", r"curl\b.*" + _ADDRESS),
        ("wget", r"wget\b.*" + _ADDRESS),
        ("apt", r"(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*(?:update|(?:dist-|full-)?upgrade)\b"),
        ("apt", r"(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*install\s+(?!.*(?:\s|^)\.?/)"),
        ("pip", r"(?:python3?\s+-m\s+)?pip3?\s+(?:install|download)\b(?!.*--no-index)"),
        ("npm", r"(?:npm|yarn|pnpm)\s+(?:install|ci|add|i)\b(?!.*--offline)"),
        ("git", r"git\s+(?:clone|fetch|pull|submodule\s+update)\b.*"),
        ("gem", r"gem\s+install\b(?!.*--local)"),
        ("go", r"go\s+(?:install|get)\b"),
        ("cargo", r"cargo\s+install\b(?!.*--offline)"),
        ("podman", r"(?:podman|docker|nerdctl|crictl)\s+(?:image\s+)?pull\b"),
        ("snap", r"snap\s+(?:install|refresh)\b"),
        ("az", r"az\s+extension\s+add\b"),
    )
)
"""What fetches, by the name of the program; the first that matches a line is meant."""


def download_in(line: str) -> str | None:
    """The program that *line* fetches with; None where it fetches nothing that is known."""
    return next((name for name, pattern in DOWNLOADS if pattern.search(line)), None)
