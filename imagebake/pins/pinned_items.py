"""The versioned items of a spec: current version, source to ask, and adoption terms."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from imagebake.kernel.text.versions import Scheme
from imagebake.pins.file_address import names_version
from imagebake.spec.catalogue.component import Component
from imagebake.spec.model.adoption import AdoptionTerms, DeniedVersions, adoption_terms
from imagebake.spec.model.candidates import Origin, Question
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import (
    AgentPin,
    ExtensionPin,
    FilePin,
    ModulePin,
    PackagePin,
    Stewardship,
)
from imagebake.spec.model.source import MarketplaceImage

SOURCE = "source"
"""Name of the marketplace image among the pins."""


class PinKind(enum.StrEnum):
    """Kind of a versioned item."""

    IMAGE = "image"
    AGENT = "agent"
    PACKAGE = "package"
    FILE = "file"
    MODULE = "module"
    EXTENSION = "extension"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedItem:
    """An item of a spec that has a version.

    Without a *question* only a person can move it; *by_hand* is the reason.
    """

    name: str
    kind: PinKind
    version: str
    scheme: Scheme
    question: Question | None
    by_hand: str = ""
    terms: AdoptionTerms
    owner: str = ""
    reason: str = ""
    review_by: dt.date | None = None


def pinned_items(spec: ImageSpec, known: Iterable[Component]) -> tuple[PinnedItem, ...]:
    """Return the items of *spec*: its source, its pins and its extensions, in its order.

    *known* is the catalogue: the packages of each agent, and versions denied to everyone.
    """
    catalogue = tuple(known)
    return (
        *_image(spec),
        *(pinned_item(spec, pin, catalogue) for pin in spec.pins),
        *(pinned_item(spec, pin, catalogue) for pin in spec.extensions),
    )


def pinned_item(
    spec: ImageSpec,
    pin: AgentPin | PackagePin | FilePin | ModulePin | ExtensionPin,
    known: Iterable[Component],
) -> PinnedItem:
    """Return the item for *pin*, which *spec* contains or is about to."""
    if isinstance(pin, FilePin):
        return _file(spec, pin)
    if isinstance(pin, ExtensionPin):
        return _extension(spec, pin)
    if isinstance(pin, ModulePin) or (isinstance(pin, AgentPin) and pin.installer):
        return _installed(spec, pin, {component.name: component for component in known})
    return _package(
        spec, pin, {component.name: component.on(spec.distribution) for component in known}
    )


def _image(spec: ImageSpec) -> Iterator[PinnedItem]:
    """Yield the source, unless it is a managed image, which has no version."""
    source, question = spec.source, None
    if isinstance(source, MarketplaceImage):
        names = (source.publisher, source.offer, source.sku)
        question = Question(origin=Origin.IMAGES, names=names, regions=_regions(spec))
    _, version = source.named
    if version:
        yield PinnedItem(
            name=SOURCE,
            kind=PinKind.IMAGE,
            version=version,
            scheme=Scheme.IMAGE,
            question=question,
            by_hand="" if question else "it is a version of a gallery of yours",
            terms=adoption_terms(spec.adoption, None, hold=None),
            owner=spec.owner,
        )


def _package(
    spec: ImageSpec, pin: AgentPin | PackagePin, known: Mapping[str, Component]
) -> PinnedItem:
    agent = known.get(pin.agent) if isinstance(pin, AgentPin) else None
    package = agent.packages[0] if agent and agent.packages else pin.name
    question = None
    if spec.local:
        names = (spec.local.suite, spec.gallery.architecture.debian, package)
        question = Question(origin=Origin.ARCHIVE, names=names)
    bad = (
        denied
        for component in known.values()
        if package in component.packages
        for denied in component.denied
    )
    return _item(
        spec,
        pin,
        tuple(bad),
        name=pin.name,
        kind=PinKind.AGENT if isinstance(pin, AgentPin) else PinKind.PACKAGE,
        version=pin.version,
        scheme=Scheme.DEBIAN,
        question=question,
        by_hand="" if question else "its spec names no suite (local:)",
    )


def _installed(
    spec: ImageSpec, pin: AgentPin | ModulePin, known: Mapping[str, Component]
) -> PinnedItem:
    agent = known.get(pin.name) if isinstance(pin, AgentPin) else None
    return _item(
        spec,
        pin,
        agent.denied if agent else (),
        name=pin.name,
        kind=PinKind.AGENT if isinstance(pin, AgentPin) else PinKind.MODULE,
        version=pin.version,
        scheme=Scheme.FILE,
        question=None,
        by_hand="its file moves with it: change 'version', 'file' and 'sha256' together",
    )


def _extension(spec: ImageSpec, pin: ExtensionPin) -> PinnedItem:
    question = Question(
        origin=Origin.EXTENSIONS, names=(pin.publisher, pin.type), regions=_regions(spec)
    )
    return _item(
        spec,
        pin,
        (),
        name=pin.handler,
        kind=PinKind.EXTENSION,
        version=pin.version,
        scheme=Scheme.HANDLER,
        question=question,
        by_hand="its zip moves with it: change 'version' and 'package' together"
        if pin.package
        else "",
    )


def _file(spec: ImageSpec, pin: FilePin) -> PinnedItem:
    question = None
    if source := pin.source:
        address = source.github or source.pypi or source.listing or ""
        names = (address, pin.file, pin.version)
        if source.pypi:
            question = Question(origin=Origin.PYPI, names=names)
        elif source.github:
            question = Question(origin=Origin.GITHUB, names=(*names, source.tag or ""))
        else:
            question = Question(origin=Origin.LISTING, names=(*names, source.digests or ""))
    by_hand = "" if question else "it names no source"
    if question and not names_version(pin.file, pin.version):
        question, by_hand = None, "its address does not name its version"
    return _item(
        spec,
        pin,
        (),
        name=pin.name,
        kind=PinKind.FILE,
        version=pin.version,
        scheme=Scheme.FILE,
        question=question,
        by_hand=by_hand,
    )


def _item(
    spec: ImageSpec,
    pin: Stewardship,
    known_bad: tuple[DeniedVersions, ...],
    *,
    name: str,
    kind: PinKind,
    version: str,
    scheme: Scheme,
    question: Question | None,
    by_hand: str,
) -> PinnedItem:
    return PinnedItem(
        name=name,
        kind=kind,
        version=version,
        scheme=scheme,
        question=question,
        by_hand=by_hand,
        terms=adoption_terms(spec.adoption, pin.adoption, hold=pin.hold, known_bad=known_bad),
        owner=pin.owner or spec.owner,
        reason=pin.reason or "",
        review_by=pin.review_by,
    )


def _regions(spec: ImageSpec) -> tuple[str, ...]:
    return tuple(region.name for region in spec.regions)


def questions_of(items: Iterable[PinnedItem]) -> Iterator[Question]:
    """Yield the questions of *items* without repetition."""
    seen: set[Question] = set()
    for item in items:
        if item.question and item.question not in seen:
            seen.add(item.question)
            yield item.question
