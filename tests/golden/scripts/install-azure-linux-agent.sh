sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
mirror=file:///run/imagebake/mirror reader=''
work=$(mktemp -d /var/tmp/imagebake.XXXXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
fetch() {
  curl --fail --silent --show-error --globoff --retry 8 --retry-all-errors --connect-timeout 20 "$@"
}
authorise() {
  identity='http://169.254.169.254/metadata/identity/oauth2/token'
  token=$(fetch --noproxy '*' --header Metadata:true \
    "$identity?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F$reader" \
    | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
  [ -n "$token" ] || fail 'the managed identity of this machine got no token for the mirror'
  printf 'Authorization: Bearer %s\nx-ms-version: 2023-11-03\n' "$token" >"$work/headers"
}
use_mirror() {
  case $mirror in
    file:///*) root=${mirror#file://} ;;
    https://*)
      root=$work/mirror
      command -v curl >/dev/null || fail 'this image has no curl to reach the mirror with'
      authorise
      ;;
    *) fail "the mirror $mirror is neither file:/// nor https://" ;;
  esac
}
obtain() {
  case $mirror in
    file:*) cat >/dev/null ;;
    *)
      while IFS= read -r path; do
        printf 'url = "%s/%s"\noutput = "%s/%s"\n' "$mirror" "$path" "$root" "$path"
      done >"$work/downloads"
      fetch --proto =https --header "@$work/headers" --create-dirs --parallel --fail-early \
        --config "$work/downloads"
      ;;
  esac
}
verify() {
  printf '%s  %s\n' "$1" "$2" | sha256sum --check --quiet --strict - \
    || fail "$2 is not what the lock says"
}
open_bundle() {
  bundle=$root/bundles/$1
  echo "bundles/$1/index" | obtain
  verify "$1" "$bundle/index"
  { echo "bundles/$1/Packages"; sed "s|^.* |bundles/$1/|" "$bundle/index"; } | obtain
  sed 's/^\([^ ]*\) [^ ]* /\1  /' "$bundle/index" >"$work/sums"
  (cd "$bundle" && sha256sum --check --quiet --strict "$work/sums") \
    || fail 'a package is not what the lock says'
  cut -d ' ' -f 1 "$bundle/index" | sort >"$work/locked"
  sed -n 's/^SHA256: //p' "$bundle/Packages" | sort | cmp -s - "$work/locked" \
    || fail 'the list of packages is not what the lock says'
}
private_apt() {
  apt-get --quiet --yes --no-install-recommends --no-remove \
    --allow-downgrades --allow-change-held-packages \
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::Log="$work" \
    -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--log=/dev/null \
    -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-unsafe-io "$@"
}
install_from_bundle() {
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  printf 'deb [trusted=yes] file:%s ./\n' "$bundle" >"$work/sources.list"
  private_apt update
  private_apt install -- "$@"
}
hold() {
  for name do
    echo "$name hold"
  done | dpkg --set-selections
}
set_line() {
  touch "$1"
  kept=$(awk -v key="$2=" 'index($0, key) != 1' "$1")
  printf '%s\n%s=%s\n' "$kept" "$2" "$3" >"$1"
}
main() {
  export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
  export APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1
  use_mirror
  open_bundle 8283e08064a6a998ff24a6a2023241ace5e67e4fa396252c90dc967cf887a2b5
  install_from_bundle \
    waagent=2.7.3.0-4.1
  hold \
    waagent
  set_line /etc/waagent.conf AutoUpdate.Enabled n
}
main </dev/null
IMAGEBAKE_AS_ROOT
