set -eu
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}
expect_content() {
  printf '%s  %s\n' "$1" "$2" | as_root sha256sum --check --quiet --strict - || fail "$2 has changed"
}
expect_line() {
  grep -Fqx -e "$2" -- "$1" || fail "$1 has no line $2"
}
expect_content 609ec80b176a3b16ec2457ab73fd385a84fb03977750cd2c53972a43a5830365 /etc/waagent_policy.json
expect_line /etc/waagent.conf Debug.EnableExtensionPolicy=y
