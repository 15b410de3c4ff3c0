"""A sample extension handler, as a zip whose bytes never vary."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

# The earliest time that a zip can store.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_COMMANDS = ("install", "uninstall", "update", "enable", "disable")

_SCRIPT = r"""#!/bin/sh
# A handler for tests of provisioning. Public settings it knows: "greeting", "fetch" (a URL
# that enable downloads, as handlers of the real world do), "token" (a resource for which it
# asks the machine's identity, as those do that read a vault) and "fail" (a text to fail with).
cd "$(dirname "$0")/.." || exit 9
[ "$1" = enable ] || exit 0
sequence=${ConfigSequenceNumber:-0}
settings=config/$sequence.settings

field() {
    sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$settings" 2>/dev/null | head -n 1
}

message="$(field greeting)"
state=success code=0
sealed=$(field protectedSettings)
if [ -n "$sealed" ]; then
    key=../$(field protectedSettingsCertThumbprint).prv
    if printf '%s' "$sealed" | base64 -d |
        openssl cms -decrypt -inform DER -inkey "$key" -out config/opened; then
        message="$message opened $(sha256sum <config/opened | cut -d ' ' -f 1)"
    else
        state=error code=2 message="cannot open the protected settings"
    fi
    rm -f config/opened
fi
url=$(field fetch)
if [ -n "$url" ]; then
    curl --silent --show-error --fail --max-time 10 --output /dev/null "$url" ||
        { state=error code=3 message="cannot fetch $url"; }
fi
resource=$(field token)
if [ -n "$resource" ]; then
    identity=http://169.254.169.254/metadata/identity/oauth2/token
    curl --silent --show-error --fail --max-time 10 --retry 3 --output /dev/null \
        --header Metadata:true "$identity?api-version=2018-02-01&resource=$resource" ||
        { state=error code=4 message="no token for $resource: managed identity does not answer"; }
fi
failure=$(field fail)
[ -z "$failure" ] || { state=error code=1 message=$failure; }

mkdir -p status
cat >"status/$sequence.status.new" <<END
[{"version": 1.0, "timestampUTC": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "status": {
  "name": "Hello", "operation": "enable", "status": "$state", "code": $code,
  "formattedMessage": {"lang": "en-US", "message": "${message:-hello}"},
  "substatus": [{"name": "handler", "status": "$state", "code": $code, "formattedMessage":
    {"lang": "en-US", "message": "version $AZURE_GUEST_AGENT_EXTENSION_VERSION"}}]}}]
END
mv "status/$sequence.status.new" "status/$sequence.status"
exit 0
"""


def sample_package(*, ballast: int = 0) -> bytes:
    """Return the handler as an uncompressed zip; *ballast* bytes make it as large as a real one."""
    handler = {
        **{f"{command}Command": f"bin/handler.sh {command}" for command in _COMMANDS},
        "rebootAfterInstall": False,
        "reportHeartbeat": False,
    }
    manifest = [{"name": "Hello", "version": 1.0, "handlerManifest": handler}]
    files = {
        "HandlerManifest.json": (json.dumps(manifest, indent=1).encode(), 0o644),
        "bin/handler.sh": (_SCRIPT.encode(), 0o755),
    }
    if ballast:
        files["ballast.bin"] = (_noise(ballast), 0o644)
    return _packed(files)


def _packed(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            # Unix, whose modes unzip restores.
            entry.create_system = 3
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _noise(size: int) -> bytes:
    """Return *size* incompressible bytes, always the same."""
    return hashlib.shake_256(b"imagebake toy handler").digest(size)
