"""Turn somebody's image template into the draft of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from imagebake.foreign.draft import image_name, read_draft
from imagebake.foreign.library import Library
from imagebake.foreign.nodes import Node, Table, entry
from imagebake.foreign.source import Source
from imagebake.foreign.templates import image_template
from imagebake.inspection.secrets import find_secrets
from imagebake.kernel.diagnostics import Severity
from imagebake.kernel.errors import SpecError, UsageError
from imagebake.model.draft import Draft
from imagebake.spec.catalogue.marketplace import BASE_PACKAGES, stand_in
from imagebake.spec.foreign_template import NotATemplate

_HINT = "it is the JSON of an imageTemplates resource, or of a deployment that has one"


def import_template(path: str, parameters: str, name: str, library: Library) -> Draft:
    """The draft of a spec that says what the template in the file *path* does.

    *parameters* is the file of a deployment's parameters, or empty. Raises `SpecError` with
    every mistake in the JSON, and `UsageError` for what is no template.
    """
    root = _read(path, library)
    given = _given(_read(parameters, library)) if parameters else {}
    try:
        template = image_template(root, given, library)
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


def _read(path: str, library: Library) -> Node:
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
    parameters = entry(root, "parameters") or root
    if not isinstance(parameters, Table):
        return {}
    values = ((key, entry(one.value, "value")) for key, one in parameters.entries.items())
    return {key: value for key, value in values if value is not None}


def _secret_in(text: str) -> str | None:
    return next((leak.kind for leak in find_secrets("", text.encode())), None)


def _without_secrets(draft: Draft, source: Source) -> Draft:
    """*draft* with findings that show no line with a secret in it."""
    secret = {leak.line for leak in find_secrets(source.path, source.text.encode())}
    findings = tuple(
        replace(one, source="") if one.line in secret or one.code == "I109" else one
        for one in draft.findings
    )
    return replace(draft, findings=findings)
