"""The timers and services that download when a machine starts for the first time."""

from __future__ import annotations

from imagebake.model.component import FirstBootDownload

DOWNLOADS: tuple[FirstBootDownload, ...] = tuple(
    FirstBootDownload(unit=unit, fetches=fetches)
    for unit, fetches in (
        ("apt-daily.timer", "package lists"),
        ("apt-daily.service", "package lists"),
        ("apt-daily-upgrade.timer", "packages"),
        ("apt-daily-upgrade.service", "packages"),
        ("unattended-upgrades.service", "packages, at shutdown"),
        ("packagekit-offline-update.service", "packages"),
        ("apt-news.service", "Ubuntu's news for apt"),
        ("esm-cache.service", "Ubuntu Pro's package lists"),
        ("motd-news.timer", "Ubuntu's news for the login message"),
        ("motd-news.service", "Ubuntu's news for the login message"),
        ("ua-timer.timer", "Ubuntu Pro's status"),
        ("ua-timer.service", "Ubuntu Pro's status"),
        ("ubuntu-advantage.service", "Ubuntu Pro's licence, from the instance metadata"),
        ("update-notifier-download.timer", "data of packages that are not in the archive"),
        ("update-notifier-download.service", "data of packages that are not in the archive"),
        ("update-notifier-motd.timer", "the list of Ubuntu's releases"),
        ("update-notifier-motd.service", "the list of Ubuntu's releases"),
        ("snapd.snap-repair.timer", "repairs of snapd"),
        ("snapd.seeded.service", "snaps that the image was seeded with"),
        ("fwupd-refresh.timer", "the list of firmware"),
        ("fwupd-refresh.service", "the list of firmware"),
        ("podman-auto-update.timer", "container images"),
        ("podman-auto-update.service", "container images"),
        ("geoipupdate.timer", "address databases"),
        ("geoipupdate.service", "address databases"),
    )
)
"""Every image masks all of them, whether it has them or not.

`man-db.timer`, `dpkg-db-backup.timer`, `fstrim.timer` and `logrotate.timer` are left
alone: they fetch nothing.
"""
