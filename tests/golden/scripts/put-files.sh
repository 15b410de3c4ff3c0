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
put() {
  blob=sha256/$1/$2
  echo "$blob" | obtain
  verify "$2" "$root/$blob"
  install -D -T -o root -g root -m "$3" -- "$root/$blob" "$4"
}
main() {
  use_mirror
  put ab abababababababababababababababababababababababababababababababab 0755 /usr/local/bin/tool
}
main </dev/null
IMAGEBAKE_AS_ROOT
