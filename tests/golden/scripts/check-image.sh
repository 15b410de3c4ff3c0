set -eu
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
expect_content() {
  printf '%s  %s\n' "$1" "$2" | sha256sum --check --quiet --strict - || fail "$2 has changed"
}
expect_masked() {
  for unit do
    [ "$(readlink "/etc/systemd/system/$unit")" = /dev/null ] || fail "$unit is not masked"
  done
}
expect_content a6a47d38dd2e3631dc7b33a8a42ca8dd3eb0b005fcda49df04f90af885211af5 /etc/imagebake/manifest.json
expect_content abababababababababababababababababababababababababababababababab /usr/local/bin/tool
expect_masked \
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
