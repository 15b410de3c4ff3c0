"""Specs of Windows that break one rule each."""

from __future__ import annotations

from typing import Any

from imagebake.spec.model.image_spec import ImageSpec
from tests.policy.spec_cases import Case
from tests.support.builders import a_lock, a_spec
from tests.support.windows import GUEST_AGENT, PESTER, TOOL, a_full_windows_spec, a_windows_spec

_FETCH = "Invoke-WebRequest -Uri https://files.example/x -OutFile x"


def doing(*lines: str, **changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A Windows spec with one step of its own."""
    return a_windows_spec(customizers=({"name": "tune", "inline": lines} | changes,))


def pinning(*pins: dict[str, Any]) -> ImageSpec:
    return a_windows_spec(pins=(GUEST_AGENT, *pins))


def _case(rule: str, label: str, line: str, message: str, **more: Any) -> Case:  # noqa: ANN401
    return Case(rule, label, doing("# first", line), "tune, line 2", message, **more)


_UNASKED = "it downloads, and nothing says that it may"
_NEWEST = "it installs whatever version is the newest"
_POLICY = "it changes the execution policy for good"
_READABLE = "it has a password in plain text"
_END = "it ends the build machine's session"
_ON = "it sets what keeps Windows from downloading"
_PLAIN = {key: value for key, value in GUEST_AGENT.items() if key != "installer"}
_JQ = {"package": "jq", "version": "1.6-2.1+deb12u3"}
_STALE = a_windows_spec(pins=(GUEST_AGENT, PESTER))

CASES = (
    Case(
        "P179",
        "other-digest",
        _STALE,
        "Pester",
        "the lock has no such file, or another version or digest",
        lock=a_lock(_STALE, installers=a_lock(a_windows_spec()).installers),
    ),
    Case(
        "P190",
        "package",
        pinning(_JQ),
        "jq",
        "it is a package of Debian, and the image is Windows",
        lock=a_lock(a_windows_spec(), inputs_sha256="0" * 64),
        also=frozenset({"P171"}),
    ),
    Case(
        "P190",
        "no-installer",
        a_windows_spec(pins=(_PLAIN,)),
        "windows-guest-agent",
        "nothing says what installs it: it has no 'installer'",
        lock=a_lock(a_windows_spec(), inputs_sha256="0" * 64),
        also=frozenset({"P171"}),
    ),
    Case(
        "P190",
        "module-on-linux",
        a_spec(pins=({"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"}, PESTER)),
        "Pester",
        "it is a module, and the image is Linux",
    ),
    Case(
        "P190",
        "installer-on-linux",
        a_spec(pins=(GUEST_AGENT | {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"},)),
        "azure-linux-agent",
        "it has an 'installer', and Linux installs packages",
    ),
    Case(
        "P190",
        "path",
        pinning(TOOL | {"destination": "/opt/tool"}),
        "tool.exe",
        "/opt/tool is no path of Windows",
    ),
    Case(
        "P191",
        "agent",
        a_windows_spec(pins=(PESTER,)),
        "demo",
        "no pin is the Windows guest agent",
    ),
    _case("P192", "web", _FETCH, _UNASKED),
    _case("P192", "winget", "winget install --id Git.Git --version 2.50.0", _UNASKED),
    _case("P192", "choco", "choco install git -y", _UNASKED),
    _case("P192", "client", "(New-Object Net.WebClient).DownloadFile($a, $b)", _UNASKED),
    _case("P192", "module", "Install-Module Pester -RequiredVersion 5.7.1", _UNASKED),
    _case("P193", "policy", "Set-ExecutionPolicy Unrestricted -Force", _POLICY),
    _case("P194", "secure", "$p = ConvertTo-SecureString 'x' -AsPlainText -Force", _READABLE),
    _case("P194", "user", "net user operator hunter2 /add", _READABLE),
    _case("P195", "restart", "Restart-Computer -Force", _END),
    _case("P195", "shutdown", "shutdown /r /t 0", _END),
    _case("P195", "sysprep", "& C:\\Windows\\System32\\Sysprep\\Sysprep.exe /oobe", _END),
    _case("P196", "letters", "Write-Output 'h\xe9llo'", "it has characters beyond ASCII"),
    _case("P197", "updates", "Set-ItemProperty $key NoAutoUpdate 0", _ON),
    _case("P197", "edge", "Set-Service edgeupdate -StartupType Automatic", _ON),
    Case(
        "P198",
        "local",
        a_windows_spec(local={"suite": "bookworm"}),
        "demo",
        "it has a local base, and the image is Windows",
    ),
    Case(
        "P199",
        "newest",
        doing("Install-Module Pester -Force", network="required", reason="it is new each day"),
        "tune, line 1",
        _NEWEST,
    ),
)
"""The rule that each breaks, and no other."""

HARMLESS = (
    "Set-ExecutionPolicy -Scope Process Bypass -Force",
    "Invoke-RestMethod -Uri http://169.254.169.254/metadata/instance -Headers @{Metadata='true'}",
    "# Install-Module Pester",
    "Get-Module -ListAvailable",
    "New-ItemProperty -LiteralPath $key -Name Colour -Value 3",
    "net user guest /active:no",
    "Remove-Item -LiteralPath C:\\Temp\\mine -Recurse",
)
"""Lines that look like the above and break nothing."""

GOOD = (a_windows_spec(), a_full_windows_spec(), *(doing(line) for line in HARMLESS))
"""Specs that break no rule."""
