"""From what is found to what is owed: one function for each kind of thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from imagebake.audit import findings as rules
from imagebake.audit.findings import DependencyRule, RuntimeDependency, UnresolvedPlace
from imagebake.audit.languages.functions import base64_decode
from imagebake.audit.languages.nodes import (
    Literal,
    Node,
    ObjectValue,
    UnknownValue,
    items_of,
    lookup,
    options_of,
    text_of,
    texts_of,
    walk,
)
from imagebake.audit.languages.values import as_bool
from imagebake.audit.library import embedded_document
from imagebake.audit.model import (
    SCALE_SET,
    DiscoveredExtension,
    DiscoveredImage,
    DiscoveredStartScript,
    Unresolved,
)
from imagebake.audit.source import display_text, strip_control_characters
from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.text.versions import HANDLER
from imagebake.spec.model.steps import download_in

_LONGEST_LINE = 4096
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{16,}")
_KEYS = (
    (re.compile(r"packages\s*:"), "it installs packages"),
    (
        re.compile(r"(?:package|apt)_(?:update|upgrade)\s*:\s*(?:true|yes|on)\b", re.IGNORECASE),
        "it updates",
    ),
    (re.compile(r"snap\s*:"), "it installs snaps"),
    (re.compile(r"(?:apt|yum_repos|zypper)\s*:"), "it adds archives"),
    (re.compile(r"(?:ansible|chef|puppet|salt_minion)\s*:"), "it installs an agent"),
)
_INCLUDE = re.compile(r"#include|https?://")
_ITEM = re.compile(r"^\s*(?:-\s+)*")
_LIST = re.compile(r"^\[(.*)\]\s*$")
_QUOTES = re.compile(r"[\"',]+")
_WINDOWS = re.compile(
    r"\b(?:Invoke-WebRequest|Invoke-RestMethod|iwr|irm|Start-BitsTransfer|DownloadFile|"
    r"DownloadString|Install-Module|Install-Package|Install-PackageProvider|"
    r"choco(?:latey)?(?:\.exe)?\s+(?:install|upgrade)|winget(?:\.exe)?\s+(?:install|upgrade)|"
    r"bitsadmin)\b",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:yum|dnf|zypper|tdnf|apk)\s+(?:-\S+\s+)*(?:install|update|upgrade|add)\b")
_SHELL = re.compile(r"\b(?:ba|da|z)?sh\s+-[a-z]*c\s+[\"']?")


def decode_start_script(text: str) -> str:
    """*text* as a machine reads it: what is in base 64 is decoded."""
    if _BASE64.fullmatch(text):
        try:
            return base64_decode("".join(text.split()))
        except ValueError:
            return text
    return text


def find_start_downloads(text: str) -> Iterator[tuple[str, str]]:
    """The lines of *text* that make a machine download, each with what it does."""
    cloud_config = "#cloud-config" in text
    include = text.lstrip().startswith("#include")
    for line in text.splitlines():
        if cloud_config and (what := _key(line)):
            yield line, what
        elif include and _INCLUDE.match(line.strip()):
            yield line, "it includes what another host has"
        elif found := find_download(_command(line) if cloud_config else line):
            yield line, f"it downloads with {found}"


def find_download(line: str) -> str | None:
    """The program that a command line of either system fetches with."""
    line = line[:_LONGEST_LINE]
    if line.lstrip().startswith("#"):
        return None
    if found := _WINDOWS.search(line):
        return found[0].split()[0]
    if found := _MORE.search(line):
        return found[0].split()[0]
    return download_in(line) or download_in(_SHELL.sub("; ", line).replace('"', ""))


def _key(line: str) -> str:
    """What a key of a cloud-config does; only those that stand at the beginning count."""
    return next((what for key, what in _KEYS if key.match(line)), "")


def _command(line: str) -> str:
    """A command of a cloud-config as a shell would have it."""
    text = _ITEM.sub("", line).strip()
    if listed := _LIST.match(text):
        return _QUOTES.sub(" ", listed[1]).strip()
    return text.strip("\"'")


ReplacementLookup = Callable[[str, str], tuple[str, bool]]
"""For a publisher and a type: what takes their place, and whether they need an identity."""

_ADDRESSES = frozenset({"fileuris", "url", "modulesurl", "scripturi", "sourceuri"})
_COMMANDS = ("commandToExecute", "script", "inline", "commandLine")
_MOVING = re.compile(r"/(?:master|main|latest|HEAD|refs/heads/[^/]+)/", re.IGNORECASE)
_GALLERY = re.compile(
    r"/galleries/[^/]+/images/[^/]+(?:/versions/(?P<version>[^/]+))?$", re.IGNORECASE
)
_WIDEST = 80
_ARM = ("autoUpgradeMinorVersion: false", "enableAutomaticUpgrade: false")
_TERRAFORM = ("auto_upgrade_minor_version = false", "automatic_upgrade_enabled = false")


def find_dependencies(
    found: DiscoveredExtension | DiscoveredImage | DiscoveredStartScript, advice: ReplacementLookup
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    """What is owed because of one thing."""
    if isinstance(found, DiscoveredExtension):
        yield from _extension(found, advice)
    elif isinstance(found, DiscoveredImage):
        yield from _image(found)
    else:
        yield from _start(found)


def unresolved_place(found: Unresolved) -> UnresolvedPlace:
    """What could not be looked into, at its place."""
    return _gap(found, found.what, found.why)


def _gap(node: Node | Unresolved | DiscoveredExtension, what: str, why: str) -> UnresolvedPlace:
    line, column = node.source.place(node.at)
    return UnresolvedPlace(
        path=node.source.path,
        line=line,
        column=column,
        what=display_text(what),
        why=display_text(why),
    )


def _extension(
    found: DiscoveredExtension, advice: ReplacementLookup
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    publishers, types = texts_of(found.publisher), texts_of(found.type)
    kind = " or ".join(types) or "an extension of a type that is not known"
    publisher = " or ".join(publishers)
    instead, identity = advice(publishers[0] if publishers else "", types[0] if types else "")
    owner = f"the {found.machine} {_named(found.name)}".rstrip()
    debt = _Debts(found, f"{publisher}.{kind}" if publisher else kind)
    outage = rules.EXTENSION.outage
    if found.machine == SCALE_SET:
        outage = outage.replace("machines were created", "every instance that was added came up")
    if identity:
        outage += "; on 3 February the token that it needs was missing for 5 h 57 min"
    if found.context.policy:
        yield debt(
            rules.EXTENSION,
            found,
            f"a policy brings {kind} to machines",
            outage="machines were created; the policy's own deployments failed",
            instead="leave it there, if no machine is made to wait for it",
            severity=Severity.WARNING,
        )
    else:
        where = _circumstances(found)
        message = f"{owner} waits for {kind}{where}"
        yield debt(rules.EXTENSION, found, message, outage=outage, instead=instead)
    if not types:
        why = found.type.why if isinstance(found.type, UnknownValue) else "it is not written out"
        yield _gap(found, f"the type of an extension on {owner}", why)
    yield from _moving(found, kind, debt)
    yield from _fetched(found, kind, debt)


def _named(name: str) -> str:
    """A name, unless there is nothing in it that a person could look for."""
    return name if re.search(r"\w", name) else ""


def _circumstances(found: DiscoveredExtension) -> str:
    context = found.context
    said = [
        *(("in a loop",) if context.repeated else ()),
        *(("on a condition",) if context.conditional else ()),
    ]
    return f" ({', '.join(said)})" if said else ""


class _Debts:
    """Makes the debts of one thing."""

    def __init__(
        self, found: DiscoveredExtension | DiscoveredImage | DiscoveredStartScript, subject: str
    ) -> None:
        self.via = found.context.via
        self.subject = subject

    def __call__(
        self,
        rule: DependencyRule,
        place: Node | DiscoveredExtension | DiscoveredImage | DiscoveredStartScript,
        message: str,
        *,
        instead: str,
        outage: str = "",
        severity: Severity | None = None,
        at: int | None = None,
    ) -> RuntimeDependency:
        at = place.at if at is None else at
        line, column = place.source.place(at)
        return RuntimeDependency(
            rule=rule,
            severity=severity or rule.severity,
            path=place.source.path,
            line=line,
            column=column,
            subject=display_text(self.subject),
            message=strip_control_characters(message),
            outage=outage or rule.outage,
            instead=instead,
            source=place.source.line(at),
            via=self.via,
        )


def _moving(
    found: DiscoveredExtension, kind: str, debt: _Debts
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    """Whether the version is exact, and stays where it is."""
    words = _TERRAFORM if found.source.path.endswith(".tf") else _ARM
    pinned = f"write {words[0]}, and the version with all of its numbers"
    if found.minor is None:
        if found.minor_absent:
            yield debt(rules.MINOR, found, f"{kind} may move: unsaid means yes", instead=pinned)
    elif True in map(as_bool, options_of(found.minor)):
        yield debt(rules.MINOR, found.minor, f"{kind} takes any newer minor", instead=pinned)
    elif as_bool(found.minor) is None:
        yield from _unsaid(found.minor, f"whether {kind} takes newer minors")
    off = f"write {words[1]}; move it with the image"
    if found.automatic is None:
        if found.automatic_absent == "on":
            message = f"{kind} upgrades itself: unsaid means yes from API 2025-04-01 on"
            yield debt(rules.AUTOMATIC, found, message, instead=off)
        elif found.automatic_absent == "unsaid":
            message = f"nothing keeps {kind} from upgrading itself from API 2025-04-01 on"
            yield debt(rules.AUTOMATIC, found, message, instead=off, severity=Severity.WARNING)
    elif True in map(as_bool, options_of(found.automatic)):
        yield debt(rules.AUTOMATIC, found.automatic, f"{kind} upgrades itself", instead=off)
    elif as_bool(found.automatic) is None:
        yield from _unsaid(found.automatic, f"whether {kind} upgrades itself")
    yield from _version(found, kind, debt)


def _version(
    found: DiscoveredExtension, kind: str, debt: _Debts
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    for option in options_of(found.version):
        text = text_of(option)
        if text is None:
            yield from _unsaid(option, f"the version of {kind}")
        elif not HANDLER.fullmatch(text):
            yield debt(
                rules.INEXACT,
                option,
                f"{text!r} of {kind} is only the beginning of a version",
                instead="write the version with all of its numbers, such as 2.1.10.0",
            )


def _unsaid(node: Node, what: str) -> Iterator[UnresolvedPlace]:
    if isinstance(node, UnknownValue):
        yield _gap(node, f"{what} ({node.text})", node.why)


def _fetched(
    found: DiscoveredExtension, kind: str, debt: _Debts
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    """What the settings of an extension make it fetch."""
    for settings in found.settings:
        for one in options_of(settings):
            table = embedded_document(one)
            if isinstance(table, ObjectValue):
                yield from _files(table, kind, debt)
                yield from _commands(table, kind, debt)
            elif isinstance(one, UnknownValue):
                yield _gap(one, f"settings of {kind} ({one.text[:_WIDEST]})", one.why)


def _files(table: ObjectValue, kind: str, debt: _Debts) -> Iterator[RuntimeDependency]:
    for inside in walk(table):
        for key, one in inside.entries.items() if isinstance(inside, ObjectValue) else ():
            if key not in _ADDRESSES:
                continue
            for item in items_of(one.value):
                address = item.text if isinstance(item, UnknownValue) else text_of(item)
                if address:
                    named = display_text(address[:_WIDEST])
                    yield debt(
                        rules.FILES,
                        item,
                        f"{kind} fetches {named}{_where(address)}",
                        instead="pin the file by its sha256, and bake it",
                    )


def _where(address: str) -> str:
    return ", which may be another file tomorrow" if _MOVING.search(address) else ""


def _commands(table: ObjectValue, kind: str, debt: _Debts) -> Iterator[RuntimeDependency]:
    for key in _COMMANDS:
        for option in options_of(lookup(table, key)):
            text = option.text if isinstance(option, UnknownValue) else text_of(option)
            for line in decode_start_script(text).splitlines() if text else ():
                if program := find_download(line):
                    yield debt(
                        rules.COMMAND,
                        option,
                        f"{kind} runs a command that downloads with {program}",
                        instead="pin what it fetches, and bake it",
                        at=_place(option, line),
                    )


def _start(found: DiscoveredStartScript) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    debt = _Debts(found, f"{found.kind} of {found.name or found.machine}")
    for option in options_of(found.text):
        text = option.text if isinstance(option, UnknownValue) else text_of(option)
        if isinstance(option, UnknownValue) and "${…}" not in option.text:
            yield _gap(option, f"the {debt.subject} ({option.text[:_WIDEST]})", option.why)
            continue
        for line, what in find_start_downloads(decode_start_script(text or "")):
            yield debt(
                rules.START,
                option,
                f"the {found.kind} of {found.machine} {found.name}: {what}",
                instead="pin it and bake it; leave to the first start what differs by machine",
                at=_place(option, line),
            )


def _place(node: Node, line: str) -> int:
    """Where *line* of a text stands, if it stands there as it is."""
    wanted = line.strip()
    if not wanted or not isinstance(node, Literal | UnknownValue):
        return node.at
    found = node.source.text.find(wanted.split("${…}")[0] or wanted, node.at)
    return found if found >= 0 else node.at


def _image(found: DiscoveredImage) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    words = [" or ".join(texts_of(part)) for part in found.parts]
    shown_as = ":".join(word for word in words if word) or found.name or found.machine
    debt = _Debts(found, shown_as)
    pin = "write the exact version, or make an image of your own from a spec"
    moving = [one for one in texts_of(found.version) if one.lower() == "latest"]
    if moving:
        owner = f"{found.machine} {_named(found.name)}".rstrip()
        yield debt(rules.LATEST, found, f"{owner} is made from the latest {shown_as}", instead=pin)
    elif isinstance(found.version, UnknownValue):
        yield _gap(found.version, f"the version of {shown_as}", found.version.why)
    for option in options_of(found.id):
        text = text_of(option)
        if text is None:
            if isinstance(option, UnknownValue) and found.version is None:
                yield _gap(option, f"the image of {found.machine} {_named(found.name)}", option.why)
            continue
        match = _GALLERY.search(text)
        version = match["version"] if match else None
        if match and (version is None or version.lower() == "latest"):
            message = f"{found.machine} {found.name} is made from the newest version of an image"
            yield debt(rules.LATEST, option, message, instead="name the version: …/versions/1.2.3")
