sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
set_line() {
  touch "$1"
  kept=$(awk -v key="$2=" 'index($0, key) != 1' "$1")
  printf '%s\n%s=%s\n' "$kept" "$2" "$3" >"$1"
}
main() {
  cat >/etc/waagent_policy.json <<'IMAGEBAKE_POLICY'
{
  "extensionPolicies": {
    "allowListedExtensionsOnly": true,
    "extensions": {
      "Contoso.Demo.Hello": {},
      "Microsoft.Azure.Extensions.CustomScript": {}
    }
  },
  "policyVersion": "0.1.0"
}
IMAGEBAKE_POLICY
  chmod 0644 /etc/waagent_policy.json
  set_line /etc/waagent.conf Debug.EnableExtensionPolicy y
}
main </dev/null
IMAGEBAKE_AS_ROOT
