"""VM settings discovered in templates: extensions, images, start scripts, unresolved parts."""

from __future__ import annotations

from typing import NamedTuple

from imagebake.audit.languages.nodes import Node, ObjectValue, UnknownValue
from imagebake.audit.source import SourceText

MACHINE, SCALE_SET = "virtual machine", "scale set"
RUN_COMMAND = ("Microsoft.CPlat.Core", "RunCommandHandlerLinux")
"""Publisher and type of the handler that Azure installs for a run command on Linux."""


class ResourceContext(NamedTuple):
    """Circumstances in which a resource is deployed.

    *via* lists the module calls that lead to it, outermost first. *policy* says that a policy
    attaches it after the machine was created.
    """

    via: tuple[str, ...] = ()
    repeated: bool = False
    conditional: bool = False
    policy: bool = False


class AuditedResource(NamedTuple):
    """A resource as Azure Resource Manager takes it; *kind* is its type in lower case."""

    source: SourceText
    at: int
    kind: str
    api: str
    name: str
    body: ObjectValue
    context: ResourceContext


class DiscoveredExtension(NamedTuple):
    """An extension, or a run command, on a machine or on a scale set.

    Its position is that of its type; in a module, that of the argument which sets the type.
    *minor* and *automatic* say whether its version may change at deployment and afterwards;
    where they are not written, *minor_absent* and *automatic_absent* give the default.
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
    """The image that a machine or template is made from: *parts* of a reference, or an *id*."""

    source: SourceText
    at: int
    machine: str
    name: str
    parts: tuple[Node | None, ...]
    version: Node | None
    id: Node | None
    context: ResourceContext


class DiscoveredStartScript(NamedTuple):
    """Custom data or user data, which a machine runs at its first start."""

    source: SourceText
    at: int
    machine: str
    name: str
    kind: str
    text: Node
    context: ResourceContext


class Unresolved(NamedTuple):
    """A part of a template that could not be read, and why."""

    source: SourceText
    at: int
    what: str
    why: str


Discovered = DiscoveredExtension | DiscoveredImage | DiscoveredStartScript | Unresolved


def location_text(source: SourceText, at: int) -> str:
    """Format a position as `main.bicep:12:1`."""
    line, column = source.position(at)
    return f"{source.path}:{line}:{column}"


def unresolved_loop(gap: UnknownValue) -> Unresolved:
    """Return the entry for a loop whose number of iterations is unknown."""
    return Unresolved(gap.source, gap.at, f"a loop over {gap.text.rstrip(' :{[(')}", gap.why)
