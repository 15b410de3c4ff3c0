"""What downloads when a Windows machine starts, and what no image of Windows may hold."""

from __future__ import annotations

from imagebake.model.windows import STATE, Number, Policy, Updater

_POLICIES = r"HKLM:\SOFTWARE\Policies\Microsoft"

POLICIES: tuple[Policy, ...] = tuple(
    Policy(number=Number(key=rf"{_POLICIES}\{key}", name=name, value=value), fetches=fetches)
    for key, name, value, fetches in (
        (r"Windows\WindowsUpdate\AU", "NoAutoUpdate", 1, "updates of Windows"),
        ("WindowsStore", "AutoDownload", 2, "updates of apps"),
        ("EdgeUpdate", "UpdateDefault", 0, "updates of Edge"),
        (r"Windows\CloudContent", "DisableWindowsConsumerFeatures", 1, "apps that are advertised"),
    )
)
"""Every image sets all of them. A customizer `update` still works: it asks by itself.

Definitions of Defender's antivirus are left to come: they protect, and no start waits for them.
"""

UPDATERS: tuple[Updater, ...] = (
    Updater(service="edgeupdate", fetches="updates of Edge"),
    Updater(service="edgeupdatem", fetches="updates of Edge"),
    # Edge's policies hold in a domain alone; its tasks run everywhere.
    Updater(task="MicrosoftEdgeUpdateTask*", fetches="updates of Edge"),
)
"""Every image disables those that it has."""

_WINDOWS = r"C:\Windows"
_PROFILES = (r"C:\Users\*", rf"{_WINDOWS}\System32\config\systemprofile")

HYGIENE: tuple[str, ...] = (
    # Answers for an earlier set-up: sysprep would take its own from there.
    rf"{_WINDOWS}\Panther\unattend.xml",
    rf"{_WINDOWS}\Panther\Unattend\unattend.xml",
    rf"{_WINDOWS}\System32\Sysprep\unattend.xml",
    rf"{_WINDOWS}\System32\Sysprep\Panther\*",
    # The build's own traces.
    rf"{_WINDOWS}\Temp\*",
    rf"{_WINDOWS}\Logs\CBS\*",
    rf"{_WINDOWS}\Logs\DISM\*",
    rf"{_WINDOWS}\Prefetch\*",
    rf"{_WINDOWS}\SoftwareDistribution\Download\*",
    r"C:\inetpub\logs\*",
    rf"{STATE}\logs\*",
    # Keys and habits of those who built it.
    r"C:\ProgramData\ssh\ssh_host_*",
    r"C:\ProgramData\ssh\administrators_authorized_keys",
    *(
        rf"{profile}\{path}"
        for profile in _PROFILES
        for path in (
            r".ssh\authorized_keys",
            r".ssh\known_hosts",
            r"AppData\Local\Temp\*",
            r"AppData\Local\CrashDumps\*",
            r"AppData\Roaming\Microsoft\Windows\PowerShell\PSReadLine\*_history.txt",
        )
    ),
)
"""What no component owns; the script that generalises removes it, before sysprep."""
