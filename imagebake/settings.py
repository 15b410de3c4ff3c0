"""What differs from machine to machine, from `imagebake.yaml` and the environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from imagebake.errors import UsageError

FILE = "imagebake.yaml"
PREFIX = "IMAGEBAKE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with the value it has when nobody says otherwise.

    A field `cloud` is the key `cloud` of `imagebake.yaml` and the variable
    `IMAGEBAKE_CLOUD`, which wins. Nothing here is a secret.
    """

    cloud: str = "local"
    """`local` (the emulator on this machine) or `azure`."""
    subscription: str = "00000000-0000-0000-0000-000000000000"
    """The subscription's id."""
    resource_group: str = "imagebake"
    """The resource group of the gallery and the image templates."""
    location: str = "westeurope"
    """The region of the gallery and the builds."""
    gallery: str = "imagebake"
    """The gallery's name."""
    identity: str = ""
    """The resource id of the user-assigned identity that image templates run as."""
    mirror_url: str = ""
    """The address of the mirror that an Azure build installs from."""
    state: str = ""
    """The state directory; `.imagebake` beside `image_specs` when empty."""
    archive: str = ""
    """An apt source file (deb822) to lock from; the machine's own sources when empty."""
    keyring: str = ""
    """The keyring that archives are verified with; what each source names when empty."""
    snapshot: str = ""
    """The address of a dated archive to lock from instead, with `{archive}` where its name goes."""
    layer_budget_gb: str = "20"
    """How much `inv clean` leaves of cached bases and layers, in GiB."""
    max_artifact_mb: str = "4096"
    """The largest artifact that is downloaded, in MiB."""


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings of the repository at *root*; raises `UsageError` on unknown keys."""
    path = root / FILE
    told: dict[str, Any] = {}
    if path.is_file():
        try:
            told = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{FILE} is not YAML: {error}") from error
    known = {field.name for field in dataclasses.fields(Settings)}
    unknown = sorted(set(told) - known) if isinstance(told, dict) else ["(not a mapping)"]
    if unknown:
        raise UsageError(
            f"{FILE} has no setting {unknown[0]!r}", hint=f"settings: {', '.join(sorted(known))}"
        )
    values = {name: str(value) for name, value in told.items()}
    for name in known:
        if (value := environment.get(PREFIX + name.upper())) is not None:
            values[name] = value
    settings = Settings(**values)
    if settings.cloud not in ("local", "azure"):
        raise UsageError(f"cloud is {settings.cloud!r}", hint="it is 'local' or 'azure'")
    return settings
