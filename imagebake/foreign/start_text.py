"""What a machine downloads because of what it is told at its first start, or by a command."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.foreign.text_functions import decoded
from imagebake.spec.steps import download_in

_LONGEST_LINE = 4096
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{16,}")
_KEYS = (
    (re.compile(r"packages\s*:"), "it installs packages"),
    (
        re.compile(r"(?:package|apt)_(?:update|upgrade)\s*:\s*(?:true|yes|on)\b", re.IGNORECASE),
        "it updates",
    ),
    (re.compile(r"snap\s*:"), "it installs snaps"),
    (re.compile(r"(?:apt|yum_repos|zypper)\s*:"), "it adds archives"),
    (re.compile(r"(?:ansible|chef|puppet|salt_minion)\s*:"), "it installs an agent"),
)
_INCLUDE = re.compile(r"#include|https?://")
_ITEM = re.compile(r"^\s*(?:-\s+)*")
_LIST = re.compile(r"^\[(.*)\]\s*$")
_QUOTES = re.compile(r"[\"',]+")
_WINDOWS = re.compile(
    r"\b(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm|Start-BitsTransfer|DownloadFile|"
    r"DownloadString|Install-Module|Install-Package|Install-PackageProvider|"
    r"choco(?:latey)?(?:\.exe)?\s+(?:install|upgrade)|winget(?:\.exe)?\s+(?:install|upgrade)|"
    r"bitsadmin)\b",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:yum|dnf|zypper|tdnf|apk)\s+(?:-\S+\s+)*(?:install|update|upgrade|add)\b")
_SHELL = re.compile(r"\b(?:ba|da|z)?sh\s+-[a-z]*c\s+[\"']?")


def plain_text(text: str) -> str:
    """*text* as a machine reads it: what is in base 64 is decoded."""
    if _BASE64.fullmatch(text):
        try:
            return decoded("".join(text.split()))
        except ValueError:
            return text
    return text


def downloads_at_start(text: str) -> Iterator[tuple[str, str]]:
    """The lines of *text* that make a machine download, each with what it does."""
    cloud_config = "#cloud-config" in text
    include = text.lstrip().startswith("#include")
    for line in text.splitlines():
        if cloud_config and (what := _key(line)):
            yield line, what
        elif include and _INCLUDE.match(line.strip()):
            yield line, "it includes what another host has"
        elif found := download_of(_command(line) if cloud_config else line):
            yield line, f"it downloads with {found}"


def download_of(line: str) -> str | None:
    """The program that a command line of either system fetches with."""
    line = line[:_LONGEST_LINE]
    if line.lstrip().startswith("#"):
        return None
    if found := _WINDOWS.search(line):
        return found[0].split()[0]
    if found := _MORE.search(line):
        return found[0].split()[0]
    return download_in(line) or download_in(_SHELL.sub("; ", line).replace('"', ""))


def _key(line: str) -> str:
    """What a key of a cloud-config does; only those that stand at the beginning count."""
    return next((what for key, what in _KEYS if key.match(line)), "")


def _command(line: str) -> str:
    """A command of a cloud-config as a shell would have it."""
    text = _ITEM.sub("", line).strip()
    if listed := _LIST.match(text):
        return _QUOTES.sub(" ", listed[1]).strip()
    return text.strip("\"'")
