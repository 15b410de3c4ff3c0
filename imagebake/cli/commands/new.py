"""The task `new`: ask for a new image, and write its spec, lock and workflows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import pydantic

from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import SpecError, UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.pins.bump import named_version, require_known
from imagebake.pins.pin_status import PinStatus, read_statuses
from imagebake.pins.pinned_items import pinned_item
from imagebake.pins.transaction import SpecOutcome, SpecTransaction, commit_transaction
from imagebake.pipelines.workflows import workspace_workflows, write_workflows
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import load_spec, spec_names
from imagebake.spec.model import types
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import PackagePin
from imagebake.spec.yaml.nodes import quote_scalar, quote_sentence

_HEAD = "# yaml-language-server: $schema=../schemas/image-spec.v1.schema.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """Values that a new spec needs; an empty *owner*, *cron* or *timezone* is the base's."""

    name: str
    base: str
    description: str
    offer: str
    sku: str
    owner: str = ""
    cron: str = ""
    timezone: str = ""


def skeleton(answers: NewImage, packages: Mapping[str, str]) -> str:
    """The spec of *answers* as YAML, with *packages* pinned at their versions."""
    return "\n".join([*_lines(answers), *_pins(packages), ""])


def _lines(answers: NewImage) -> Iterator[str]:
    yield _HEAD
    yield ""
    yield f"extends: base/{answers.base}.yaml"
    yield ""
    yield f"name: {quote_sentence(answers.name)}"
    yield f"description: {quote_sentence(answers.description)}"
    if answers.owner:
        yield f"owner: {quote_sentence(answers.owner)}"
    yield ""
    yield "gallery:"
    yield f"  definition: {quote_sentence(answers.name)}"
    yield "  identifier:"
    yield f"    offer: {quote_sentence(answers.offer)}"
    yield f"    sku: {quote_sentence(answers.sku)}"
    if answers.cron:
        yield ""
        yield "schedule:"
        yield f"  cron: {quote_sentence(answers.cron)}"
        if answers.timezone:
            yield f"  timezone: {quote_sentence(answers.timezone)}"


def _pins(packages: Mapping[str, str]) -> Iterator[str]:
    if packages:
        yield ""
        yield "pins:"
    for package, version in packages.items():
        yield f"  - package: {quote_sentence(package)}"
        yield f"    version: {quote_scalar(version)}"


_ANY = "0-0"
"""A version to ask about the others with; it is in no text."""


def new(
    image: Annotated[str, Word("what the new image is called")] = "",
    *,
    base: Annotated[str, Flag("what it starts from: a name in image_specs/base/")] = "",
    description: Annotated[str, Flag("what it is for, in one line")] = "",
    owner: Annotated[str, Flag("who answers for it (default: the base's owner)")] = "",
    offer: Annotated[str, Flag("its offer in the gallery (default: the base)")] = "",
    sku: Annotated[str, Flag("its sku in the gallery (default: the image)")] = "",
    cron: Annotated[
        str, Flag("when it is baked, such as '17 3 * * 2' (default: as the base says)")
    ] = "",
    timezone: Annotated[str, Flag("the time zone of that")] = "",
    packages: Annotated[str, Flag("the Debian packages that it needs, by name")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Write the spec *image* from the flags and from answers at the terminal, and lock it.

    Nothing is written before everything is known to be valid. Without a terminal every answer
    has to be a flag.
    """
    given = {
        "base": base,
        "description": description,
        "owner": owner,
        "offer": offer,
        "sku": sku,
        "cron": cron,
        "timezone": timezone,
        "packages": packages,
    }
    context = open_context(quiet=as_json)
    ask = _Questions(given, at_terminal=sys.stdin.isatty() and not as_json)
    name = ask("name", "What is the image called?", types.ImageName, given=image)
    path = context.workspace.specs / f"{name}.yaml"
    if path.exists():
        raise UsageError(
            f"{context.workspace.shown(path)} is there already", hint=f"./inv add {name} PIN"
        )
    answers, pinned = _answers(context, name, ask)
    ask.refuse_unless_complete()
    outcome = _write(context, answers, pinned)
    done = write_workflows(context.workspace.root, workspace_workflows(context))
    if as_json:
        print_json({"image": name, **outcome.to_json(), "pipelines": list(done)})
        return
    print(path.read_text(encoding="utf-8"))
    print(f"wrote {', '.join(outcome.files)}", *done, sep="\n")
    print(f"next: ./inv bake {name}, and have the files reviewed")


class _Questions:
    """Questions for the values that no flag gave; missing ones are reported together."""

    def __init__(self, given: Mapping[str, str], *, at_terminal: bool) -> None:
        self._given = given
        self._at_terminal = at_terminal
        self._missing: list[str] = []

    def __call__(
        self,
        flag: str,
        question: str,
        kind: Any,  # noqa: ANN401 - a kind of text
        *,
        given: str = "",
        default: str | None = None,
    ) -> str:
        """The answer to *question*; *default*, if there is one, may be accepted by Enter."""
        check = _checker(kind)
        if text := given or self._given.get(flag, ""):
            if objection := check(text):
                raise UsageError(f"{_spoken(flag)}: {objection}")
            return text
        if self._at_terminal:
            return _ask(question, default, check)
        if default is None:
            self._missing.append(flag)
        return default or ""

    def refuse_unless_complete(self) -> None:
        """Raise `UsageError` with every missing flag; without a terminal there is no question."""
        if self._missing:
            flags = ", ".join(map(_spoken, self._missing))
            raise UsageError(f"say {flags}", hint="at a terminal, ./inv new asks for them")


def _spoken(flag: str) -> str:
    return "IMAGE" if flag == "name" else f"--{flag}"


def _checker(kind: Any) -> Callable[[str], str]:  # noqa: ANN401 - a kind of text
    """Return a function that returns why a text is not valid for *kind*, or an empty text."""
    adapter = pydantic.TypeAdapter(kind)

    def check(text: str) -> str:
        try:
            adapter.validate_python(text)
        except pydantic.ValidationError as error:
            return error.errors()[0]["msg"].removeprefix("Value error, ")
        return ""

    return check


def _ask(question: str, default: str | None, check: Callable[[str], str]) -> str:
    shown = f" [{default or 'none'}]" if default is not None else ""
    while True:
        print(f"{question}{shown} ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise UsageError("the questions were not answered to their end: nothing was written")
        text = line.strip() or (default or "")
        if not text and default is not None:
            return ""
        if not (objection := check(text)):
            return text
        print(f"  {objection}", file=sys.stderr)


def _answers(context: Context, name: str, ask: _Questions) -> tuple[NewImage, tuple[str, ...]]:
    bases = _bases(context)
    listed = ", ".join(bases)
    base = ask("base", f"What does it start from ({listed})?", str, default=bases[0])
    if base not in bases:
        raise UsageError(f"there is no base {base!r} to start from", hint=f"bases: {listed}")
    description = ask("description", "What is it for, in one line?", types.Text)
    owner = ask("owner", "Who answers for it (Enter: as the base says)?", types.Owner, default="")
    offer = ask("offer", "Its offer in the gallery?", types.MarketplaceName, default=base)
    sku = ask("sku", "Its sku in the gallery?", types.MarketplaceName, default=name)
    cron = ask("cron", "When is it baked (cron; Enter: as the base says)?", types.Cron, default="")
    zone = ask("timezone", "In which time zone?", types.Timezone, default="Etc/UTC") if cron else ""
    words = ask("packages", "Which Debian packages does it need, by name?", str, default="")
    answers = NewImage(
        name=name,
        base=base,
        description=description,
        owner=owner,
        offer=offer,
        sku=sku,
        cron=cron,
        timezone="" if zone == "Etc/UTC" else zone,
    )
    return answers, tuple(dict.fromkeys(words.replace(",", " ").split()))


def _bases(context: Context) -> tuple[str, ...]:
    """Return the bases that need nothing but the values of `NewImage`."""
    folder = context.workspace.specs
    found = []
    for base in spec_names(folder / "base"):
        trial = NewImage(name="trial", base=base, description="trial", offer="trial", sku="trial")
        path = folder / "trial.yaml"
        try:
            load_spec(
                path, root=context.workspace.root, instead={path: skeleton(trial, {}).encode()}
            )
        except SpecError:
            continue
        found.append(base)
    if not found:
        raise UsageError("there is no base to start from", hint="image_specs/base/ has none")
    return tuple(found)


def _write(context: Context, answers: NewImage, packages: tuple[str, ...]) -> SpecOutcome:
    path = context.workspace.specs / f"{answers.name}.yaml"
    bare = {path: skeleton(answers, {}).encode()}
    spec = load_spec(path, root=context.workspace.root, instead=bare)
    text = skeleton(answers, _versions(context, spec, packages))
    return commit_transaction(context, spec, SpecTransaction(after={path: text.encode()}))


def _versions(context: Context, spec: ImageSpec, packages: tuple[str, ...]) -> dict[str, str]:
    """The newest version of each package that the policy of *spec* allows."""
    try:
        pins = [PackagePin(package=package, version=_ANY) for package in packages]
    except pydantic.ValidationError as error:
        raise UsageError(f"--packages: {error.errors()[0]['msg']}") from error
    subjects = [pinned_item(spec, pin, CATALOGUE.components.values()) for pin in pins]
    found = read_statuses(context, subjects, refresh=False) if subjects else ()
    return {status.item.name: _newest(spec.name, status) for status in found}


def _newest(image: str, status: PinStatus) -> str:
    require_known(image, status)
    if status.decision.allowed is None:
        raise ValidationFailed(
            f"no version of {status.item.name} is adopted: {status.why or 'there is none'}",
            hint="leave it out, and add it with --to VERSION",
        )
    return named_version(status, status.decision.allowed.version).version
