"""Turn discovered VM settings into findings: one function per kind of setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from imagebake.audit import findings
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
_CLOUD_CONFIG_KEYS = (
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
_PACKAGE_MANAGERS = re.compile(
    r"\b(?:yum|dnf|zypper|tdnf|apk)\s+(?:-\S+\s+)*(?:install|update|upgrade|add)\b"
)
_SHELL = re.compile(r"\b(?:ba|da|z)?sh\s+-[a-z]*c\s+[\"']?")


def decode_start_script(text: str) -> str:
    """Return *text* as the machine reads it, decoded where it is base 64."""
    if _BASE64.fullmatch(text):
        try:
            return base64_decode("".join(text.split()))
        except ValueError:
            return text
    return text


def find_start_downloads(text: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a start script that download, each with what it does."""
    cloud_config = "#cloud-config" in text
    include = text.lstrip().startswith("#include")
    for line in text.splitlines():
        if cloud_config and (what := _cloud_config_download(line)):
            yield line, what
        elif include and _INCLUDE.match(line.strip()):
            yield line, "it includes what another host has"
        elif found := find_download(_shell_command(line) if cloud_config else line):
            yield line, f"it downloads with {found}"


def find_download(line: str) -> str | None:
    """Return the program that a command line of Linux or Windows downloads with, if any."""
    # A longer line is data; the bound keeps the expressions below fast.
    line = line[:_LONGEST_LINE]
    if line.lstrip().startswith("#"):
        return None
    if found := _WINDOWS.search(line):
        return found[0].split()[0]
    if found := _PACKAGE_MANAGERS.search(line):
        return found[0].split()[0]
    return download_in(line) or download_in(_SHELL.sub("; ", line).replace('"', ""))


def _cloud_config_download(line: str) -> str:
    """Return what a top-level key of a cloud-config downloads; empty for other lines."""
    return next((what for key, what in _CLOUD_CONFIG_KEYS if key.match(line)), "")


def _shell_command(line: str) -> str:
    """Return a list item of a cloud-config as the shell command that it runs."""
    text = _ITEM.sub("", line).strip()
    if listed := _LIST.match(text):
        return _QUOTES.sub(" ", listed[1]).strip()
    return text.strip("\"'")


ReplacementLookup = Callable[[str, str], tuple[str, bool]]
"""For a publisher and type: the advised replacement, and whether it needs an identity."""

_ADDRESS_KEYS = frozenset({"fileuris", "url", "modulesurl", "scripturi", "sourceuri"})
_COMMAND_KEYS = ("commandToExecute", "script", "inline", "commandLine")
_BRANCH_ADDRESS = re.compile(r"/(?:master|main|latest|HEAD|refs/heads/[^/]+)/", re.IGNORECASE)
_GALLERY = re.compile(
    r"/galleries/[^/]+/images/[^/]+(?:/versions/(?P<version>[^/]+))?$", re.IGNORECASE
)
_EXCERPT_LENGTH = 80
_ARM_PINNED = ("autoUpgradeMinorVersion: false", "enableAutomaticUpgrade: false")
_TERRAFORM_PINNED = ("auto_upgrade_minor_version = false", "automatic_upgrade_enabled = false")


def find_dependencies(
    found: DiscoveredExtension | DiscoveredImage | DiscoveredStartScript,
    replacement: ReplacementLookup,
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    """Yield the runtime dependencies of one discovered setting, and its unresolved parts."""
    if isinstance(found, DiscoveredExtension):
        yield from _extension(found, replacement)
    elif isinstance(found, DiscoveredImage):
        yield from _image(found)
    else:
        yield from _start_script(found)


def unresolved_place(found: Unresolved) -> UnresolvedPlace:
    """Return the report's entry for a part that could not be read."""
    return _unresolved(found, found.what, found.why)


def _unresolved(
    node: Node | Unresolved | DiscoveredExtension, what: str, why: str
) -> UnresolvedPlace:
    line, column = node.source.position(node.at)
    return UnresolvedPlace(
        path=node.source.path,
        line=line,
        column=column,
        what=display_text(what),
        why=display_text(why),
    )


def _extension(
    found: DiscoveredExtension, replacement: ReplacementLookup
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    # A ternary or a loop gives several types; the first one decides the advice.
    publishers, types = texts_of(found.publisher), texts_of(found.type)
    kind = " or ".join(types) or "an extension of a type that is not known"
    publisher = " or ".join(publishers)
    instead, identity = replacement(publishers[0] if publishers else "", types[0] if types else "")
    owner = f"the {found.machine} {_display_name(found.name)}".rstrip()
    finding = _FindingBuilder(found, f"{publisher}.{kind}" if publisher else kind)
    outage = findings.EXTENSION.outage
    # Of a scale set it was the added instances that came up and never became ready.
    if found.machine == SCALE_SET:
        outage = outage.replace("machines were created", "every instance that was added came up")
    if identity:
        outage += "; on 3 February the token that it needs was missing for 5 h 57 min"
    if found.context.policy:
        yield finding(
            findings.EXTENSION,
            found,
            f"a policy brings {kind} to machines",
            outage="machines were created; the policy's own deployments failed",
            instead="leave it there, if no machine is made to wait for it",
            severity=Severity.WARNING,
        )
    else:
        where = _circumstances(found)
        message = f"{owner} waits for {kind}{where}"
        yield finding(findings.EXTENSION, found, message, outage=outage, instead=instead)
    if not types:
        why = found.type.why if isinstance(found.type, UnknownValue) else "it is not written out"
        yield _unresolved(found, f"the type of an extension on {owner}", why)
    yield from _unpinned(found, kind, finding)
    yield from _downloads(found, kind, finding)


def _display_name(name: str) -> str:
    """Return *name*, or an empty text where it holds no letter that a person could search for."""
    return name if re.search(r"\w", name) else ""


def _circumstances(found: DiscoveredExtension) -> str:
    """State in brackets whether the extension is in a loop or on a condition."""
    context = found.context
    circumstances = [
        *(("in a loop",) if context.repeated else ()),
        *(("on a condition",) if context.conditional else ()),
    ]
    return f" ({', '.join(circumstances)})" if circumstances else ""


class _FindingBuilder:
    """Builds the findings about one discovered setting."""

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
        line, column = place.source.position(at)
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
            source=place.source.line_at(at),
            via=self.via,
        )


def _unpinned(
    found: DiscoveredExtension, kind: str, finding: _FindingBuilder
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    """Yield findings on a version that a deployment chooses, or that upgrades itself."""
    words = _TERRAFORM_PINNED if found.source.path.endswith(".tf") else _ARM_PINNED
    pinned = f"write {words[0]}, and the version with all of its numbers"
    if found.minor is None:
        if found.minor_absent:
            yield finding(
                findings.MINOR, found, f"{kind} may move: unsaid means yes", instead=pinned
            )
    elif True in map(as_bool, options_of(found.minor)):
        yield finding(findings.MINOR, found.minor, f"{kind} takes any newer minor", instead=pinned)
    elif as_bool(found.minor) is None:
        yield from _unresolved_value(found.minor, f"whether {kind} takes newer minors")
    off = f"write {words[1]}; move it with the image"
    if found.automatic is None:
        if found.automatic_absent == "on":
            message = f"{kind} upgrades itself: unsaid means yes from API 2025-04-01 on"
            yield finding(findings.AUTOMATIC, found, message, instead=off)
        elif found.automatic_absent == "unspecified":
            message = f"nothing keeps {kind} from upgrading itself from API 2025-04-01 on"
            yield finding(
                findings.AUTOMATIC, found, message, instead=off, severity=Severity.WARNING
            )
    elif True in map(as_bool, options_of(found.automatic)):
        yield finding(findings.AUTOMATIC, found.automatic, f"{kind} upgrades itself", instead=off)
    elif as_bool(found.automatic) is None:
        yield from _unresolved_value(found.automatic, f"whether {kind} upgrades itself")
    yield from _version(found, kind, finding)


def _version(
    found: DiscoveredExtension, kind: str, finding: _FindingBuilder
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    for option in options_of(found.version):
        text = text_of(option)
        if text is None:
            yield from _unresolved_value(option, f"the version of {kind}")
        elif not HANDLER.fullmatch(text):
            yield finding(
                findings.INEXACT,
                option,
                f"{text!r} of {kind} is only the beginning of a version",
                instead="write the version with all of its numbers, such as 2.1.10.0",
            )


def _unresolved_value(node: Node, what: str) -> Iterator[UnresolvedPlace]:
    if isinstance(node, UnknownValue):
        yield _unresolved(node, f"{what} ({node.text})", node.why)


def _downloads(
    found: DiscoveredExtension, kind: str, finding: _FindingBuilder
) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    """Yield what the settings of an extension make it download."""
    for settings in found.settings:
        for option in options_of(settings):
            table = embedded_document(option)
            if isinstance(table, ObjectValue):
                yield from _addresses(table, kind, finding)
                yield from _commands(table, kind, finding)
            elif isinstance(option, UnknownValue):
                yield _unresolved(
                    option, f"settings of {kind} ({option.text[:_EXCERPT_LENGTH]})", option.why
                )


def _addresses(
    table: ObjectValue, kind: str, finding: _FindingBuilder
) -> Iterator[RuntimeDependency]:
    for inside in walk(table):
        for key, member in inside.entries.items() if isinstance(inside, ObjectValue) else ():
            if key not in _ADDRESS_KEYS:
                continue
            for item in items_of(member.value):
                address = item.text if isinstance(item, UnknownValue) else text_of(item)
                if address:
                    named = display_text(address[:_EXCERPT_LENGTH])
                    yield finding(
                        findings.FILES,
                        item,
                        f"{kind} fetches {named}{_moving_branch(address)}",
                        instead="pin the file by its sha256, and bake it",
                    )


def _moving_branch(address: str) -> str:
    """Warn of an address on a branch, whose content changes without notice."""
    return ", which may be another file tomorrow" if _BRANCH_ADDRESS.search(address) else ""


def _commands(
    table: ObjectValue, kind: str, finding: _FindingBuilder
) -> Iterator[RuntimeDependency]:
    for key in _COMMAND_KEYS:
        for option in options_of(lookup(table, key)):
            text = option.text if isinstance(option, UnknownValue) else text_of(option)
            for line in decode_start_script(text).splitlines() if text else ():
                if program := find_download(line):
                    yield finding(
                        findings.COMMAND,
                        option,
                        f"{kind} runs a command that downloads with {program}",
                        instead="pin what it fetches, and bake it",
                        at=_offset_of(option, line),
                    )


def _start_script(found: DiscoveredStartScript) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    finding = _FindingBuilder(found, f"{found.kind} of {found.name or found.machine}")
    for option in options_of(found.text):
        text = option.text if isinstance(option, UnknownValue) else text_of(option)
        # A text that is partly known is searched in its known parts.
        if isinstance(option, UnknownValue) and "${…}" not in option.text:
            yield _unresolved(
                option, f"the {finding.subject} ({option.text[:_EXCERPT_LENGTH]})", option.why
            )
            continue
        for line, what in find_start_downloads(decode_start_script(text or "")):
            yield finding(
                findings.START,
                option,
                f"the {found.kind} of {found.machine} {found.name}: {what}",
                instead="pin it and bake it; leave to the first start what differs by machine",
                at=_offset_of(option, line),
            )


def _offset_of(node: Node, line: str) -> int:
    """Return where *line* of a text stands in the file, else where the text begins."""
    wanted = line.strip()
    if not wanted or not isinstance(node, Literal | UnknownValue):
        return node.at
    found = node.source.text.find(wanted.split("${…}")[0] or wanted, node.at)
    return found if found >= 0 else node.at


def _image(found: DiscoveredImage) -> Iterator[RuntimeDependency | UnresolvedPlace]:
    words = [" or ".join(texts_of(part)) for part in found.parts]
    shown_as = ":".join(word for word in words if word) or found.name or found.machine
    finding = _FindingBuilder(found, shown_as)
    pin = "write the exact version, or make an image of your own from a spec"
    moving = [text for text in texts_of(found.version) if text.lower() == "latest"]
    if moving:
        owner = f"{found.machine} {_display_name(found.name)}".rstrip()
        yield finding(
            findings.LATEST, found, f"{owner} is made from the latest {shown_as}", instead=pin
        )
    elif isinstance(found.version, UnknownValue):
        yield _unresolved(found.version, f"the version of {shown_as}", found.version.why)
    for option in options_of(found.id):
        text = text_of(option)
        if text is None:
            if isinstance(option, UnknownValue) and found.version is None:
                yield _unresolved(
                    option, f"the image of {found.machine} {_display_name(found.name)}", option.why
                )
            continue
        match = _GALLERY.search(text)
        version = match["version"] if match else None
        if match and (version is None or version.lower() == "latest"):
            message = f"{found.machine} {found.name} is made from the newest version of an image"
            yield finding(
                findings.LATEST, option, message, instead="name the version: …/versions/1.2.3"
            )
