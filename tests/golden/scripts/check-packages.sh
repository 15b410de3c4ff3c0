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
expect_held jq 1.6-2.1+deb12u1
expect_held libstdc++6 1:12.2.0-14+deb12u1
