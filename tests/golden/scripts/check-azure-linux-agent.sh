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
expect_line() {
  grep -Fqx -e "$2" -- "$1" || fail "$1 has no line $2"
}
expect_held waagent 2.7.3.0-4.1
expect_version 2.7.3.0 "$(waagent --version)"
expect_enabled walinuxagent.service
expect_line /etc/waagent.conf AutoUpdate.Enabled=n
