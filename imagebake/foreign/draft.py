"""From somebody's image template to the draft of a spec, and everything that is not in it."""

from __future__ import annotations

import re

from imagebake.foreign.draft_build import read_build, read_validation
from imagebake.foreign.draft_gallery import read_gallery
from imagebake.foreign.draft_source import read_source
from imagebake.foreign.draft_steps import read_steps, step_name
from imagebake.foreign.draft_target import read_tags, read_target
from imagebake.foreign.draft_windows import is_windows
from imagebake.foreign.nodes import Node, Table, entry
from imagebake.foreign.templates import ForeignTemplate, Notes, SecretIn
from imagebake.kernel import names
from imagebake.model.draft import Draft

OWNER = "nobody-yet"
"""Stands for the owner until somebody is."""

_READ = frozenset(
    "source customize validate distribute vmProfile buildTimeoutInMinutes optimize errorHandling"
    " stagingResourceGroup managedResourceTags additionalDataDisks".lower().split()
)
_ANSWERS = frozenset(
    {"provisioningstate", "provisioningerror", "lastrunstatus", "exactstagingresourcegroup"}
)
_NOT_OURS = {"autorun": "the spec's 'schedule' says when it is baked"}


def read_draft(template: ForeignTemplate, *, name: str, secret_in: SecretIn) -> Draft:
    """The draft of a spec called *name* that says what *template* does."""
    notes = Notes(template, secret_in)
    body = template.body
    properties = entry(body, "properties")
    source = read_source(entry(properties, "source"), notes)
    windows = is_windows(properties, source)
    checked = entry(properties, "validate")
    steps = read_steps(entry(properties, "customize"), "customizer", notes, windows=windows)
    listed = entry(checked, "inVMValidations")
    checks = read_steps(listed, "validator", notes, windows=windows)
    target = read_target(properties, entry(body, "location"), notes)
    gallery = read_gallery(name, target.definition, source, notes)
    tags = read_tags(entry(body, "tags"), notes) | target.tags
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


def _others(body: Table, properties: Node | None, notes: Notes) -> None:
    """Say what of the template no part of a spec is about."""
    if (identity := entry(body, "identity")) is not None:
        hint = "the setting 'identity' names the one that builds"
        notes.say("I112", identity, "identity has no place in a spec", hint, error=False)
    for key, one in properties.entries.items() if isinstance(properties, Table) else ():
        if key in _READ or key in _ANSWERS:
            continue
        hint = _NOT_OURS.get(key, "it is not known here; leave it out")
        notes.say("I112", one.value, f"{one.name} has no place in a spec", hint, error=False)
    if (customize := entry(properties, "customize")) is not None:
        hint = "pin at least the agents: docs/catalogue.md has them; or extend a base that does"
        notes.say("I113", customize, "the template pins no agent", hint)


def _owner(tags: dict[str, str], body: Table, notes: Notes) -> str:
    """Who answers for the image, if a tag says so."""
    for key, text in tags.items():
        if key.lower() in {"owner", "team"} and re.fullmatch(r"[A-Za-z0-9@/_.+ -]{1,100}", text):
            return text
    notes.say("I113", body, "nobody answers for the image", "write 'owner' in the spec")
    return OWNER


def image_name(said: str) -> str:
    """*said* as the name of an image; empty where nothing of it can be one."""
    found = step_name(said) if re.search(r"[A-Za-z0-9]", said) else ""
    return found if names.IMAGE.fullmatch(found) else ""
