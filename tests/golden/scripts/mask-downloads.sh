sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
main() {
  mkdir -p /etc/systemd/system
  set -- \
    apt-daily.timer \
    apt-daily.service \
    apt-daily-upgrade.timer \
    apt-daily-upgrade.service \
    unattended-upgrades.service \
    packagekit-offline-update.service \
    apt-news.service \
    esm-cache.service \
    motd-news.timer \
    motd-news.service \
    ua-timer.timer \
    ua-timer.service \
    ubuntu-advantage.service \
    update-notifier-download.timer \
    update-notifier-download.service \
    update-notifier-motd.timer \
    update-notifier-motd.service \
    snapd.snap-repair.timer \
    snapd.seeded.service \
    fwupd-refresh.timer \
    fwupd-refresh.service \
    podman-auto-update.timer \
    podman-auto-update.service \
    geoipupdate.timer \
    geoipupdate.service
  for unit do
    ln -sfn -- /dev/null "/etc/systemd/system/$unit"
  done
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl stop -- "$@" || true
  fi
}
main </dev/null
IMAGEBAKE_AS_ROOT
