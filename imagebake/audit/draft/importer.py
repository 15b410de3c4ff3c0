"""Import an Azure Image Builder template as the draft of a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imagebake.audit.draft.build import read_build, read_validation
from imagebake.audit.draft.distribution import read_gallery, read_tags, read_target
from imagebake.audit.draft.model import Draft
from imagebake.audit.draft.steps import is_windows, read_steps, step_name
from imagebake.audit.draft.template import (
    ForeignTemplate,
    ImportNotes,
    SecretDetector,
    canonical_id,
    find_image_template,
    read_resource_id,
)
from imagebake.audit.languages.nodes import Node, ObjectValue, lookup, text_of
from imagebake.audit.library import TemplateLibrary
from imagebake.audit.source import SourceText
from imagebake.inspection.secrets import find_secrets
from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.kernel.text import constrained
from imagebake.kernel.text.versions import MARKETPLACE
from imagebake.spec.catalogue.marketplace import BASE_PACKAGES, find_stand_in
from imagebake.spec.model.foreign_template import NotATemplate

_PLAN = {"name": "planName", "product": "planProduct", "publisher": "planPublisher"}
_KINDS = "PlatformImage, ManagedImage and SharedImageVersion are known"


def read_source(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    """Return the fields of a spec's `source`, as far as they are known."""
    if not isinstance(node, ObjectValue):
        notes.read_text(node, "the source")
        return {}
    kind = text_of(lookup(node, "type")) or ""
    match kind.lower():
        case "platformimage":
            return _marketplace(node, notes)
        case "managedimage":
            image = read_resource_id(
                lookup(node, "imageId"), constrained.MANAGED_IMAGE_ID, "the source", notes
            )
            return {"managed_image": image} if image else {}
        case "sharedimageversion":
            return _gallery(node, notes)
    notes.add_finding("I106", node, f"the source is of the kind {kind or '?'!r}", _KINDS)
    return {}


def _marketplace(node: ObjectValue, notes: ImportNotes) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: text
        for key in ("publisher", "offer", "sku")
        if (text := notes.read_text(lookup(node, key), f"the source's {key}")) is not None
    }
    found |= _version(node, notes)
    plan = lookup(node, "planInfo")
    if isinstance(plan, ObjectValue):
        plan_fields = {
            key: text
            for key, field in _PLAN.items()
            if (text := notes.read_text(lookup(plan, field), f"the plan's {key}")) is not None
        }
        found |= {"plan": plan_fields} if plan_fields else {}
    return found


def _version(node: ObjectValue, notes: ImportNotes) -> dict[str, str]:
    place = lookup(node, "version") or node
    version = notes.read_text(lookup(node, "version"), "the source's version")
    if version and MARKETPLACE.fullmatch(version):
        return {"version": version}
    exact = text_of(lookup(node, "exactVersion")) or ""
    if MARKETPLACE.fullmatch(exact):
        hint = f"the draft has {exact}, which the template says it was"
        notes.add_finding("I105", place, f"the source's version is {version!r}", hint, error=False)
        return {"version": exact}
    if version:
        hint = "az vm image list --all says which there are; write one in the spec"
        notes.add_finding("I105", place, f"the source's version is {version!r}", hint)
        return {"version": version}
    return {}


def _gallery(node: ObjectValue, notes: ImportNotes) -> dict[str, str]:
    place = lookup(node, "imageVersionId")
    image_id = notes.read_text(place, "the source")
    if place is None or image_id is None:
        return {}
    definition, _, version = canonical_id(image_id).rpartition("/versions/")
    if not constrained.DEFINITION_ID.fullmatch(definition):
        read_resource_id(place, constrained.VERSION_ID, "the source", notes)
        return {}
    exact = text_of(lookup(node, "exactVersion")) or ""
    if constrained.VERSION_ID.fullmatch(f"{definition}/versions/{version}"):
        return {"gallery_version": f"{definition}/versions/{version}"}
    if known := constrained.VERSION_ID.fullmatch(f"{definition}/versions/{exact}"):
        hint = f"the draft has {exact}, which the template says it was"
        notes.add_finding("I105", place, f"the source's version is {version!r}", hint, error=False)
        return {"gallery_version": known[0]}
    hint = "az sig image-version list says which there are; write one in the spec"
    notes.add_finding("I105", place, f"the source's version is {version!r}", hint)
    return {"gallery_version": f"{definition}/versions/{version}"}


OWNER_PLACEHOLDER = "nobody-yet"
"""Value of `owner` until a person fills it in."""

_READ = frozenset(
    "source customize validate distribute vmProfile buildTimeoutInMinutes optimize errorHandling"
    " stagingResourceGroup managedResourceTags additionalDataDisks".lower().split()
)
# Properties that Azure answers; an exported template still has them.
_READ_ONLY = frozenset(
    {"provisioningstate", "provisioningerror", "lastrunstatus", "exactstagingresourcegroup"}
)
_REASONS = {"autorun": "the spec's 'schedule' says when it is baked"}


def read_draft(template: ForeignTemplate, *, name: str, secret_in: SecretDetector) -> Draft:
    """Return the draft of a spec called *name* that does what *template* does."""
    notes = ImportNotes(template, secret_in)
    body = template.body
    properties = lookup(body, "properties")
    source = read_source(lookup(properties, "source"), notes)
    windows = is_windows(properties, source)
    checked = lookup(properties, "validate")
    steps = read_steps(lookup(properties, "customize"), "customizer", notes, windows=windows)
    listed = lookup(checked, "inVMValidations")
    checks = read_steps(listed, "validator", notes, windows=windows)
    target = read_target(properties, lookup(body, "location"), notes)
    gallery = read_gallery(name, target.definition, source, notes)
    tags = read_tags(lookup(body, "tags"), notes) | target.tags
    build = read_build(properties, notes)
    _report_unsupported(body, properties, notes)
    return Draft(
        name=name,
        description=f"Imported from {template.source.path.rpartition('/')[2]}"[:500],
        owner=_owner(tags, body, notes),
        source=source,
        tags=tags,
        build=build,
        packages=steps.packages,
        customizers=steps.steps,
        validators=checks.steps,
        files=(*steps.files, *checks.files),
        regions=target.regions,
        definition=gallery.definition,
        identifier=gallery.identifier,
        generation=gallery.generation,
        security=gallery.security,
        architecture=gallery.architecture,
        windows=windows,
        validation=read_validation(checked),
        outputs=target.outputs,
        replication=target.replication,
        left_out=tuple(notes.left_out),
        findings=tuple(sorted(notes.findings)),
    )


def _report_unsupported(body: ObjectValue, properties: Node | None, notes: ImportNotes) -> None:
    """Add findings on the parts of the template that no field of a spec takes."""
    if (identity := lookup(body, "identity")) is not None:
        hint = "the setting 'identity' names the one that builds"
        notes.add_finding("I112", identity, "identity has no place in a spec", hint, error=False)
    for key, member in properties.entries.items() if isinstance(properties, ObjectValue) else ():
        if key in _READ or key in _READ_ONLY:
            continue
        hint = _REASONS.get(key, "it is not known here; leave it out")
        notes.add_finding(
            "I112", member.value, f"{member.name} has no place in a spec", hint, error=False
        )
    if (customize := lookup(properties, "customize")) is not None:
        hint = (
            "pin at least the agents: docs/reference/catalogue.md has them; "
            "or extend a base that does"
        )
        notes.add_finding("I113", customize, "the template pins no agent", hint)


def _owner(tags: dict[str, str], body: ObjectValue, notes: ImportNotes) -> str:
    """Return the owner that a tag names, or the placeholder."""
    for key, text in tags.items():
        if key.lower() in {"owner", "team"} and re.fullmatch(r"[A-Za-z0-9@/_.+ -]{1,100}", text):
            return text
    notes.add_finding("I113", body, "the template names no owner", "write 'owner' in the spec")
    return OWNER_PLACEHOLDER


def image_name(text: str) -> str:
    """Return *text* as the name of an image; empty where none can be made of it."""
    found = step_name(text) if re.search(r"[A-Za-z0-9]", text) else ""
    return found if constrained.IMAGE.fullmatch(found) else ""


_HINT = "it is the JSON of an imageTemplates resource, or of a deployment that has one"


def import_template(path: str, parameters: str, name: str, library: TemplateLibrary) -> Draft:
    """Return the draft of a spec that does what the template in the file *path* does.

    *parameters* is the path of a deployment's parameters file, or empty. Raises `SpecError` with
    every syntax error of the JSON, and `UsageError` where the file holds no image template.
    """
    root = _read(path, library)
    given = _parameter_values(_read(parameters, library)) if parameters else {}
    try:
        template = find_image_template(root, given, library)
    except NotATemplate as error:
        raise UsageError(f"{path} cannot be imported: {error}", hint=_HINT) from error
    stem = path.rpartition("/")[2].partition(".")[0]
    called = name or image_name(template.name) or image_name(stem)
    if not called:
        raise UsageError("the template has no name that an image could have", hint="give --name")
    draft = read_draft(template, name=called, secret_in=_secret_in)
    base = find_stand_in(draft.source)
    if base:
        draft = replace(draft, suite=base.suite, base=BASE_PACKAGES[base.distribution])
    return _without_secrets(draft, template.source)


def has_errors(draft: Draft) -> bool:
    """Return whether a part of the template has no place in the draft."""
    return any(finding.severity is Severity.ERROR for finding in draft.findings)


def _read(path: str, library: TemplateLibrary) -> Node:
    found = library.document(path)
    if found is None:
        raise UsageError(f"{path} cannot be read", hint="./inv import TEMPLATE.json")
    source, reading = found
    if reading.flaws or reading.root is None:
        hint = "comments are fine; all else is as JSON has it"
        wrong = [
            source.diagnostic(flaw.at, "J001", f"this is not JSON: {flaw.message}", hint=hint)
            for flaw in reading.flaws
        ]
        raise SpecError(wrong)
    return reading.root


def _parameter_values(root: Node) -> Mapping[str, Node]:
    """Return the values of a parameters file."""
    parameters = lookup(root, "parameters") or root
    if not isinstance(parameters, ObjectValue):
        return {}
    values = ((key, lookup(member.value, "value")) for key, member in parameters.entries.items())
    return {key: value for key, value in values if value is not None}


def _secret_in(text: str) -> str | None:
    return next((leak.kind for leak in find_secrets("", text.encode())), None)


def _without_secrets(draft: Draft, source: SourceText) -> Draft:
    """Return *draft* with findings that show no source line with a secret."""
    secret = {leak.line for leak in find_secrets(source.path, source.text.encode())}
    findings = tuple(
        replace(finding, source="") if finding.line in secret or finding.code == "I109" else finding
        for finding in draft.findings
    )
    return replace(draft, findings=findings)
