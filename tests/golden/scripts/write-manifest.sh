sudo -n /bin/sh -eu <<'IMAGEBAKE_AS_ROOT'
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=1760000000 PYTHONDONTWRITEBYTECODE=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() {
  printf 'imagebake: %s\n' "$*" >&2
  exit 1
}
main() {
  mkdir -p /etc/imagebake
  cat >/etc/imagebake/manifest.json <<'IMAGEBAKE_MANIFEST'
{
  "extensions": [
    {
      "handler": "Microsoft.Azure.Monitor.AzureMonitorLinuxAgent",
      "mode": "absent",
      "version": "1.35.1"
    }
  ],
  "files": [
    {
      "mode": "0755",
      "path": "/usr/local/bin/tool",
      "sha256": "abababababababababababababababababababababababababababababababab"
    }
  ],
  "image": "demo",
  "lock_sha256": "e87faf98323c16dc2b6e3b04d2cbbe1ad94b72512547f69ae67bad28d643f4a2",
  "packages": [
    {
      "architecture": "amd64",
      "name": "waagent",
      "sha256": "30997d00ae6bb42d3c4f8b2b10843cc97f2b77dbb294c887ebe174b68fd10e5f",
      "version": "2.7.3.0-4.1"
    },
    {
      "architecture": "amd64",
      "name": "cloud-init",
      "sha256": "d072d4dbea69752dde1fcd8efe2c67b614a7281dbe30c91cafe677ebf377a6ab",
      "version": "22.4.2-1+deb12u3"
    },
    {
      "architecture": "amd64",
      "name": "jq",
      "sha256": "8cab6aa454027618642f9cdc4e16172854c9f023e75997c1b804a24611dfa0f6",
      "version": "1.6-2.1+deb12u1"
    },
    {
      "architecture": "amd64",
      "name": "libstdc++6",
      "sha256": "662f3c7c428508d0024f8188fe3fdb0900712bc4e741f53adbf79c95c5afdfc2",
      "version": "1:12.2.0-14+deb12u1"
    }
  ],
  "pins": [
    {
      "kind": "agent",
      "name": "azure-linux-agent",
      "version": "2.7.3.0-4.1"
    },
    {
      "kind": "agent",
      "name": "cloud-init",
      "version": "22.4.2-1+deb12u3"
    },
    {
      "kind": "package",
      "name": "jq",
      "version": "1.6-2.1+deb12u1"
    },
    {
      "kind": "package",
      "name": "libstdc++6",
      "version": "1:12.2.0-14+deb12u1"
    },
    {
      "kind": "file",
      "name": "tool-1.2",
      "version": "1.2"
    }
  ],
  "source": "Debian:debian-12:12-gen2:0.20260914.2237"
}
IMAGEBAKE_MANIFEST
  chmod 0644 /etc/imagebake/manifest.json
}
main </dev/null
IMAGEBAKE_AS_ROOT
