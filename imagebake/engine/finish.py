"""Generalise: what Azure Image Builder does after the last customizer, and our own traces."""

from __future__ import annotations

from imagebake.engine.scaffold import USER
from imagebake.engine.steps import Step

_DEPROVISION = """\
#!/bin/sh
set -e
if [ -f /tmp/DeprovisioningScript.sh ]; then
    echo 'running /tmp/DeprovisioningScript.sh'
    sh /tmp/DeprovisioningScript.sh
elif command -v waagent >/dev/null; then
    echo 'running waagent -force -deprovision+user'
    waagent -force -deprovision+user
else
    echo 'no waagent in the image: nothing to deprovision'
fi
"""

_FORGET = f"""\
#!/bin/sh
set -e
if id -u {USER} >/dev/null 2>&1; then
    userdel --force --remove {USER} 2>/dev/null || [ $? = 12 ]
fi
rm -rf /home/{USER} /var/mail/{USER} /var/lib/sudo/lectured/{USER}
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -f /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old /var/cache/debconf/*-old
rm -f /var/cache/apt/pkgcache.bin /var/cache/apt/srcpkgcache.bin
rm -rf /tmp/* /tmp/.[!.]*
if [ -s /etc/machine-id ]; then : > /etc/machine-id; fi
"""
"""The build user, and what differs between two builds though no script could know it."""

GENERALISE = (
    Step(name="Deprovision", provisioner="shell", content=_DEPROVISION.encode(), user="root"),
    Step(name="Forget the build", provisioner="shell", content=_FORGET.encode(), user="root"),
)
"""The hidden last steps."""
