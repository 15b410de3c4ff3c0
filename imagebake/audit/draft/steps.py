"""Read the customizers and validators of a template as steps of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from imagebake.audit.draft.model import DraftFile, DraftStep
from imagebake.audit.draft.template import ImportNotes
from imagebake.audit.languages.nodes import (
    ListValue,
    Node,
    ObjectValue,
    UnknownValue,
    items_of,
    lookup,
    text_of,
)
from imagebake.audit.languages.values import as_bool
from imagebake.kernel.text import constrained
from imagebake.kernel.text.constrained import redacted
from imagebake.spec.model.steps import COMMAND, download_in

WINDOWS_STEP_TYPES = frozenset({"powershell", "windowsrestart", "windowsupdate"})
_TIMEOUT = re.compile(r"[1-9][0-9]{0,4}[smh]")
_MOST_UPDATES = 1000


def read_run_options(item: ObjectValue, label: str, notes: ImportNotes) -> dict[str, Any]:
    """Return how a PowerShell step runs, where it differs from the default."""
    found: dict[str, Any] = {
        key: True
        for key, field in (("elevated", "runElevated"), ("as_system", "runAsSystem"))
        if (flag := lookup(item, field)) is not None and as_bool(flag)
    }
    codes = [
        code
        for item_code in items_of(lookup(item, "validExitCodes"))
        if (code := notes.read_number(item_code, f"an exit code of {label}")) is not None
    ]
    return found | ({"exit_codes": codes} if codes else {})


def read_restart(item: ObjectValue, label: str, notes: ImportNotes) -> Mapping[str, Any]:
    """Return the fields of a `WindowsRestart` step."""
    terms = _texts(
        item, label, {"command": "restartCommand", "check": "restartCheckCommand"}, notes
    )
    place = lookup(item, "restartTimeout")
    timeout = notes.read_text(place, f"the time that {label} has")
    if place is not None and timeout and not _TIMEOUT.fullmatch(timeout):
        hint = "a number and 's', 'm' or 'h', such as '30m'"
        notes.add_finding("I114", place, f"{timeout[:40]!r} is no time that a spec has", hint)
    elif timeout:
        terms["timeout"] = timeout
    return {"restart": terms}


def read_update(item: ObjectValue, label: str, notes: ImportNotes) -> Mapping[str, Any]:
    """Return the fields of a `WindowsUpdate` step."""
    terms = _texts(item, label, {"search": "searchCriteria"}, notes)
    filters = [
        text
        for filter_text in items_of(lookup(item, "filters"))
        if (text := _text(filter_text, f"a filter of {label}", notes))
    ]
    if filters:
        terms["filters"] = filters
    limit = notes.read_number(lookup(item, "updateLimit"), f"the limit of {label}")
    if limit is not None and 1 <= limit <= _MOST_UPDATES:
        terms["limit"] = limit
    return {"update": terms}


def _texts(
    item: ObjectValue, label: str, fields: Mapping[str, str], notes: ImportNotes
) -> dict[str, Any]:
    return {
        key: text
        for key, field in fields.items()
        if (text := _text(lookup(item, field), f"{field} of {label}", notes))
    }


def _text(node: Node | None, what: str, notes: ImportNotes) -> str | None:
    """Read a single line without a secret."""
    text = notes.read_text(node, what)
    if node is None or text is None:
        return None
    if kind := notes.secret_in(text):
        hint = "revoke it; fetch it at run time with a managed identity"
        notes.add_finding("I109", node, f"{what} has a secret in it: {kind}", hint)
        return None
    if not text.isprintable():
        notes.add_finding(
            "I114", node, f"{what} cannot be in a spec", "one line without control characters"
        )
        return None
    return text


def is_windows(properties: Node | None, source: Mapping[str, Any]) -> bool:
    """Return whether a template makes a Windows image, by its source or its steps."""
    words = " ".join(str(source.get(key, "")) for key in ("publisher", "offer")).lower()
    steps = (
        *items_of(lookup(properties, "customize")),
        *items_of(lookup(properties, "validate", "inVMValidations")),
    )
    kinds = {(text_of(lookup(step, "type")) or "").lower() for step in steps}
    return "windows" in words or bool(kinds & WINDOWS_STEP_TYPES)


_ADDRESS = re.compile(
    r"https://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9_.~!$&'()*+,;=:%-]+)*/(?!\.)([A-Za-z0-9_.+~-]+)"
)
_PLACE = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.+@-]{1,100}){1,20}")
_DRIVE = re.compile(r"[A-Za-z]:([\\/](?!\.{1,2}([\\/]|$))[A-Za-z0-9_.+@ -]{1,100}){1,20}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_INSTALL = re.compile(
    COMMAND + r"(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*install\s+(?P<words>[^;&|<>]*)"
)
_PACKAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?:=(?P<version>\S+))?")
_LONGEST = 8192
# Directory of pinned scripts in the image, whose template gives them no destination.
_SCRIPTS = "/usr/local/lib/image-scripts"
_PIN = "pin it as 'file' with its sha256, and run it from there"


class DraftSteps(NamedTuple):
    """Steps of a spec, the files that they need, and the packages to pin."""

    steps: tuple[DraftStep, ...]
    files: tuple[DraftFile, ...]
    packages: tuple[str, ...]


def read_steps(node: Node | None, what: str, notes: ImportNotes, *, windows: bool) -> DraftSteps:
    """Read the steps of the list *node*; *what* is the word for a step in messages."""
    reader = _StepReader(notes, what, windows=windows)
    if isinstance(node, ListValue):
        for number, item in enumerate(node.items, start=1):
            reader.read(item, number)
    elif node is not None and text_of(node) != "":
        notes.read_text(node, f"the list of {what}s")
    return DraftSteps(
        tuple(reader.steps),
        tuple(reader.files),
        tuple(dict.fromkeys(reader.packages)),
    )


class _StepReader:
    def __init__(self, notes: ImportNotes, what: str, *, windows: bool) -> None:
        self.notes = notes
        self.what = what
        self.steps: list[DraftStep] = []
        self.files: list[DraftFile] = []
        self.packages: list[str] = []
        self.windows = windows

    def read(self, item: Node, number: int) -> None:
        """Read one step."""
        if not isinstance(item, ObjectValue):
            why = item.why if isinstance(item, UnknownValue) else "it is no object"
            self.notes.add_finding(
                "I110", item, f"{self.what} {number} is not known: {why}", "write it"
            )
            return
        kind = text_of(lookup(item, "type")) or ""
        given_name = self.notes.read_text(lookup(item, "name"), f"the name of {self.what} {number}")
        name = self.unique_name(given_name or f"{self.what}-{number}")
        label = f"{self.what} {given_name or number}"
        if self.windows:
            self.windows_step(item, kind, name, label)
        elif kind.lower() == "shell" and "scripturi" in item.entries:
            self.script_step(item, name, label)
        elif kind.lower() == "shell":
            self.inline_step(item, name, label, {})
        elif kind.lower() == "file":
            self.file_step(item, label)
        else:
            self.unsupported(item, kind, label)

    def windows_step(self, item: ObjectValue, kind: str, name: str, label: str) -> None:
        """Read a step of a Windows image.

        Files are downloaded by Azure, by digest: the mirror serves only pins to a Windows build.
        """
        match kind.lower():
            case "powershell" if "scripturi" in item.entries:
                self.download_step(
                    item, name, label, "script", read_run_options(item, label, self.notes)
                )
            case "powershell":
                self.inline_step(item, name, label, read_run_options(item, label, self.notes))
            case "file":
                self.download_step(item, name, label, "upload", {})
            case "windowsrestart":
                self.steps.append(DraftStep(name=name, asks=read_restart(item, label, self.notes)))
            case "windowsupdate":
                self.steps.append(DraftStep(name=name, asks=read_update(item, label, self.notes)))
            case "shell":
                hint = "write it in PowerShell"
                message = f"{label} is for Linux (Shell), and the image is Windows"
                self.notes.add_finding("I101", item, message, hint)
                self.notes.leave_out(item, label, "Shell is for Linux")
            case _:
                self.unsupported(item, kind, label)

    def unsupported(self, item: ObjectValue, kind: str, label: str) -> None:
        """Add a finding on a step of an unknown kind."""
        hint = "Shell and File are known, PowerShell, WindowsRestart and WindowsUpdate"
        self.notes.add_finding("I102", item, f"{label} is of the kind {kind!r}", hint)
        self.notes.leave_out(item, label, "its kind is not known")

    def download_step(
        self, item: ObjectValue, name: str, label: str, key: str, asks: Mapping[str, Any]
    ) -> None:
        """Add a step for a script or file that Azure downloads, by its digest."""
        address = "scriptUri" if key == "script" else "sourceUri"
        file = self.pinned_file(item, address, label, mode="0644")
        if file is not None:
            upload = {"file": file.file, "sha256": file.sha256}
            if key == "upload":
                upload["destination"] = file.destination
            self.steps.append(DraftStep(name=name, asks={key: upload, **asks}))

    def unique_name(self, given_name: str) -> str:
        """Return a step name made of *given_name* that no other step has."""
        base = step_name(given_name)
        taken = {step.name for step in self.steps}
        found, number = base, 2
        while found in taken:
            suffix = f"-{number}"
            found, number = base[: 63 - len(suffix)] + suffix, number + 1
        return found

    def inline_step(
        self, item: ObjectValue, name: str, label: str, asks: Mapping[str, Any]
    ) -> None:
        """Add a step for an inline script."""
        lines: list[str] = []
        network = False
        inline = lookup(item, "inline")
        for line_node in inline.items if isinstance(inline, ListValue) else (inline or item,):
            text = (
                self.notes.read_text(line_node, f"a line of {label}")
                if inline is not None
                else None
            )
            if text is None:
                self.notes.leave_out(item, label, "not all of its lines are known")
                return
            if not self.is_allowed(line_node, text, label):
                self.notes.leave_out(item, label, "one of its lines cannot be in a spec")
                return
            lines += (line.rstrip("\r") for line in text.split("\n") if line.strip())
            network = self.needs_network(line_node, text, label) or network
        if not lines:
            self.notes.leave_out(item, label, "it does nothing")
            return
        self.steps.append(DraftStep(name=name, inline=tuple(lines), network=network, asks=asks))

    def is_allowed(self, node: Node, text: str, label: str) -> bool:
        """Return whether a spec may hold *text*; add a finding where not."""
        if kind := self.notes.secret_in(text):
            hint = "revoke it; fetch it at run time with a managed identity"
            self.notes.add_finding("I109", node, f"{label} has a secret in it: {kind}", hint)
            return False
        if _CONTROL.search(text) or any(len(line) > _LONGEST for line in text.split("\n")):
            hint = f"no control characters, at most {_LONGEST} characters a line"
            self.notes.add_finding("I114", node, f"a line of {label} cannot be in a spec", hint)
            return False
        return True

    def needs_network(self, node: Node, text: str, label: str) -> bool:
        """Return whether *text* needs the network; add findings on what it installs."""
        # A commented-out command downloads nothing.
        found = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
        for line in found:
            if pins := packages_in(line):
                self.packages += pins
                hint = "pin them as 'package' with their exact versions, and take the line out"
                message = f"{label} installs {', '.join(pins)}"
                self.notes.add_finding("I108", node, message, hint, error=False)
        programs = [program for line in found if (program := download_in(line))]
        if programs:
            hint = "pin what it fetches; else say in the spec's 'reason' why that cannot be"
            message = f"{label} downloads with {programs[0]}"
            self.notes.add_finding("I107", node, message, hint, error=False)
        return bool(programs)

    def script_step(self, item: ObjectValue, name: str, label: str) -> None:
        """Read a script by address: with a checksum, a pinned file and a step that runs it."""
        file = self.pinned_file(item, "scriptUri", label, mode="0755")
        if file is None:
            return
        self.files.append(file)
        self.steps.append(DraftStep(name=name, inline=(file.destination,), network=False))

    def file_step(self, item: ObjectValue, label: str) -> None:
        """Read a file by address."""
        file = self.pinned_file(item, "sourceUri", label, mode="0644")
        if file is None:
            return
        self.files.append(file)
        if file.destination.startswith("/tmp/"):  # noqa: S108 - where the service puts them
            hint = "give it the destination that a later step copies it to"
            place = lookup(item, "destination") or item
            message = f"{label} puts a file into /tmp, where it would stay in the image"
            self.notes.add_finding("I114", place, message, hint, error=False)

    def pinned_file(
        self, item: ObjectValue, key: str, label: str, *, mode: str
    ) -> DraftFile | None:
        """Return the file that a step downloads; None, with a finding, if it cannot be pinned."""
        address = lookup(item, key) or item
        text = self.notes.read_text(lookup(item, key), f"the address of {label}")
        if text is None:
            self.notes.leave_out(item, label, "its address is not known")
            return None
        match = _ADDRESS.fullmatch(text)
        if match is None or self.notes.secret_in(text):
            hint = "an https address without query; put the file where such a one is"
            shown = redacted(text)[:80]
            self.notes.add_finding(
                "I104", address, f"{label} fetches {shown}, which no pin can name", hint
            )
            self.notes.leave_out(item, label, "its address cannot be pinned")
            return None
        digest = self.notes.read_text(lookup(item, "sha256Checksum"), f"the checksum of {label}")
        if digest is None or not constrained.SHA256.fullmatch(digest.lower()):
            message = (
                f"{label} fetches {match[1]} without a checksum: it may be another one tomorrow"
            )
            self.notes.add_finding("I103", address, message, _PIN)
            self.notes.leave_out(item, label, "what it fetches has no sha256")
            return None
        destination = f"{_SCRIPTS}/{match[1]}"
        if key == "sourceUri":
            destination = (
                self.notes.read_text(lookup(item, "destination"), f"the place of {label}") or ""
            )
        if not (_DRIVE if self.windows and key == "sourceUri" else _PLACE).fullmatch(destination):
            where = lookup(item, "destination") or item
            hint = "a plain absolute path: letters, digits and '_.+@-' between slashes"
            self.notes.add_finding("I114", where, f"{label} has no place that a pin can name", hint)
            self.notes.leave_out(item, label, "its destination cannot be in a spec")
            return None
        return DraftFile(file=text, sha256=digest.lower(), destination=destination, mode=mode)


def packages_in(line: str) -> tuple[str, ...]:
    """Return the packages that a line installs, with versions where it states them."""
    return tuple(_packages(line))


def _packages(line: str) -> Iterator[str]:
    for install in _INSTALL.finditer(line):
        for word in install["words"].replace("\\", " ").split():
            if match := _PACKAGE.fullmatch(word.strip("\"'")):
                yield match[0]


def step_name(text: str) -> str:
    """Return *text* as the name of a step: words in lower case, with dashes between them."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    found = re.sub(r"[^a-z0-9]+", "-", apart.lower()).strip("-")[:63].strip("-")
    return found or "step"
