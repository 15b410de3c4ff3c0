"""The image template of a document, and the notes that an import takes while reading it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from imagebake.audit.languages.arm import (
    IMAGE_DEFINITIONS,
    IMAGE_TEMPLATES,
    ArmScope,
    find_resources,
)
from imagebake.audit.languages.nodes import (
    Literal,
    Node,
    ObjectValue,
    UnknownValue,
    lookup,
    text_of,
)
from imagebake.audit.library import TemplateLibrary
from imagebake.audit.model import AuditedResource, ResourceContext
from imagebake.audit.source import SourceText
from imagebake.kernel.diagnostics import Diagnostic, Severity
from imagebake.spec.model.foreign_template import NotATemplate

_PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z0-9 _-]*>")

SecretDetector = Callable[[str], str | None]
"""Returns the kind of secret that a text holds, if any."""


class ForeignTemplate(NamedTuple):
    """An image template, and the image definition in the same document, if there is one."""

    source: SourceText
    name: str
    body: ObjectValue
    definition: ObjectValue | None


def find_image_template(
    root: Node, given: Mapping[str, Node], library: TemplateLibrary
) -> ForeignTemplate:
    """Return the image template of the document *root*.

    Raises `NotATemplate` unless there is exactly one.
    """
    if not isinstance(root, ObjectValue):
        raise NotATemplate("it is not a JSON object")
    scope = ArmScope(root if "resources" in root.entries else None, given)
    found = [
        resource
        for resource in find_resources(root, scope, ResourceContext(), library)
        if isinstance(resource, AuditedResource)
        and resource.kind in {IMAGE_TEMPLATES, IMAGE_DEFINITIONS}
    ]
    templates = [resource for resource in found if resource.kind == IMAGE_TEMPLATES]
    if not templates:
        raise NotATemplate("it has no resource of the type Microsoft.VirtualMachineImages")
    if len(templates) > 1:
        names = ", ".join(template.name or "?" for template in templates)
        raise NotATemplate(f"it has {len(templates)} image templates ({names}), and one is needed")
    if not isinstance(lookup(templates[0].body, "properties"), ObjectValue):
        raise NotATemplate("its image template has no 'properties'")
    definition = next(
        (resource.body for resource in found if resource.kind == IMAGE_DEFINITIONS), None
    )
    template = templates[0]
    name = text_of(lookup(template.body, "name")) or ""
    # Microsoft's samples have `<name>` where a value is to be filled in.
    name = "" if _PLACEHOLDER.search(name) else name
    return ForeignTemplate(template.source, name, template.body, definition)


class ImportNotes:
    """Findings of an import, and the parts of the template left out of the draft."""

    def __init__(self, template: ForeignTemplate, secret_in: SecretDetector) -> None:
        self.template = template
        self.secret_in = secret_in
        self.findings: list[Diagnostic] = []
        self.left_out: list[str] = []

    def add_finding(
        self, code: str, node: Node, message: str, hint: str, *, error: bool = True
    ) -> None:
        """Add a finding at *node*."""
        severity = Severity.ERROR if error else Severity.WARNING
        found = node.source.diagnostic(node.at, code, message, severity=severity, hint=hint)
        # A parameter that several fields use would be reported for each of them.
        if found not in self.findings:
            self.findings.append(found)

    def leave_out(self, node: Node, what: str, why: str) -> None:
        """Record that *what* is not in the draft."""
        line, column = node.source.position(node.at)
        self.left_out.append(f"{what}: {why} ({node.source.path}:{line}:{column})")

    def read_text(self, node: Node | None, what: str) -> str | None:
        """Return *node* as text; add a finding and return None where it is not known."""
        if node is None or (isinstance(node, Literal) and node.value in (None, "")):
            return None
        if isinstance(node, Literal) and not isinstance(node.value, bool):
            text = str(node.value)
            if (hole := _PLACEHOLDER.search(text)) is None:
                return text
            self.add_finding(
                "I110", node, f"{what} is to be filled in: {hole[0]}", "write it in the spec"
            )
            return None
        why = node.why if isinstance(node, UnknownValue) else "it is not one text"
        hint = "write it in the spec, or give --parameters FILE"
        self.add_finding("I110", node, f"{what} is not known: {why}", hint)
        return None

    def read_number(self, node: Node | None, what: str) -> int | None:
        """Return *node* as a number; add a finding and return None where it is none."""
        text = self.read_text(node, what)
        if node is None or text is None:
            return None
        if re.fullmatch(r"-?[0-9]{1,9}", text):
            return int(text)
        self.add_finding("I114", node, f"{what} is no number", "write one in the spec")
        return None


_SEGMENTS = (
    *("subscriptions", "resourceGroups", "providers", "Microsoft.Compute", "Microsoft.Network"),
    *("Microsoft.ManagedIdentity", "galleries", "images", "versions", "virtualNetworks"),
    *("subnets", "userAssignedIdentities"),
)
_CANONICAL = {word.lower(): word for word in _SEGMENTS}


def canonical_id(text: str) -> str:
    """Return *text* with the segments of an id spelled as Azure's answers spell them."""
    return "/".join(_CANONICAL.get(part.lower(), part) for part in text.split("/"))


def read_resource_id(
    node: Node | None, pattern: re.Pattern[str], what: str, notes: ImportNotes
) -> str | None:
    """Return *node* as an id that *pattern* matches; add a finding where it does not."""
    text = notes.read_text(node, what)
    if node is None or text is None:
        return None
    found = canonical_id(text)
    if pattern.fullmatch(found):
        return found
    hint = "a spec has whole ids: '/subscriptions/…/resourceGroups/…/providers/…'"
    notes.add_finding("I114", node, f"{what} is no whole id", hint)
    return None
