"""What is found in somebody's files: resources, and what they make machines depend on."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from imagebake.audit.languages.nodes import Node, ObjectValue, UnknownValue
from imagebake.audit.source import SourceText

MACHINE, SCALE_SET = "virtual machine", "scale set"
RUN_COMMAND = ("Microsoft.CPlat.Core", "RunCommandHandlerLinux")
"""The handler that Azure brings with a run command; Windows has one of its own."""


class ResourceContext(NamedTuple):
    """Under which circumstances something is there.

    *via* is the call of the module that it is in, and of the module that is in. *policy* says
    that a policy attaches it, later than creation.
    """

    via: tuple[str, ...] = ()
    repeated: bool = False
    conditional: bool = False
    policy: bool = False


class TemplateResource(NamedTuple):
    """A resource as Azure Resource Manager takes it; *kind* is its type in lower case."""

    source: SourceText
    at: int
    kind: str
    api: str
    name: str
    body: ObjectValue
    context: ResourceContext


class DiscoveredExtension(NamedTuple):
    """An extension, or something that is one in truth, on a machine or on a scale set.

    It stands where its type is written; in a module, where what the module is given is.
    *minor* and *automatic* say whether it may move at deployment and afterwards; where they
    are not written, *minor_absent* and *automatic_absent* say what that means.
    """

    source: SourceText
    at: int
    machine: str
    name: str
    publisher: Node | None
    type: Node | None
    version: Node | None
    minor: Node | None
    automatic: Node | None
    settings: tuple[Node, ...]
    context: ResourceContext
    minor_absent: bool = False
    automatic_absent: str = "off"


class DiscoveredImage(NamedTuple):
    """The image that something is made from: *parts* of a reference, or an *id*."""

    source: SourceText
    at: int
    machine: str
    name: str
    parts: tuple[Node | None, ...]
    version: Node | None
    id: Node | None
    context: ResourceContext


class DiscoveredStartScript(NamedTuple):
    """What a machine is told to do at its first start; *encoded* in base 64 or not."""

    source: SourceText
    at: int
    machine: str
    name: str
    kind: str
    text: Node
    context: ResourceContext


class Unresolved(NamedTuple):
    """Something that may hide what is looked for, and why it was not looked into."""

    source: SourceText
    at: int
    what: str
    why: str


Discovered = DiscoveredExtension | DiscoveredImage | DiscoveredStartScript | Unresolved


class TemplateFiles(Protocol):
    """Who reads the files that other files name."""

    def read(self, path: str) -> SourceText | None:
        """The text of the file at *path*; None where there is none that may be read."""

    def folder(self, path: str) -> tuple[str, ...]:
        """The paths of the Terraform files of a folder; none where there is no such folder."""


def location_text(source: SourceText, at: int) -> str:
    """How a place is named among others: `main.bicep:12:1`."""
    line, column = source.place(at)
    return f"{source.path}:{line}:{column}"


def unresolved_loop(gap: UnknownValue) -> Unresolved:
    """That nobody knows how often a loop goes round."""
    return Unresolved(gap.source, gap.at, f"a loop over {gap.text.rstrip(' :{[(')}", gap.why)
