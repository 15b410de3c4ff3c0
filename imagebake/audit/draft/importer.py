"""Turn somebody's image template into the draft of a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from imagebake.audit.draft.build import read_build, read_validation
from imagebake.audit.draft.distribution import read_gallery, read_tags, read_target
from imagebake.audit.draft.model import Draft
from imagebake.audit.draft.source_image import read_source
from imagebake.audit.draft.steps import is_windows, read_steps, step_name
from imagebake.audit.draft.template import (
    ForeignTemplate,
    ImportNotes,
    SecretDetector,
    find_image_template,
)
from imagebake.audit.languages.nodes import Node, ObjectValue, lookup
from imagebake.audit.library import TemplateLibrary
from imagebake.audit.source import SourceText
from imagebake.inspection.secrets import find_secrets
from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.kernel.text import names
from imagebake.spec.catalogue.marketplace import BASE_PACKAGES, stand_in
from imagebake.spec.model.foreign_template import NotATemplate

OWNER_PLACEHOLDER = "nobody-yet"
"""Stands for the owner until somebody is."""

_READ = frozenset(
    "source customize validate distribute vmProfile buildTimeoutInMinutes optimize errorHandling"
    " stagingResourceGroup managedResourceTags additionalDataDisks".lower().split()
)
_ANSWERS = frozenset(
    {"provisioningstate", "provisioningerror", "lastrunstatus", "exactstagingresourcegroup"}
)
_NOT_OURS = {"autorun": "the spec's 'schedule' says when it is baked"}


def read_draft(template: ForeignTemplate, *, name: str, secret_in: SecretDetector) -> Draft:
    """The draft of a spec called *name* that says what *template* does."""
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
    _others(body, properties, notes)
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


def _others(body: ObjectValue, properties: Node | None, notes: ImportNotes) -> None:
    """Say what of the template no part of a spec is about."""
    if (identity := lookup(body, "identity")) is not None:
        hint = "the setting 'identity' names the one that builds"
        notes.say("I112", identity, "identity has no place in a spec", hint, error=False)
    for key, one in properties.entries.items() if isinstance(properties, ObjectValue) else ():
        if key in _READ or key in _ANSWERS:
            continue
        hint = _NOT_OURS.get(key, "it is not known here; leave it out")
        notes.say("I112", one.value, f"{one.name} has no place in a spec", hint, error=False)
    if (customize := lookup(properties, "customize")) is not None:
        hint = "pin at least the agents: docs/catalogue.md has them; or extend a base that does"
        notes.say("I113", customize, "the template pins no agent", hint)


def _owner(tags: dict[str, str], body: ObjectValue, notes: ImportNotes) -> str:
    """Who answers for the image, if a tag says so."""
    for key, text in tags.items():
        if key.lower() in {"owner", "team"} and re.fullmatch(r"[A-Za-z0-9@/_.+ -]{1,100}", text):
            return text
    notes.say("I113", body, "nobody answers for the image", "write 'owner' in the spec")
    return OWNER_PLACEHOLDER


def image_name(said: str) -> str:
    """*said* as the name of an image; empty where nothing of it can be one."""
    found = step_name(said) if re.search(r"[A-Za-z0-9]", said) else ""
    return found if names.IMAGE.fullmatch(found) else ""


_HINT = "it is the JSON of an imageTemplates resource, or of a deployment that has one"


def import_template(path: str, parameters: str, name: str, library: TemplateLibrary) -> Draft:
    """The draft of a spec that says what the template in the file *path* does.

    *parameters* is the file of a deployment's parameters, or empty. Raises `SpecError` with
    every mistake in the JSON, and `UsageError` for what is no template.
    """
    root = _read(path, library)
    given = _given(_read(parameters, library)) if parameters else {}
    try:
        template = find_image_template(root, given, library)
    except NotATemplate as error:
        raise UsageError(f"{path} cannot be imported: {error}", hint=_HINT) from error
    stem = path.rpartition("/")[2].partition(".")[0]
    called = name or image_name(template.name) or image_name(stem)
    if not called:
        raise UsageError("the template has no name that an image could have", hint="give --name")
    draft = read_draft(template, name=called, secret_in=_secret_in)
    base = stand_in(draft.source)
    if base:
        draft = replace(draft, suite=base.suite, base=BASE_PACKAGES[base.distribution])
    return _without_secrets(draft, template.source)


def has_errors(draft: Draft) -> bool:
    """Whether something in the template has no place in the draft."""
    return any(one.severity is Severity.ERROR for one in draft.findings)


def _read(path: str, library: TemplateLibrary) -> Node:
    found = library.document(path)
    if found is None:
        raise UsageError(f"{path} cannot be read", hint="./inv import TEMPLATE.json")
    source, reading = found
    if reading.flaws or reading.root is None:
        hint = "comments are fine; all else is as JSON has it"
        wrong = [
            source.complaint(flaw.at, "J001", f"this is not JSON: {flaw.message}", hint=hint)
            for flaw in reading.flaws
        ]
        raise SpecError(wrong)
    return reading.root


def _given(root: Node) -> Mapping[str, Node]:
    """The values that a parameters file has."""
    parameters = lookup(root, "parameters") or root
    if not isinstance(parameters, ObjectValue):
        return {}
    values = ((key, lookup(one.value, "value")) for key, one in parameters.entries.items())
    return {key: value for key, value in values if value is not None}


def _secret_in(text: str) -> str | None:
    return next((leak.kind for leak in find_secrets("", text.encode())), None)


def _without_secrets(draft: Draft, source: SourceText) -> Draft:
    """*draft* with findings that show no line with a secret in it."""
    secret = {leak.line for leak in find_secrets(source.path, source.text.encode())}
    findings = tuple(
        replace(one, source="") if one.line in secret or one.code == "I109" else one
        for one in draft.findings
    )
    return replace(draft, findings=findings)
