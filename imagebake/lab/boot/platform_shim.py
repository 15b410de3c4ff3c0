"""Files that make a container look like a virtual machine on Azure to programs of an image."""

from __future__ import annotations

from pathlib import Path

STAGE = "/run/imagebake"
"""The directory of these files, on this host's side and in the container."""

_CHASSIS = "7783-7084-3265-9085-8269-3286-77"
"""The asset tag of every virtual machine on Azure, by which cloud-init recognises it."""

_INIT = """#!/bin/sh
# DHCP clients need a writable /proc/sys/net, which belongs to the network namespace alone.
mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net
exec env -u container -u container_uuid -u container_host_id -u NOTIFY_SOCKET /sbin/init "$@"
"""

_DETECT_VIRT = """#!/bin/sh
quiet= answer=microsoft code=0
for word in "$@"; do
    case $word in
        -q | --quiet) quiet=1 ;;
        -c | --container) answer=none code=1 ;;
    esac
done
[ "$quiet" ] || echo "$answer"
exit $code
"""

_AGENT_DROP_IN = f"""[Unit]
ConditionVirtualization=
[Service]
Environment=SSL_CERT_FILE={STAGE}/ca.pem
"""

_NETWORKD_DROP_IN = """[Service]
# Netplan looks for a card by its permanent address, and a virtual one has none.
ExecStartPre=+/bin/sh -c 'sed -i s/^PermanentMACAddress=/MACAddress=/ /run/systemd/network/* || :'
"""

CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
"""The certificate authorities that the image trusts."""
AGENT_UNITS = ("walinuxagent.service", "waagent.service")
"""The names of the agent's service in the distributions."""


def ca_bundle(disk: Path, ca: bytes) -> str:
    """Return the authorities that the image trusts, and *ca*."""
    own = disk / CA_BUNDLE
    return (own.read_text(encoding="ascii") if own.is_file() else "") + ca.decode("ascii")


def write_platform_files(stage: Path, *, disk: Path, vm_id: str, ca: bytes) -> tuple[str, ...]:
    """Write the files below *stage* and return the `--bind-ro` options that use them.

    None of them changes the image on *disk*: they are mounted over it, read-only, while it runs.
    *ca* is trusted in addition to the image's authorities.
    """
    files = {
        "init.sh": (_INIT, 0o755),
        "detect-virt": (_DETECT_VIRT, 0o755),
        "agent.conf": (_AGENT_DROP_IN, 0o644),
        "networkd.conf": (_NETWORKD_DROP_IN, 0o644),
        "ds-identify.cfg": ("datasource: Azure\n", 0o644),
        "ca.pem": (ca_bundle(disk, ca), 0o644),
        "class/dmi/id/chassis_asset_tag": (f"{_CHASSIS}\n", 0o444),
        "class/dmi/id/sys_vendor": ("Microsoft Corporation\n", 0o444),
        "class/dmi/id/product_name": ("Virtual Machine\n", 0o444),
        "class/dmi/id/product_uuid": (f"{vm_id}\n", 0o444),
        "class/dmi/id/product_serial": ("0000-0000-0000-0000-0000-0000-00\n", 0o444),
    }
    for name, (content, mode) in files.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
        path.chmod(mode)
    network = stage / "class/net"
    if not network.is_symlink():
        network.symlink_to("../devices/virtual/net")
    binds = {
        "/sys/class": "class",
        "/usr/bin/systemd-detect-virt": "detect-virt",
        f"{STAGE}/init.sh": "init.sh",
        f"{STAGE}/ca.pem": "ca.pem",
        "/etc/cloud/ds-identify.cfg": "ds-identify.cfg",
    }
    # First of all by its name, so that the image's own drop-ins have the last word.
    for unit in AGENT_UNITS:
        binds[f"/run/systemd/system/{unit}.d/00-first-boot.conf"] = "agent.conf"
    binds["/run/systemd/system/systemd-networkd.service.d/00-first-boot.conf"] = "networkd.conf"
    if (disk / CA_BUNDLE).is_file():
        binds[f"/{CA_BUNDLE}"] = "ca.pem"
    return (
        *(f"--bind-ro={STAGE}/{name}:{target}" for target, name in binds.items()),
        "--bind-ro=/dev/null:/etc/fstab",
    )
