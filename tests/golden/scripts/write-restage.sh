sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
main() {
  mkdir -p /opt/imagebake
  cat >/opt/imagebake/restage.sh <<'IMAGEBAKE_RESTAGE'
#!/bin/sh
# Puts back what generalising took away: the pinned agent, and the zips of cached extensions.
# Runs after `waagent -deprovision`; running it again changes nothing.
set -eu
[ "$(id -u)" -eq 0 ] || exec sudo -n /bin/sh "$0"
export LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
stop_agent() {
  # A running agent would make its directories again, and take a newer one for its successor.
  if [ -d /run/systemd/system ]; then
    systemctl stop -- "$@"
  fi
}
forget_agents() {
  rm -rf -- "$1"/WALinuxAgent-*
}
main() {
  stop_agent walinuxagent.service
  mkdir -p -- /var/lib/waagent
  forget_agents /var/lib/waagent
  cp -R -- /opt/imagebake/agent/WALinuxAgent-2.15.0.1 /var/lib/waagent
  cp -- /opt/imagebake/ext/Contoso.Demo.Hello__1.2.3.zip /var/lib/waagent
}
main </dev/null
IMAGEBAKE_RESTAGE
  chmod 0755 /opt/imagebake/restage.sh
}
main </dev/null
IMAGEBAKE_AS_ROOT
