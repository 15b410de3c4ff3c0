"""The components that a spec may pin as agents."""

from __future__ import annotations

from collections.abc import Mapping

from imagebake.catalog import extensions, microsoft, windows, windows_first_boot
from imagebake.catalog.first_boot import DOWNLOADS
from imagebake.model.component import (
    Catalogue,
    Component,
    DropIn,
    SelfUpdateStop,
    Setting,
    WindowsCatalogue,
)
from imagebake.model.distributions import Distribution

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
"""What is known besides: extensions, files, and all of Windows."""

WINDOWS = WindowsCatalogue(
    components=windows.PINNED,
    policies=windows_first_boot.POLICIES,
    updaters=windows_first_boot.UPDATERS,
    hygiene=windows_first_boot.HYGIENE,
)
"""What specs of Windows pin, and what their images turn off."""

CATALOGUE = Catalogue(components=LINUX, downloads=DOWNLOADS, others=OTHERS, windows=WINDOWS)
"""What planning works from."""


def packages_on(distribution: Distribution) -> Mapping[str, tuple[str, ...]]:
    """The packages of each component on *distribution*; the first carries the pinned version."""
    return {name: one.packages for name, one in CATALOGUE.on(distribution).components.items()}
