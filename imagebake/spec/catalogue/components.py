"""The components that a spec may pin as agents."""

from __future__ import annotations

from collections.abc import Mapping

from imagebake.spec.catalogue import extensions, microsoft, windows
from imagebake.spec.catalogue import windows as windows_first_boot
from imagebake.spec.catalogue.component import (
    Catalogue,
    Component,
    DropIn,
    FirstBootDownload,
    SelfUpdateStop,
    Setting,
    WindowsCatalogue,
)
from imagebake.spec.model.base import Distribution

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


_WAAGENT = "/etc/waagent.conf"

_DEBIAN = (
    Component(
        name="azure-linux-agent",
        title="Azure Linux Agent",
        packages=("waagent",),
        ubuntu=("walinuxagent",),
        services=("walinuxagent.service",),
        version_query="waagent --version",
        stops=(
            SelfUpdateStop(settings=(Setting(path=_WAAGENT, key="AutoUpdate.Enabled", value="n"),)),
            # From this version on the agent tells "look on the disk" from "download".
            SelfUpdateStop(
                since="2.10.0.8",
                settings=(
                    Setting(path=_WAAGENT, key="AutoUpdate.Enabled", value="y"),
                    Setting(path=_WAAGENT, key="AutoUpdate.UpdateToLatestVersion", value="n"),
                ),
            ),
        ),
        hygiene=(
            "/var/lib/waagent/*",
            "/var/log/waagent.log*",
            "/var/log/azure/*",
            "/etc/sudoers.d/waagent",
        ),
        docs=(
            "Reports the machine as ready and runs extensions. Before 2.10.0.8 the packaged "
            "agent knows one switch; a later one keeps looking for newer agents on the disk "
            "but downloads none."
        ),
    ),
    Component(
        name="cloud-init",
        title="cloud-init",
        packages=("cloud-init",),
        # The stage between them changed its name in 24.3.
        services=(
            "cloud-init-local.service",
            "cloud-config.service",
            "cloud-final.service",
        ),
        version_query="cloud-init --version",
        stops=(
            SelfUpdateStop(
                drop_ins=(
                    DropIn(
                        path="/etc/cloud/cloud.cfg.d/90-imagebake.cfg",
                        lines=(
                            "package_update: false",
                            "package_upgrade: false",
                            "package_reboot_if_required: false",
                        ),
                    ),
                )
            ),
        ),
        hygiene=(
            "/var/lib/cloud/*",
            "/var/log/cloud-init*.log",
            "/etc/sudoers.d/90-cloud-init-users",
            "/etc/ssh/sshd_config.d/50-cloud-init.conf",
            "/etc/netplan/50-cloud-init.yaml",
            "/etc/network/interfaces.d/50-cloud-init",
        ),
        docs=(
            "Provisions the machine from Azure's data source. It updates nothing by itself; "
            "the image says so, and only a machine's own user data can ask for more."
        ),
    ),
    Component(
        name="chrony",
        title="chrony",
        packages=("chrony",),
        services=("chrony.service",),
        version_query="chronyd --version",
        hygiene=("/var/lib/chrony/*", "/var/log/chrony/*"),
        docs=(
            "Keeps the time. Debian's configuration asks public time servers; the host's "
            "clock (`refclock PHC /dev/ptp_hyperv`) needs no network."
        ),
    ),
    Component(
        name="openssh-server",
        title="OpenSSH server",
        packages=("openssh-server",),
        services=("ssh.service",),
        version_query="ssh -V 2>&1",
        hygiene=("/etc/ssh/ssh_host_*",),
        docs="Remote login. Host keys are made on each machine, never in the image.",
    ),
    Component(
        name="netplan",
        title="Netplan",
        packages=("netplan.io",),
        docs="Turns cloud-init's network settings into those of systemd-networkd.",
    ),
    Component(
        name="systemd-resolved",
        title="systemd-resolved",
        packages=("systemd-resolved",),
        services=("systemd-resolved.service",),
        docs="Resolves names; with it `/etc/resolv.conf` is a link into `/run`.",
    ),
    Component(
        name="podman",
        title="Podman",
        packages=("podman",),
        version_query="podman --version",
        docs="Runs containers. Its timer that updates their images is masked.",
    ),
    Component(
        name="git",
        title="Git",
        packages=("git",),
        version_query="git --version",
        docs="Version control, for runners.",
    ),
    Component(
        name="unattended-upgrades",
        title="unattended-upgrades",
        packages=("unattended-upgrades",),
        hygiene=("/var/lib/unattended-upgrades/*", "/var/log/unattended-upgrades/*"),
        docs=(
            "Installs security updates by itself, which is a download: its service is masked, "
            "and a machine that is to outlive its image unmasks it after provisioning."
        ),
    ),
)

_ALL = (*_DEBIAN, *microsoft.COMPONENTS)

LINUX: Mapping[str, Component] = {component.name: component for component in _ALL}
"""Every component that a spec may pin as an agent, by the name that it is pinned with."""

OTHERS = (*extensions.COMPONENTS, *windows.COMPONENTS)
"""Known components that cannot be pinned as agents of Linux: extensions, files, Windows."""

WINDOWS = WindowsCatalogue(
    components=windows.PINNED,
    policies=windows_first_boot.POLICIES,
    updaters=windows_first_boot.UPDATERS,
    hygiene=windows_first_boot.HYGIENE,
)
"""The components that specs of Windows pin, and the settings that their images turn off."""

CATALOGUE = Catalogue(components=LINUX, downloads=DOWNLOADS, others=OTHERS, windows=WINDOWS)
"""The catalogue that plans are made from."""


def packages_on(distribution: Distribution) -> Mapping[str, tuple[str, ...]]:
    """Return the packages of each component on *distribution*, the pinned one first."""
    return {
        name: component.packages
        for name, component in CATALOGUE.on(distribution).components.items()
    }
