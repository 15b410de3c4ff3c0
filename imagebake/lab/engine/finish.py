"""Generalise: what Azure Image Builder does after the last customizer, and our own traces."""

from __future__ import annotations

from collections.abc import Sequence

from imagebake.kernel.host import namespaces
from imagebake.lab.engine.errors import Cancelled, EngineFailed
from imagebake.lab.engine.layers import Runner, Stack
from imagebake.lab.engine.scaffold import USER
from imagebake.lab.engine.steps import Step

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


def validate(
    runner: Runner, stack: Stack, validators: Sequence[Step], key: str, create_user: Step
) -> EngineFailed | None:
    """Run *validators* one after the other, upon each other's changes, and say what failed.

    None of what they do reaches the image, and the build user, whom generalising removed,
    exists for them alone. Raises `Cancelled` only.
    """
    stack = stack.over(runner.layer(stack, create_user, key))
    with runner.store.throw_away("validate") as attempt:
        for step in validators:
            # A work directory serves one mount; the changes stay.
            namespaces.remove(attempt / "work")
            (attempt / "work").mkdir()
            try:
                with runner.announced(step):
                    runner.run(stack, step, attempt)
            except Cancelled:
                raise
            except EngineFailed as error:
                error.code = "ValidationFailed"
                return error
    return None
