"""Rules about further outputs of an image, and its trigger: P141 to P149."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.outputs import GalleryOutput, Replication, TargetRegion, VersioningScheme
from imagebake.spec.model.source import ManagedImage

_AIB = "Azure Image Builder template reference (image-builder-json), "
_GALLERY = "Azure Compute Gallery documentation, "
_PRODUCTION = {"production", "prod"}


def _galleries(facts: SpecFacts) -> Iterator[GalleryOutput]:
    return (output for output in facts.spec.distribute if isinstance(output, GalleryOutput))


def definition_of(output: GalleryOutput) -> str:
    """Return the id of the image definition that *output* goes to, in lower case."""
    return output.gallery.partition("/versions/")[0].lower()


@rule(
    "P141",
    "No output goes to the image's own definition",
    why="versions there are baked, promoted and retired one by one; a second line would confuse it",
    source="imagebake's design: the gallery is the record",
    fix="name another definition, or leave the output out: the version is made anyway",
)
def outputs_go_elsewhere(facts: SpecFacts) -> Iterator[Breach]:
    """Without the setting for the gallery this is not checked."""
    own = f"{facts.gallery}/images/{facts.spec.gallery.definition}".lower()
    for output in _galleries(facts):
        if definition_of(output) == own:
            yield Breach(output.name, "it goes where the image's own versions go")


@rule(
    "P142",
    "Run outputs have names of their own",
    why="Azure refuses a template with two of one name, and compares them without case",
    source=_AIB + "distribute: runOutputName is unique",
    fix="rename the output; the image's own is called as the image",
)
def outputs_are_told_apart(facts: SpecFacts) -> Iterator[Breach]:
    """The first run output is the version in the image's own gallery, named after the image."""
    seen = {facts.spec.name.lower()}
    for output in facts.spec.distribute:
        if output.name.lower() in seen:
            yield Breach(output.name, "another run output has that name")
        seen.add(output.name.lower())


@rule(
    "P143",
    "Storage is of a kind that Image Builder knows",
    why="it refuses the template; galleries know one kind more",
    source=_AIB + "distribute: storageAccountType",
    fix="write Standard_LRS, Standard_ZRS or Premium_LRS",
)
def storage_is_known(facts: SpecFacts) -> Iterator[Breach]:
    """Check the image's own regions and those of the outputs."""
    own = ((region, region.name) for region in facts.spec.regions)
    further = (
        (region, f"{output.name}, {region.name}")
        for output in _galleries(facts)
        for region in output.regions
    )
    for region, subject in (*own, *further):
        if region.storage == "PremiumV2_LRS":
            yield Breach(subject, f"it is kept in {region.storage}")


@rule(
    "P144",
    "An output is numbered in one way",
    why="one of the two would mean nothing, and it is written nowhere which",
    source=_AIB + "distribute: versioning, and a version in galleryImageId",
    fix="end 'gallery' before '/versions/', or take 'versioning' out",
)
def numbers_come_from_one_place(facts: SpecFacts) -> Iterator[Breach]:
    """The id of an output's definition may end in a version."""
    for output in _galleries(facts):
        if output.versioning and "/versions/" in output.gallery:
            yield Breach(output.name, "it names a version and how versions are numbered")


@rule(
    "P145",
    "The number of an output's version is left to Azure",
    why="a version is made once: the next bake is refused because it exists",
    source=_AIB + "distribute: an explicit version must not exist",
    fix="end 'gallery' before '/versions/', and say 'versioning' where latest + 1 does not do",
    severity=Severity.WARNING,
)
def outputs_can_be_baked_again(facts: SpecFacts) -> Iterator[Breach]:
    """A spec is baked again and again, and a version is created once."""
    for output in _galleries(facts):
        _, _, number = output.gallery.partition("/versions/")
        if number:
            yield Breach(output.name, f"it makes version {number}, once")


@rule(
    "P146",
    "Numbering by source has a source with a number, and no major",
    why="Azure takes the whole number from the source's; a managed image has none",
    source=_AIB + "distribute: versioning, scheme Source",
    fix="write 'scheme: latest'",
)
def numbers_have_an_origin(facts: SpecFacts) -> Iterator[Breach]:
    """The scheme `Source` takes no major number, and needs a source that has a version."""
    for output in _galleries(facts):
        versioning = output.versioning
        if versioning is None or versioning.scheme is not VersioningScheme.SOURCE:
            continue
        if versioning.major is not None:
            yield Breach(output.name, "'major' is for 'scheme: latest'")
        elif isinstance(facts.spec.source, ManagedImage):
            yield Breach(output.name, "the source is a managed image, which has no version")


def _shallow(facts: SpecFacts) -> Iterator[tuple[str, tuple[TargetRegion, ...]]]:
    if facts.spec.gallery.replication is Replication.SHALLOW:
        yield facts.spec.name, facts.spec.regions
    for output in _galleries(facts):
        if output.replication is Replication.SHALLOW:
            yield output.name, output.regions


@rule(
    "P147",
    "A shallow version has one replica in one region",
    why="it is the build's own disk, which nothing copies",
    source=_GALLERY + "shallow replication",
    fix="name one region with one replica, or write 'replication: Full'",
)
def shallow_versions_are_single(facts: SpecFacts) -> Iterator[Breach]:
    """Check the image itself and its outputs."""
    for subject, regions in _shallow(facts):
        replicas = sum(region.replicas for region in regions)
        if replicas > 1:
            yield Breach(subject, f"it is shallow, and gets {replicas} replicas")


@rule(
    "P148",
    "Nothing shallow is in production",
    why="one disk serves every machine: a fleet that starts at once waits for it",
    source=_GALLERY + "shallow replication: for tests, without the gallery's availability",
    fix="write 'replication: Full'",
    severity=Severity.WARNING,
)
def production_is_replicated(facts: SpecFacts) -> Iterator[Breach]:
    """Only specs whose tag `environment` says production are checked."""
    if facts.spec.tags.get("environment", "").lower() in _PRODUCTION:
        for subject, _ in _shallow(facts):
            yield Breach(subject, "it is shallow, and for production")


@rule(
    "P149",
    "A trigger can be set, and its candidates go elsewhere",
    why="Azure watches marketplace images and galleries; candidates are in no lock",
    source=_AIB + "triggers: SourceImage, whose source is not the destination",
    fix="take 'trigger' out, or name a definition that is only for candidates",
)
def triggers_can_be_set(facts: SpecFacts) -> Iterator[Breach]:
    """A managed image has no versions to watch; candidates are for tests, not for machines."""
    trigger, spec = facts.spec.trigger, facts.spec
    if trigger is None:
        return
    if isinstance(spec.source, ManagedImage):
        yield Breach(spec.name, "its source is a managed image, which never has a newer version")
    wanted = trigger.definition.lower()
    source = "" if isinstance(spec.source, ManagedImage) else spec.source.named[0].lower()
    own = f"{facts.gallery}/images/{spec.gallery.definition}".lower()
    if wanted in (own, source, *(definition_of(output) for output in _galleries(facts))):
        yield Breach(spec.name, "candidates would go where other versions are")
