"""The bake plan: everything that a bake will do, decided before any effect."""

from __future__ import annotations

import enum
import shlex
import urllib.parse
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError

from imagebake.kernel.digest import canonical_json, sha256_json
from imagebake.spec.lock import BASE, Artifact, Bundle, Lock
from imagebake.spec.model.base import Grown, Value
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.outputs import TargetRegion
from imagebake.spec.model.steps import Fetched, Placed, RestartTerms, UpdateTerms

MIRROR_LINE = "mirror=@imagebake-mirror@"
"""The line of a script that receives the mirror's address, which is not part of the bake key."""

WINDOWS_MIRROR_LINE = "$mirror = '@imagebake-mirror@'"
"""The same line in PowerShell."""


class StepKind(enum.StrEnum):
    """Kinds of customizers and validators, in Azure Image Builder's spelling."""

    SHELL = "Shell"
    POWERSHELL = "PowerShell"
    FILE = "File"
    RESTART = "WindowsRestart"
    UPDATE = "WindowsUpdate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One customizer or validator as it will run; *text* may contain the `MIRROR_LINE`.

    A step without a script of its own describes its request in *text*, so that plans can be
    compared: *fetched*, *restart* or *update*.
    """

    name: str
    text: str
    kind: StepKind = StepKind.SHELL
    elevated: bool = False
    as_system: bool = False
    exit_codes: tuple[int, ...] = ()
    fetched: Fetched | None = None
    restart: RestartTerms | None = None
    update: UpdateTerms | None = None

    @property
    def is_inline(self) -> bool:
        """Whether the template carries the text itself, line by line."""
        return self.kind in (StepKind.SHELL, StepKind.POWERSHELL) and self.fetched is None

    @property
    def identity(self) -> list[Any]:
        """The values that distinguish the step; of a plain script its name and text."""
        asked = [self.kind.value, self.elevated, self.as_system, list(self.exit_codes)]
        plain = asked == ["Shell", False, False, []] and self.is_inline
        return [self.name, self.text, *([] if plain else asked)]

    def lines(self, mirror_url: str, reader: str = "") -> tuple[str, ...]:
        """Return the script for Image Builder's `inline`, installing from *mirror_url*.

        *reader* is the id of the identity that reads the mirror: on a machine with several, the
        metadata service refuses a token request without a name. Lines are split at newlines
        only: a manifest may hold the other characters that Unicode breaks lines at.
        """
        quoted = mirror_url.replace("'", "''")
        named = f"&msi_res_id={urllib.parse.quote(reader, safe='')}" if reader else ""
        addresses = {
            MIRROR_LINE: f"mirror={shlex.quote(mirror_url)} reader='{named}'",
            WINDOWS_MIRROR_LINE: f"$mirror = '{quoted}'; $reader = '{named}'",
        }
        lines = self.text.removesuffix("\n").split("\n")
        return tuple(addresses.get(line, line) for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class BakePlan:
    """The result of one bake, and the key under which it is found again.

    *bundles* are the base's, then those that the customizers install from, in order. The last
    customizer writes the deprovisioning script; *validators* run on a machine made from the
    result. *manifest* is the file that the image carries. *rendered_by* identifies the
    renderer, where that is known.
    """

    spec: ImageSpec
    lock: Lock
    lock_sha256: str
    spec_sha256: str
    bundles: tuple[Bundle, ...]
    customizers: tuple[Script, ...]
    validators: tuple[Script, ...]
    manifest: bytes
    rendered_by: str | None = None

    @property
    def base(self) -> Bundle:
        """The packages from which the local builder makes the base image."""
        return Bundle(self.lock.base.packages)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Everything that the bake needs before it starts."""
        return self.lock.artifacts

    @property
    def bake_key(self) -> str:
        """The digest of the lock and every script: equal keys mean equal images."""
        return sha256_json(
            {
                "lock": self.lock_sha256,
                "customizers": [script.identity for script in self.customizers],
                "validators": [script.identity for script in self.validators],
            }
        )

    @property
    def template_name(self) -> str:
        """The image template's name, one for each key: a template cannot be updated."""
        # 40 + 1 + 16 characters: Azure allows 64.
        return f"{self.spec.name[:40]}-{self.bake_key[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The target of a plan: what differs between subscriptions and bakes.

    *identity* is the resource id of the user-assigned identity of the service, and
    *build_identity* that of the build machine (the same where empty); *image_version_id* is the
    full ARM id of the version to create, which must not exist; *tags* are added to the spec's
    own.
    """

    location: str
    identity: str
    image_version_id: str
    mirror_url: str
    regions: tuple[TargetRegion, ...]
    tags: tuple[tuple[str, str], ...]
    build_identity: str = ""


PLAN = "plan.json"
"""Name of the record with a version's plan, next to its manifest."""


class _KeptScript(Grown):
    later: ClassVar[frozenset[str]] = frozenset(
        {"kind", "elevated", "as_system", "exit_codes", "fetched", "restart", "update"}
    )

    name: str
    text: str
    kind: Annotated[StepKind, Field(strict=False)] = StepKind.SHELL
    elevated: bool = False
    as_system: bool = False
    exit_codes: tuple[int, ...] = ()
    fetched: Placed | Fetched | None = None
    restart: RestartTerms | None = None
    update: UpdateTerms | None = None


class _KeptPlan(Value):
    plan_version: Literal[1] = 1
    spec: ImageSpec
    lock: Lock
    customizers: tuple[_KeptScript, ...]
    validators: tuple[_KeptScript, ...]
    manifest: str


def plan_record(plan: BakePlan) -> bytes:
    """Return the record of *plan*: its spec, its lock and every script, verbatim."""
    kept = _KeptPlan(
        spec=plan.spec,
        lock=plan.lock,
        customizers=_kept(plan.customizers),
        validators=_kept(plan.validators),
        manifest=plan.manifest.decode(),
    )
    return canonical_json(kept.to_json())


def read_plan(content: bytes | None) -> BakePlan | None:
    """Return the plan in a record; None where this imagebake cannot read it.

    Digests are computed again from the content, never taken from the record.
    """
    if not content:
        return None
    try:
        kept = _KeptPlan.model_validate_json(content)
    except ValidationError:
        return None
    return BakePlan(
        spec=kept.spec,
        lock=kept.lock,
        lock_sha256=kept.lock.sha256,
        spec_sha256=sha256_json(kept.spec.to_json()),
        bundles=tuple(
            Bundle(step.packages)
            for step in sorted(kept.lock.steps, key=lambda step: step.name != BASE)
        ),
        customizers=_scripts(kept.customizers),
        validators=_scripts(kept.validators),
        manifest=kept.manifest.encode(),
    )


def _kept(scripts: tuple[Script, ...]) -> tuple[_KeptScript, ...]:
    return tuple(
        _KeptScript(**{name: getattr(script, name) for name in _KeptScript.model_fields})
        for script in scripts
    )


def _scripts(kept: tuple[_KeptScript, ...]) -> tuple[Script, ...]:
    return tuple(
        Script(**{name: getattr(script, name) for name in _KeptScript.model_fields})
        for script in kept
    )
