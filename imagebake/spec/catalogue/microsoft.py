"""Components for Linux whose Debian packages Microsoft publishes, in an archive of its own.

An apt source for that archive belongs into the file that the setting `archive` names.
"""

from __future__ import annotations

from imagebake.spec.catalogue.component import Component
from imagebake.spec.model.adoption import DeniedVersions

_DISABLED = "leaves mdatp disabled after a reboot"

COMPONENTS = (
    Component(
        name="defender-for-endpoint",
        distributed=False,
        title="Microsoft Defender for Endpoint",
        packages=("mdatp",),
        publisher="Microsoft.Azure.AzureDefenderForServers",
        type="MDE.Linux",
        services=("mdatp.service",),
        version_query="mdatp version",
        offline=(
            "starts and waits; onboarding comes after creation, with a secret that no image has, "
            "and definitions are downloaded then"
        ),
        hygiene=(
            "/etc/opt/microsoft/mdatp/mdatp_onboard.json",
            "/var/opt/microsoft/mdatp/*",
            "/var/log/microsoft/mdatp/*",
        ),
        denied=(
            DeniedVersions(first="101.26042.0000", last="101.26042.0009", reason=_DISABLED),
            DeniedVersions(first="101.26052.0007", reason=_DISABLED),
        ),
        docs="Protects the machine. Baked, and never onboarded: the image has no tenant.",
    ),
    Component(
        name="entra-ssh-login",
        distributed=False,
        title="Entra SSH login",
        packages=("aadsshlogin",),
        publisher="Microsoft.Azure.ActiveDirectory",
        type="AADSSHLoginForLinux",
        services=("ssh.service",),
        version_query="dpkg-query -W aadsshlogin",
        offline="logins ask Entra; a machine is created without it",
        docs=(
            "Lets people log in with their Entra account. The extension only turns the "
            "configuration on, which can be baked as well."
        ),
    ),
    Component(
        name="azure-proxy-agent",
        distributed=False,
        title="Metadata Security Protocol",
        packages=("azure-proxy-agent",),
        publisher="Microsoft.CPlat.ProxyAgent",
        type="ProxyAgentLinux",
        services=("azure-proxy-agent.service",),
        version_query="dpkg-query -W azure-proxy-agent",
        offline="stands between programs and the instance metadata, which needs no other host",
        hygiene=("/var/log/azure-proxy-agent/*", "/var/lib/azure-proxy-agent/keys/*"),
        docs="Guards the instance metadata and the wire server against programs of others.",
    ),
    Component(
        name="containerd",
        distributed=False,
        title="containerd",
        packages=("moby-containerd",),
        services=("containerd.service",),
        version_query="containerd --version",
        offline="starts; images outside the bake are downloads",
        docs="Runs containers, below Docker or Kubernetes.",
    ),
    Component(
        name="docker",
        distributed=False,
        title="Docker (Moby)",
        packages=("moby-engine", "moby-cli"),
        services=("docker.service",),
        version_query="dockerd --version",
        offline="starts; images outside the bake are downloads",
        hygiene=("/var/lib/docker/network/*", "/etc/docker/key.json", "/var/lib/docker/engine-id"),
        docs="Runs containers. Its networks and its identity belong to one machine.",
    ),
    Component(
        name="azure-cli",
        distributed=False,
        title="Azure CLI",
        packages=("azure-cli",),
        version_query="az version -o json",
        self_update=(
            "its package is held; `az config set auto-upgrade.enable=no` and "
            "`extension.use_dynamic_install=no` for each user"
        ),
        offline="every command is a call to Azure; an extension that is missing is a download",
        hygiene=("/root/.azure/*", "/home/*/.azure/*"),
        docs="Speaks to Azure, for runners.",
    ),
    Component(
        name="azcopy",
        distributed=False,
        title="AzCopy",
        packages=("azcopy",),
        version_query="azcopy --version",
        self_update="its package is held; it only tells of newer versions",
        offline="copies from and to storage, and does nothing by itself",
        hygiene=("/root/.azcopy/*", "/home/*/.azcopy/*"),
        docs="Copies blobs, for runners.",
    ),
    Component(
        name="blobfuse2",
        distributed=False,
        title="BlobFuse 2",
        packages=("blobfuse2", "fuse3"),
        version_query="blobfuse2 --version",
        self_update="its package is held; mount with `--disable-version-check=true`",
        offline="a mount needs storage; with the check left on, it asks another host, too",
        docs="Mounts blob containers as directories.",
    ),
)
"""They may be pinned as agents where an archive has them."""
