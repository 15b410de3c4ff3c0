"""The tasks `add` and `remove`: add a pin to a spec or remove it, and relock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pydantic

from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.lock.selection import find_spec
from imagebake.pins.bump import named_version, require_known
from imagebake.pins.pin_status import PinStatus, read_statuses
from imagebake.pins.pinned_items import pinned_item
from imagebake.pins.transaction import SpecOutcome, SpecTransaction, commit_transaction
from imagebake.spec.catalogue.components import CATALOGUE, LINUX
from imagebake.spec.edit import PinValue, add_entry, remove_entry
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import AgentPin, ExtensionPin, FilePin, PackagePin

_Pin = PackagePin | AgentPin | ExtensionPin | FilePin

_HANDLER = re.compile(r"([A-Za-z0-9.]+)\.([A-Za-z0-9]+)")
_KEYS = (
    *("agent", "package", "file", "publisher", "type", "version", "sha256", "destination"),
    *("mode", "redirects", "owner", "reason", "review_by"),
)
_ANY = {PackagePin: "0-0", AgentPin: "0-0", ExtensionPin: "0.0.0"}
"""Placeholder version for asking which versions exist; it is written nowhere."""


def add(
    image: Annotated[str, Word(IMAGE)] = "",
    pin: Annotated[
        str,
        Word(
            "a Debian package, an agent of the catalogue, an extension's PUBLISHER.TYPE, or the"
            " https address of a file"
        ),
    ] = "",
    *,
    to: Annotated[
        str, Flag("its version (default: the newest that the spec allows; a file's must be given)")
    ] = "",
    mode: Annotated[
        str, Flag("how an extension is delivered: native or absent; or a file's permissions")
    ] = "",
    sha256: Annotated[str, Flag("the digest of a file, as its publisher gives it")] = "",
    destination: Annotated[str, Flag("where a file is in the image")] = "",
    redirects: Annotated[
        str, Flag("the other hosts that a file's server may send downloads to")
    ] = "",
    owner: Annotated[str, Flag("who answers for it (default: the spec's owner)")] = "",
    reason: Annotated[str, Flag("why the image has it")] = "",
    review_by: Annotated[str, Flag("the day by which the pin is reviewed again")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Pin *pin* in the spec of *image*, at *to* or at the newest version that it allows.

    A file is named by its address, and its version and digest have to be given: no source
    publishes them in a form that could be read.
    """
    flags = {
        "sha256": sha256,
        "destination": destination,
        "mode": mode,
        "redirects": redirects,
        "owner": owner,
        "reason": reason,
        "review_by": review_by,
    }
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    given = {name: text for name, text in flags.items() if text}
    if pin.startswith("https://"):
        key, entry, version = "pins", _file(spec, pin, to, given), to
    else:
        key, entry, version = _found(context, spec, pin, to, given)
    changes = SpecTransaction()
    path = context.workspace.specs / f"{spec.name}.yaml"
    changes.add(add_entry(path, key, entry, root=context.workspace.root))
    _print(
        commit_transaction(context, spec, changes),
        {"pin": pin, "version": version},
        as_json=as_json,
    )


def remove(
    image: Annotated[str, Word(IMAGE)] = "",
    pin: Annotated[str, Word("a pin, or an extension's PUBLISHER.TYPE")] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Take *pin* out of the spec of *image*."""
    context = open_context(quiet=as_json)
    spec = find_spec(context, image)
    if not pin:
        raise UsageError("name a pin", hint=f"pins: {', '.join(_names(spec))}")
    key = "extensions" if pin in {extension.handler for extension in spec.extensions} else "pins"
    changes = SpecTransaction()
    path = context.workspace.specs / f"{spec.name}.yaml"
    changes.add(remove_entry(path, key, pin, root=context.workspace.root))
    _print(commit_transaction(context, spec, changes), {"pin": pin}, as_json=as_json)


def _found(
    context: Context, spec: ImageSpec, pin: str, to: str, given: Mapping[str, str]
) -> tuple[str, dict[str, PinValue], str]:
    """Return the list that *pin* belongs to, its entry there, and its version."""
    key, entry = _entry(spec, pin, given)
    kind = _kind(key, entry)
    asked = _read(kind, entry | {"version": _ANY[kind]})
    (found,) = read_statuses(
        context,
        [pinned_item(spec, asked, CATALOGUE.pinned(spec.gallery.is_windows).values())],
        refresh=False,
    )
    require_known(spec.name, found)
    version = named_version(found, to).version if to else _newest(found)
    whole = _in_order(entry | {"version": version})
    _read(kind, whole)
    return key, whole, version


def _file(spec: ImageSpec, address: str, to: str, given: Mapping[str, str]) -> dict[str, PinValue]:
    """Return the entry of `pins` for the file at *address*."""
    missing = [flag for flag, text in (("--to", to), *_needed(given)) if not text]
    if missing:
        raise UsageError(
            f"say of the file {address} also {', '.join(missing)}",
            hint="--to VERSION --sha256 DIGEST --destination PATH; the digest as its publisher"
            " gives it",
        )
    entry: dict[str, PinValue] = {"file": address, "version": to, **given}
    if hosts := given.get("redirects"):
        entry["redirects"] = tuple(hosts.replace(",", " ").split())
    _read(FilePin, entry)
    name = address.rpartition("/")[2]
    if name in _names(spec):
        raise UsageError(f"{spec.name} pins {name} already", hint="edit the spec, and lock it")
    return _in_order(entry)


def _needed(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"--{name}", given.get(name, "")) for name in ("sha256", "destination"))


def _entry(spec: ImageSpec, pin: str, flags: Mapping[str, str]) -> tuple[str, dict[str, PinValue]]:
    """Return the list that *pin* belongs to, and its entry without a version."""
    if not pin:
        raise UsageError("name a pin", hint="./inv add IMAGE PIN")
    if pin in _names(spec):
        raise UsageError(f"{spec.name} pins {pin} already", hint=f"./inv bump {spec.name} moves it")
    given: dict[str, PinValue] = dict(flags)
    if others := [name for name in ("sha256", "destination", "redirects") if name in given]:
        raise UsageError(f"--{others[0]} is about files", hint="a file is named by its address")
    mode = given.pop("mode", "")
    if pin in LINUX:
        entry: dict[str, PinValue] = {"agent": pin}
    elif (found := _HANDLER.fullmatch(pin)) and pin != pin.lower():
        if mode not in ("native", "absent"):
            raise UsageError(
                f"say how {pin} is delivered", hint="--mode native or --mode absent; cached by hand"
            )
        return "extensions", {"publisher": found[1], "type": found[2], "mode": mode, **given}
    else:
        entry = {"package": pin}
    if mode:
        raise UsageError("--mode is about extensions", hint=f"{pin} is not PUBLISHER.TYPE")
    return "pins", entry | given


def _names(spec: ImageSpec) -> tuple[str, ...]:
    return (*(pin.name for pin in spec.pins), *(extension.handler for extension in spec.extensions))


def _kind(key: str, entry: Mapping[str, PinValue]) -> type[PackagePin | AgentPin | ExtensionPin]:
    if key == "extensions":
        return ExtensionPin
    return AgentPin if "agent" in entry else PackagePin


def _read(kind: type[_Pin], entry: Mapping[str, Any]) -> _Pin:
    """Parse *entry* as a pin; raises `UsageError` where it is invalid."""
    try:
        return kind.model_validate(dict(entry))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}"
        ) from error


def _newest(found: PinStatus) -> str:
    if found.decision.allowed:
        return found.decision.allowed.version
    raise ValidationFailed(
        f"no version of {found.item.name} is adopted: {found.why or 'there is none'}",
        hint="--to VERSION names one all the same",
    )


def _in_order(entry: Mapping[str, PinValue]) -> dict[str, PinValue]:
    return {key: entry[key] for key in _KEYS if key in entry}


def _print(outcome: SpecOutcome, facts: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json({**facts, **outcome.to_json()})
        return
    print(outcome.diff, end="")
