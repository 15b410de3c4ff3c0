sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
main() {
  rm -f /tmp/DeprovisioningScript.sh
  cat >/tmp/DeprovisioningScript.sh <<'IMAGEBAKE_DEPROVISIONING'
#!/bin/sh
# Generalises this machine, so that an image of it holds nothing that is this machine's own.
set -eu
[ "$(id -u)" -eq 0 ] || exec sudo -n /bin/sh "$0"
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
empty() {
  for folder do
    [ ! -d "$folder" ] || find "$folder" -xdev -mindepth 1 -delete
  done
}
without_files() {
  for folder do
    [ ! -d "$folder" ] || find "$folder" -xdev -type f -delete
  done
}
agents() {
  if command -v waagent >/dev/null; then
    waagent -force -deprovision+user
  fi
  if command -v cloud-init >/dev/null; then
    cloud-init clean --logs --seed
  fi
}
identity() {
  rm -f /etc/machine-id
  : >/etc/machine-id
  chmod 0444 /etc/machine-id
  if [ -e /var/lib/dbus/machine-id ] || [ -L /var/lib/dbus/machine-id ]; then
    ln -sfn /etc/machine-id /var/lib/dbus/machine-id
  fi
  echo localhost >/etc/hostname
  rm -f /etc/resolv.conf
  if [ -e /lib/systemd/systemd-resolved ]; then
    ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
  fi
  without_files /var/lib/dhcp /var/lib/dhcpcd /var/lib/NetworkManager
  without_files /var/lib/systemd/timesync /var/lib/systemd/timers /var/lib/systemd/rfkill
}
accounts() {
  if getent passwd packer >/dev/null; then
    userdel --force packer
  fi
  rm -rf /home/packer /var/mail/packer
  shadow=$(sed -E -e 's/^([^:]*:[^:]*:)[0-9]+:/\120370:/' \
    -e 's/^root:[^:]*:/root:*:/' /etc/shadow)
  printf '%s\n' "$shadow" >/etc/shadow
  rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
}
traces() {
  rm -rf \
    /etc/adjtime \
    /etc/docker/key.json \
    /etc/netplan/50-cloud-init.yaml \
    /etc/network/interfaces.d/50-cloud-init \
    /etc/nvme/hostid \
    /etc/nvme/hostnqn \
    /etc/ssh/ssh_host_* \
    /etc/ssh/sshd_config.d/50-cloud-init.conf \
    /etc/sudoers.d/90-cloud-init-users \
    /etc/sudoers.d/waagent \
    /etc/udev/rules.d/70-persistent-net.rules \
    /etc/udev/rules.d/75-persistent-net-generator.rules \
    /home/*/.*_history \
    /home/*/.azure \
    /home/*/.cache \
    /home/*/.lesshst \
    /home/*/.ssh/authorized_keys* \
    /home/*/.ssh/known_hosts \
    /home/*/.sudo_as_admin_successful \
    /home/*/.viminfo \
    /home/*/.wget-hsts \
    /root/.*_history \
    /root/.azure \
    /root/.cache \
    /root/.lesshst \
    /root/.ssh/authorized_keys* \
    /root/.ssh/known_hosts \
    /root/.viminfo \
    /root/.wget-hsts \
    /var/cache/ldconfig/aux-cache \
    /var/lib/chrony/* \
    /var/lib/cloud/* \
    /var/lib/docker/engine-id \
    /var/lib/logrotate/status \
    /var/lib/ntp/ntp.drift \
    /var/lib/ntpsec/ntp.drift \
    /var/lib/systemd/credential.secret \
    /var/lib/systemd/random-seed \
    /var/lib/unattended-upgrades/* \
    /var/lib/urandom/random-seed \
    /var/lib/waagent/* \
    /var/log/azure/* \
    /var/log/chrony/* \
    /var/log/cloud-init*.log \
    /var/log/unattended-upgrades/* \
    /var/log/waagent.log*
  empty /var/log/journal /run/log/journal
  find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \) -delete
  find /var/log -xdev -type f -exec truncate --size 0 {} +
  without_files /var/lib/apt/lists /var/cache/apt /var/cache/man /var/cache/fontconfig
  rm -f /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/backups/*
}
restage() {
  if [ -x /opt/imagebake/restage.sh ]; then
    /opt/imagebake/restage.sh
  fi
}
main() {
  agents
  accounts
  identity
  traces
  restage
  empty /tmp /var/tmp
  sync
}
main </dev/null
IMAGEBAKE_DEPROVISIONING
  chmod 0755 /tmp/DeprovisioningScript.sh
}
main </dev/null
IMAGEBAKE_AS_ROOT
