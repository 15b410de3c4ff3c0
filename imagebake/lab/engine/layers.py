"""Run build steps on stacked layers: the changes of a step become the next layer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.host import namespaces
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine.base import USER
from imagebake.lab.engine.errors import Cancelled, EngineFailed
from imagebake.lab.engine.log import Sink
from imagebake.lab.engine.store import Layer, LayerStore
from imagebake.lab.engine.template import BuildStep

_SCRIPT = "/tmp/script_imagebake.sh"  # noqa: S108 - where Packer puts it, beside uploads
_TAIL = 20
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PEOPLE = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"

CREATE_USER = f"""\
#!/bin/sh -e
id -u {USER} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --uid 1000 {USER}
"""
"""The hidden first step: Azure's build machine has this user, its image does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A base, the layers on it, and the two scaffolds between them."""

    base: Layer
    unplugged: Layer
    plugged: Layer
    layers: tuple[Layer, ...] = ()

    def over(self, layer: Layer) -> Stack:
        """Return this stack with *layer* on top."""
        return Stack(
            base=self.base,
            unplugged=self.unplugged,
            plugged=self.plugged,
            layers=(*self.layers, layer),
        )

    def lowers(self, *, network: bool) -> tuple[Path, ...]:
        """The directories below a step, topmost first."""
        scaffold = self.plugged if network else self.unplugged
        return tuple(layer.root for layer in (*reversed(self.layers), scaffold, self.base))

    @property
    def image(self) -> tuple[Path, ...]:
        """The layers of the image itself, topmost first, without a scaffold."""
        return tuple(layer.root for layer in (*reversed(self.layers), self.base))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs steps, and logs their output in the format of Azure's log."""

    store: LayerStore
    mirror: Path | None
    epoch: int
    log: Sink
    cancelled: Callable[[], bool]

    def layer(self, stack: Stack, step: BuildStep, previous: str) -> Layer:
        """Return the layer of *step* on *stack*, from the store if it is there."""

        def make(attempt: Path) -> dict[str, Any]:
            self.run(stack, step, attempt)
            return {"kind": step.provisioner, "name": step.name}

        with self.announced(step) as say:
            layer = self.store.obtain(step.key(previous), make, cancelled=self.cancelled)
            if layer.cached:
                say(f"unchanged: layer {layer.key[:12]}")
        return layer

    def run(self, stack: Stack, step: BuildStep, attempt: Path) -> None:
        """Run *step* on *stack* into *attempt*; raises `EngineFailed` if it fails."""
        if self.cancelled():
            raise Cancelled
        payload = attempt / "payload"
        payload.write_bytes(step.content)
        tail: deque[str] = deque(maxlen=_TAIL)

        def on_line(line: str) -> None:
            tail.append(line)
            print(f"    {step.name}: {line}", file=self.log, flush=True)

        try:
            code = namespaces.run(
                self._sandbox(stack, step, attempt), on_line=on_line, stop=self.cancelled
            )
        except namespaces.Stopped as error:
            raise Cancelled from error
        except namespaces.SandboxFailed as error:
            raise EngineFailed(error.message, step=step.name, hint=error.hint) from error
        payload.unlink()
        if code:
            raise _broke(step, code, "\n".join(tail))

    def _sandbox(self, stack: Stack, step: BuildStep, attempt: Path) -> Sandbox:
        script = step.provisioner == "shell"
        home = "/root" if step.user == "root" else f"/home/{step.user}"
        return Sandbox(
            argv=(_SCRIPT,) if script else (),
            put=_SCRIPT if script else step.destination,
            mode=0o755 if script else 0o644,
            payload=attempt / "payload",
            user=step.user,
            directory=home,
            env={
                "HOME": home,
                "USER": step.user,
                "LOGNAME": step.user,
                "SHELL": "/bin/bash",
                "PATH": _SYSTEM if step.user == "root" else _PEOPLE,
                "LANG": "C.UTF-8",
                "SOURCE_DATE_EPOCH": str(self.epoch),
            },
            network=step.network,
            lowers=stack.lowers(network=step.network),
            upper=attempt / "root",
            work=attempt / "work",
            at=attempt / "at",
            mirror=self.mirror,
        )

    @contextmanager
    def announced(self, step: BuildStep) -> Iterator[Callable[[str], None]]:
        """Log that *step* starts and that it ended, as Azure's log does."""

        def say(text: str) -> None:
            print(f"==> {step.name}: {text}", file=self.log, flush=True)

        print(f"(telemetry) Starting provisioner {step.provisioner}", file=self.log, flush=True)
        say("Provisioning" + (", with the network" if step.network else ""))
        try:
            yield say
        except EngineFailed as error:
            print(f"(telemetry) ending {step.provisioner}", file=self.log, flush=True)
            first = error.message.partition("\n")[0]
            print(f"==> Build 'azure-arm' errored: {first}", file=self.log, flush=True)
            raise
        print(f"(telemetry) ending {step.provisioner}", file=self.log, flush=True)


def _broke(step: BuildStep, code: int, output: str) -> EngineFailed:
    return EngineFailed(
        f"{step.name} ended with exit code {code}" + (f"\n{output}" if output else ""),
        step=step.name,
        output=output,
    )


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
    # Exit code 12: the home directory could not be removed, which happens below.
    userdel --force --remove {USER} 2>/dev/null || [ $? = 12 ]
fi
rm -rf /home/{USER} /var/mail/{USER} /var/lib/sudo/lectured/{USER}
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -f /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old /var/cache/debconf/*-old
rm -f /var/cache/apt/pkgcache.bin /var/cache/apt/srcpkgcache.bin
rm -rf /tmp/* /tmp/.[!.]*
if [ -s /etc/machine-id ]; then : > /etc/machine-id; fi
"""
"""Remove the build user, and files that differ between two builds of the same steps."""

GENERALISE = (
    BuildStep(name="Deprovision", provisioner="shell", content=_DEPROVISION.encode(), user="root"),
    BuildStep(name="Forget the build", provisioner="shell", content=_FORGET.encode(), user="root"),
)
"""The hidden last steps."""


def validate(
    runner: Runner, stack: Stack, validators: Sequence[BuildStep], key: str, create_user: BuildStep
) -> EngineFailed | None:
    """Run *validators* in order, each on the changes of the one before; return the first failure.

    None of their changes reaches the image. They get the build user back, which generalising
    removed. Raises `Cancelled` only.
    """
    stack = stack.over(runner.layer(stack, create_user, key))
    with runner.store.temporary_tree("validate") as attempt:
        for step in validators:
            # A work directory serves one mount only; the changes, in the upper one, stay.
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
