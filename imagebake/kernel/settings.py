"""Settings of a repository and machine, from `imagebake.yaml` and the environment."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError, UsageError

FIELDS = ("from", "until", "timezone", "owner", "reason")
"""Fields of a freeze, in the order in which they are written."""
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A period from *begins* until before *ends*, both in UTC; *timezone* is that of the file."""

    begins: dt.datetime
    ends: dt.datetime
    timezone: str
    owner: str
    reason: str


def objection(name: str, value: str) -> str | None:
    """Return why *value* cannot be the field *name* of a freeze; None where it can."""
    if not value.strip():
        return "it says nothing"
    if any(ord(character) < ord(" ") for character in value):
        return "it is one line"
    if name in ("from", "until"):
        return None if _wall_time(value) else "it is a date and a time, such as 2026-12-20T00:00"
    if name == "timezone":
        return _unknown_zone(value)
    return None


def freeze_of(fields: Mapping[str, str]) -> Freeze | str:
    """Return the freeze of complete and valid *fields*, or why there is none.

    Where the clocks change, an ambiguous or missing wall time is read so that the freeze is
    longer.
    """
    begins = min(_instants(fields["from"], fields["timezone"]))
    ends = max(_instants(fields["until"], fields["timezone"]))
    if ends <= begins:
        return "it ends before it begins"
    return Freeze(
        begins=begins,
        ends=ends,
        timezone=fields["timezone"],
        owner=fields["owner"],
        reason=fields["reason"],
    )


def _wall_time(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None
    # A day of room on both sides, so that no time zone leads out of the calendar.
    return found if found and dt.MINYEAR < found.year < dt.MAXYEAR else None


def _instants(text: str, timezone: str) -> tuple[dt.datetime, ...]:
    """Return the instants of a wall time: two where the clocks change."""
    wall, zone = dt.datetime.fromisoformat(text), zoneinfo.ZoneInfo(timezone)
    return tuple(wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))


def _unknown_zone(name: str) -> str | None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        if not known:
            return "this machine has no time zones: apt-get install tzdata"
        near = difflib.get_close_matches(name, known, n=1)
        return "there is no such time zone" + (f": did you mean {near[0]!r}?" if near else "")
    return None


FILE = "imagebake.yaml"
PREFIX = "IMAGEBAKE_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default.

    A field `cloud` is the key `cloud` of `imagebake.yaml` and the variable `IMAGEBAKE_CLOUD`,
    which takes precedence. No setting is a secret.
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
    second_gallery: str = ""
    """The name of a second gallery for recovery (docs/how-to/recovery.md); none when empty."""
    second_resource_group: str = "imagebake-second"
    """The resource group of the second gallery."""
    second_location: str = "northeurope"
    """The region of the second gallery; it must differ from the first's."""
    in_use: str = "first"
    """The gallery of `status`, `rotate`, `promote`, `rollback` and `hold`: `first` or `second`."""
    identity: str = ""
    """The resource id of the user-assigned identity that image templates run as."""
    register_providers: str = "no"
    """`yes` registers missing resource providers; otherwise a bake lists them and stops."""
    build_identity: str = ""
    """The resource id of the build machine's identity, which reads the mirror; `identity` when
    empty.
    """
    subnet: str = ""
    """The resource id of the subnet for machines of drills and heartbeats; may contain `{region}`.
    """
    mirror_url: str = ""
    """The address of the mirror that an Azure build installs from."""
    state: str = ""
    """The state directory; `.imagebake` beside `image_specs` when empty."""
    archive: str = ""
    """An apt source file (deb822) to lock from; the machine's own sources when empty."""
    keyring: str = ""
    """The keyring that verifies archives; the sources' own when empty."""
    snapshot: str = ""
    """The address of a dated archive to lock from, with `{archive}` in place of its name."""
    repository: str = ""
    """OWNER/NAME of the GitHub repository whose workflows log in; the clone's when empty."""
    resource_tags: str = ""
    """Tags of the resources that `bootstrap` creates, as `name=value` with commas."""
    runner: str = "ubuntu-24.04"
    """The label of the workflows' runners, unless the variable BAKE_RUNNER overrides it."""
    signing_key: str = ""
    """A private key (PEM: Ed25519, or ECDSA P-256) that signs provenance; unsigned when empty."""
    trusted_keys: str = ""
    """Public keys (PEM), one of which must have signed; the signing key's own when empty."""
    marketplace: str = ""
    """A JSON file with the images of the emulator's marketplace; none when empty."""
    layer_budget_gb: str = "20"
    """How many GiB of cached bases and layers `inv clean` keeps."""
    max_artifact_mb: str = "4096"
    """The largest artifact that is downloaded, in MiB."""
    boot_limit_seconds: str = "300"
    """How long `inv validate --boot` waits for a disk to boot, in seconds."""
    freezes: tuple[Freeze, ...] = ()
    """Periods without promotions and retirements, only in the file: docs/concepts/rollout.md."""


def load(root: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings of the repository at *root*; *environment* takes precedence.

    Raises `SpecError` with every mistake in the file, and `UsageError` for one in the
    environment.
    """
    values, freezes = _from_file(root / FILE)
    for name in _KNOWN:
        if (value := environment.get(PREFIX + name.upper())) is not None:
            if why := _objection(name, value):
                raise UsageError(f"{PREFIX}{name.upper()} is {value!r}, and {why}")
            values[name] = value
    _refuse_misspelt(environment)
    return Settings(**values, freezes=freezes)


FREEZES = "freezes"
_KNOWN = tuple(field.name for field in dataclasses.fields(Settings) if field.name != FREEZES)
_NUMBERS = ("layer_budget_gb", "max_artifact_mb", "boot_limit_seconds")
_CHOICES = {"cloud": "local azure", "in_use": "first second", "register_providers": "yes no"}


def _objection(name: str, value: str) -> str | None:
    """Return why *value* cannot be the setting *name*; None where it can."""
    if (choices := _CHOICES.get(name, "").split()) and value not in choices:
        return f"it is {' or '.join(map(repr, choices))}"
    if name in _NUMBERS and not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        return "it is a whole number"
    if name == "runner" and not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
        return "it is a runner's label"
    if any(ord(character) < ord(" ") for character in value):
        return "it is one line"
    return None


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Refuse a variable with almost the name of a setting: it would have no effect."""
    if PREFIX + FREEZES.upper() in environment:
        raise UsageError("freezes are not set by a variable", hint=f"write them into {FILE}")
    known = [PREFIX + name.upper() for name in _KNOWN]
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            match = difflib.get_close_matches(name, known, n=1, cutoff=0.88)
            if match:
                raise UsageError(f"no setting has the variable {name}", hint=f"{match[0]}?")


def _from_file(path: Path) -> tuple[dict[str, str], tuple[Freeze, ...]]:
    """Return the settings in the file *path*; raises `SpecError` with all its mistakes."""
    if not path.is_file():
        return {}, ()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{FILE} cannot be read: {error}") from error
    reader = _SettingsReader(text)
    values = reader.values()
    if reader.wrong:
        raise SpecError(reader.wrong)
    return values, tuple(reader.freezes)


class _SettingsReader:
    """Reads a mapping of texts and the freezes from YAML's events, never building objects."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        parsed = yaml.parse(text, Loader=yaml.SafeLoader)
        self.events = (event for event in parsed if not isinstance(event, _FRAME))
        self.wrong: list[Diagnostic] = []
        self.freezes: list[Freeze] = []

    def values(self) -> dict[str, str]:
        """Return the valid settings of the file."""
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
        if not isinstance(event := next(self.events, None), yaml.MappingStartEvent):
            if event is not None:
                self._complain(event.start_mark, "C001", f"{FILE} is a mapping of settings")
            return values
        seen: set[str] = set()
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            name = _text(key)
            self._skip(key)
            value = next(self.events)
            if name == FREEZES and name not in seen:
                self._freezes(value)
            elif self._check(key, name, value, seen):
                values[name] = _text(value)
            seen.add(name)
        return values

    def _check(self, key: yaml.Event, name: str, value: yaml.Event, seen: set[str]) -> bool:
        """Return whether *value* is valid for the setting *name*."""
        self._skip(value)
        if name not in (*_KNOWN, FREEZES):
            message, hint = f"there is no setting {name!r}", _instead(name, _KNOWN, "settings")
            self._complain(key.start_mark, "C002", message, hint, name)
        elif name in seen:
            self._complain(key.start_mark, "C002", f"{name!r} is set twice", None, name)
        elif not isinstance(value, yaml.ScalarEvent):
            self._complain(value.start_mark, "C003", f"the setting {name!r} is one text")
        elif why := _objection(name, text := _text(value)):
            message = f"{name!r} is {text!r}, and {why}"
            self._complain(value.start_mark, "C003", message, None, text)
        else:
            return True
        return False

    def _freezes(self, event: yaml.Event) -> None:
        if not isinstance(event, yaml.SequenceStartEvent):
            self._skip(event)
            if not isinstance(event, yaml.ScalarEvent) or event.value:
                self._complain(event.start_mark, "C004", "freezes are a list", _FREEZE)
            return
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            if isinstance(event, yaml.MappingStartEvent):
                self._freeze(event)
            else:
                self._skip(event)
                self._complain(event.start_mark, "C004", "a freeze is a mapping", _FREEZE)

    def _freeze(self, start: yaml.Event) -> None:
        fields: dict[str, str] = {}
        before = len(self.wrong)
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            name = _text(key)
            self._skip(key)
            value = next(self.events)
            self._skip(value)
            text = _text(value)
            if name not in FIELDS:
                message, hint = f"a freeze has no {name!r}", _instead(name, FIELDS, "a freeze has")
                self._complain(key.start_mark, "C004", message, hint, name)
            elif name in fields:
                self._complain(key.start_mark, "C004", f"{name!r} is set twice", None, name)
            elif why := objection(name, text):
                message = f"{name!r} is {text!r}, and {why}"
                self._complain(value.start_mark, "C004", message, None, text)
            fields[name] = text
        if lacking := [name for name in FIELDS if name not in fields]:
            message = f"the freeze does not say {', '.join(map(repr, lacking))}"
            self._complain(start.start_mark, "C004", message)
        if len(self.wrong) == before:
            found = freeze_of(fields)
            if isinstance(found, Freeze):
                self.freezes.append(found)
            else:
                self._complain(start.start_mark, "C004", f"of this freeze: {found}")

    def _skip(self, event: yaml.Event) -> None:
        """Read to the end of the node that *event* begins."""
        depth = int(isinstance(event, yaml.CollectionStartEvent))
        while depth:
            event = next(self.events)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)

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


def _text(event: yaml.Event) -> str:
    return event.value if isinstance(event, yaml.ScalarEvent) else ""


def _instead(name: str, known: tuple[str, ...], what: str) -> str:
    match = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {match[0]!r}?" if match else f"{what}: {', '.join(known)}"


_FREEZE = f"a list of mappings with {', '.join(FIELDS)}: docs/concepts/rollout.md"
_FRAME = (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.StreamEndEvent)
CODES = {
    "C001": "the settings are not a YAML mapping",
    "C002": "a setting is unknown, or set twice",
    "C003": "a setting has a value that it cannot have",
    "C004": "a freeze lacks something, or says what it cannot",
}
"""Diagnostics of settings, by code."""
