"""What differs from machine to machine, from `imagebake.yaml` and the environment."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from imagebake.diagnostics import Diagnostic
from imagebake.errors import SpecError, UsageError

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
    subnet: str = ""
    """The resource id of the subnet that machines of drills are put in; needed on Azure only."""
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
    runner: str = "ubuntu-24.04"
    """The label of the runners that workflows run on, unless the variable BAKE_RUNNER says more."""
    signing_key: str = ""
    """A private key (PEM: Ed25519, or ECDSA P-256) that signs provenance; unsigned when empty."""
    trusted_keys: str = ""
    """Public keys (PEM) of which one must have signed; the signing key's own when empty."""
    marketplace: str = ""
    """A JSON file with what the emulator's marketplace offers; nothing when empty."""
    layer_budget_gb: str = "20"
    """How much `inv clean` leaves of cached bases and layers, in GiB."""
    max_artifact_mb: str = "4096"
    """The largest artifact that is downloaded, in MiB."""


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings of the repository at *root*, over which *environment* wins.

    Raises `SpecError` with every mistake in the file, and `UsageError` for one in the
    environment.
    """
    values = _from_file(root / FILE)
    for name in _KNOWN:
        if (value := environment.get(PREFIX + name.upper())) is not None:
            if why := _objection(name, value):
                raise UsageError(f"{PREFIX}{name.upper()} is {value!r}, and {why}")
            values[name] = value
    _refuse_misspelt(environment)
    return Settings(**values)


_KNOWN = {field.name: field for field in dataclasses.fields(Settings)}
_NUMBERS = ("layer_budget_gb", "max_artifact_mb")
_CLOUDS = ("local", "azure")


def _objection(name: str, value: str) -> str | None:
    """Why *value* cannot be the setting *name*."""
    if name == "cloud" and value not in _CLOUDS:
        return "it is 'local' or 'azure'"
    if name in _NUMBERS and not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        return "it is a whole number"
    if name == "runner" and not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
        return "it is a runner's label"
    if any(ord(character) < ord(" ") for character in value):
        return "it is one line"
    return None


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Refuse a variable that is almost one of ours: it would do nothing, silently."""
    known = [PREFIX + name.upper() for name in _KNOWN]
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            match = difflib.get_close_matches(name, known, n=1, cutoff=0.88)
            if match:
                raise UsageError(f"no setting has the variable {name}", hint=f"{match[0]}?")


def _from_file(path: Path) -> dict[str, str]:
    """The settings that the file *path* gives; raises `SpecError` with all its mistakes."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{FILE} cannot be read: {error}") from error
    reader = _Reader(text)
    values = reader.values()
    if reader.wrong:
        raise SpecError(reader.wrong)
    return values


class _Reader:
    """Reads a flat mapping from YAML's events, so that nothing in the file can surprise."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.events = yaml.parse(text, Loader=yaml.SafeLoader)
        self.wrong: list[Diagnostic] = []

    def values(self) -> dict[str, str]:
        """What the file says, as far as it makes sense."""
        try:
            return self._read()
        except yaml.YAMLError as error:
            mark = getattr(error, "context_mark", None) or getattr(error, "problem_mark", None)
            why = getattr(error, "problem", None) or "it cannot be read"
            self._complain(mark, "C001", f"{FILE} is not YAML: {why}")
        except (ValueError, OverflowError):  # PyYAML passes an escape on to Python as it stands
            self._complain(None, "C001", f"{FILE} is not YAML: an escape in it is out of range")
        return {}

    def _read(self) -> dict[str, str]:
        values: dict[str, str] = {}
        events = (event for event in self.events if not isinstance(event, _FRAME))
        if not isinstance(event := next(events, None), yaml.MappingStartEvent):
            if event is not None:
                self._complain(event.start_mark, "C001", f"{FILE} is a mapping of settings")
            return values
        while isinstance(key := next(events), yaml.ScalarEvent):
            value = next(events)
            if not isinstance(value, yaml.ScalarEvent):
                message = f"the setting {key.value!r} is one text"
                self._complain(value.start_mark, "C003", message)
                return values
            self._check(key, value, values)
            values[key.value] = value.value
        return values

    def _check(
        self, key: yaml.ScalarEvent, value: yaml.ScalarEvent, told: Mapping[str, str]
    ) -> None:
        name: str = key.value
        if name not in _KNOWN:
            match = difflib.get_close_matches(name, _KNOWN, n=1)
            hint = f"did you mean {match[0]!r}?" if match else f"settings: {', '.join(_KNOWN)}"
            self._complain(key.start_mark, "C002", f"there is no setting {name!r}", hint, name)
        elif name in told:
            self._complain(key.start_mark, "C002", f"{name!r} is set twice", None, name)
        elif why := _objection(name, value.value):
            message = f"{name!r} is {value.value!r}, and {why}"
            self._complain(value.start_mark, "C003", message, None, value.value)

    def _complain(
        self,
        mark: Any,  # noqa: ANN401 - PyYAML has two classes of marks, alike
        code: str,
        message: str,
        hint: str | None = None,
        word: str = "",
    ) -> None:
        line = mark.line if mark else 0
        self.wrong.append(
            Diagnostic(
                path=FILE,
                line=line + 1,
                column=mark.column + 1 if mark else 1,
                code=code,
                message=message,
                hint=hint,
                source=self.lines[line] if line < len(self.lines) else "",
                width=max(1, len(word)),
            )
        )


_FRAME = (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.StreamEndEvent)
CODES = {
    "C001": "the settings are not a YAML mapping",
    "C002": "a setting is unknown, or set twice",
    "C003": "a setting has a value that it cannot have",
}
"""What can be wrong with the settings, by code."""
