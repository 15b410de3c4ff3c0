set -eu
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
expect_held() {
  found=$(dpkg-query --show --showformat "\${db:Status-Want} \${db:Status-Status} \${Version}" -- "$1")
  [ "$found" = "hold installed $2" ] || fail "$1 is '$found', not 'hold installed $2'"
}
expect_version() {
  case " $(printf %s "$2" | tr -c '[:alnum:].' ' ') " in
    *" $1 "*) ;;
    *) fail "the version is not $1: $2" ;;
  esac
}
expect_enabled() {
  systemctl is-enabled --quiet -- "$1" || fail "$1 is not enabled"
  if [ -d /run/systemd/system ] && systemctl is-failed --quiet -- "$1"; then
    fail "$1 has failed"
  fi
}
expect_held cloud-init 22.4.2-1+deb12u3
expect_version 22.4.2 "$(cloud-init --version)"
expect_enabled cloud-init-local.service
expect_enabled cloud-config.service
expect_enabled cloud-final.service
[ -f /etc/cloud/cloud.cfg.d/90-imagebake.cfg ] || fail '/etc/cloud/cloud.cfg.d/90-imagebake.cfg is missing'
