"""From somebody's image template to the draft of a spec, and everything that is not in it."""

from __future__ import annotations

import re

from imagebake.foreign.draft_gallery import read_gallery
from imagebake.foreign.draft_steps import Steps, read_steps, step_name
from imagebake.foreign.draft_target import read_tags, read_target
from imagebake.foreign.nodes import Node, Table, entry, text_of
from imagebake.foreign.templates import ForeignTemplate, Notes, SecretIn
from imagebake.foreign.values import truth
from imagebake.model import names
from imagebake.model.draft import Draft
from imagebake.model.versions import MARKETPLACE

OWNER = "nobody-yet"
"""Stands for the owner until somebody is."""

_READ = frozenset(
    "source customize validate distribute vmProfile buildTimeoutInMinutes".lower().split()
)
_ANSWERS = frozenset({"provisioningstate", "provisioningerror", "lastrunstatus"})
_NOT_OURS = {
    "optimize": "leave it out",
    "errorhandling": "a failed build's machine is deleted",
    "stagingresourcegroup": "the service makes one of its own",
    "exactstagingresourcegroup": "the service makes one of its own",
    "managedresourcetags": "tag the resource group instead",
    "autorun": "the spec's 'schedule' says when it is baked",
    "additionaldatadisks": "an image has one disk",
}
_PROFILE = {
    "userassignedidentities": "the mirror is read with the identity of the settings",
    "vnetconfig": "the build's network is a setting of the subscription",
}
_SHORTEST, _LONGEST, _DEFAULT = 6, 960, 240
_LARGEST_DISK = 2048
_SIZE = re.compile(r"[A-Z][A-Za-z0-9_-]{1,60}")


def read_draft(template: ForeignTemplate, *, name: str, secret_in: SecretIn) -> Draft:
    """The draft of a spec called *name* that says what *template* does."""
    notes = Notes(template, secret_in)
    body = template.body
    properties = entry(body, "properties")
    steps = read_steps(entry(properties, "customize"), "customizer", notes)
    checks = _checks(entry(properties, "validate"), notes)
    target = read_target(properties, entry(body, "location"), notes)
    source = _source(entry(properties, "source"), notes)
    gallery = read_gallery(name, target.definition, source, notes)
    tags = read_tags(entry(body, "tags"), notes) | target.tags
    build = _build(properties, notes)
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
        windows=steps.windows or checks.windows or _is_windows(source),
        left_out=tuple(notes.left_out),
        findings=tuple(sorted(notes.findings)),
    )


def _source(node: Node | None, notes: Notes) -> dict[str, str]:
    """Publisher, offer, sku and version, as far as they are known."""
    if not isinstance(node, Table):
        notes.text(node, "the source")
        return {}
    kind = text_of(entry(node, "type")) or ""
    if kind.lower() != "platformimage":
        hint = "start from the marketplace image that it was made from"
        notes.say(
            "I106", node, f"the source is a {kind or '?'}, not an image of the marketplace", hint
        )
        return {}
    if isinstance(plan := entry(node, "planInfo"), Table):
        hint = "an image with a plan must be bought with every machine; a spec has none"
        notes.say("I106", plan, "the source has a plan", hint)
    found = {
        key: text
        for key in ("publisher", "offer", "sku")
        if (text := notes.text(entry(node, key), f"the source's {key}")) is not None
    }
    return found | _version(node, notes)


def _version(node: Table, notes: Notes) -> dict[str, str]:
    place = entry(node, "version") or node
    said = notes.text(entry(node, "version"), "the source's version")
    if said and MARKETPLACE.fullmatch(said):
        return {"version": said}
    exact = text_of(entry(node, "exactVersion")) or ""
    if MARKETPLACE.fullmatch(exact):
        hint = f"the draft has {exact}, which the template says it was"
        notes.say("I105", place, f"the source's version is {said!r}", hint, error=False)
        return {"version": exact}
    if said:
        hint = "az vm image list --all says which there are; write one in the spec"
        notes.say("I105", place, f"the source's version is {said!r}", hint)
        return {"version": said}
    return {}


def _checks(node: Node | None, notes: Notes) -> Steps:
    """The validators."""
    for key in ("continueDistributeOnFailure", "sourceValidationOnly"):
        flag = entry(node, key)
        if flag is not None and truth(flag):
            hint = "a version that fails its checks is never published"
            notes.say("I112", flag, f"{key} has no place in a spec", hint)
    return read_steps(entry(node, "inVMValidations"), "validator", notes)


def _build(properties: Node | None, notes: Notes) -> dict[str, int | str]:
    build: dict[str, int | str] = {}
    place = entry(properties, "buildTimeoutInMinutes")
    minutes = notes.number(place, "the build's time")
    if minutes is not None and place is not None:
        build["timeout_minutes"] = minutes or _DEFAULT
        if minutes and not _SHORTEST <= minutes <= _LONGEST:
            hint = f"{_SHORTEST} to {_LONGEST}; the draft has the default"
            notes.say("I114", place, f"{minutes} minutes are not possible", hint)
            del build["timeout_minutes"]
    profile = entry(properties, "vmProfile")
    size = notes.text(entry(profile, "vmSize"), "the build machine's size")
    if size and _SIZE.fullmatch(size):
        build["vm_size"] = size
    disk = notes.number(entry(profile, "osDiskSizeGB"), "the disk's size")
    if disk is not None and 1 <= disk <= _LARGEST_DISK:
        build["os_disk_gb"] = disk
    for key, one in profile.entries.items() if isinstance(profile, Table) else ():
        if why := _PROFILE.get(key):
            notes.say("I112", one.value, f"{one.name} has no place in a spec", why, error=False)
    return build


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


def _is_windows(source: dict[str, str]) -> bool:
    words = " ".join(source.get(key, "") for key in ("publisher", "offer")).lower()
    return "windows" in words


def image_name(said: str) -> str:
    """*said* as the name of an image; empty where nothing of it can be one."""
    found = step_name(said) if re.search(r"[A-Za-z0-9]", said) else ""
    return found if names.IMAGE.fullmatch(found) else ""
