"""Rules about an image's regions, definition, build machine and schedule: P150 to P159."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.facts import SpecFacts
from imagebake.policy.rule import Breach, rule
from imagebake.spec.model.image_spec import Architecture, Generation, SecurityType
from imagebake.spec.model.outputs import GalleryOutput, TargetRegion
from imagebake.spec.model.source import MarketplaceImage

_AIB = "Azure Image Builder template reference (image-builder-json), "
_GALLERY = "Azure Compute Gallery documentation, "
_PRODUCTION = {"production", "prod"}
_ENOUGH, _TOO_MANY = 3, 50
_SOURCE_DISK_GB = {"debian": 30, "canonical": 30, "microsoftwindowsserver": 127}
_ARM_SIZE = re.compile(r"Standard_[A-Z]+\d+(?:-\d+)?[a-z]*p[a-z]*(?:_|$)")
_EVERY = re.compile(r"\*(/\d+)?")
_CONFIDENTIAL = {
    SecurityType.CONFIDENTIAL_SUPPORTED,
    SecurityType.TRUSTED_LAUNCH_AND_CONFIDENTIAL_SUPPORTED,
}


def _regions(facts: SpecFacts) -> Iterator[tuple[str, TargetRegion]]:
    """Yield every region with replicas: the image's own, then those of its outputs."""
    yield from ((region.name, region) for region in facts.spec.regions)
    for output in facts.spec.distribute:
        if isinstance(output, GalleryOutput):
            yield from ((f"{output.name}, {region.name}", region) for region in output.regions)


@rule(
    "P150",
    "The gallery's region is among the targets",
    why="Azure refuses a version that has no replica in the region of its gallery",
    source=_AIB + "Distribute: targetRegions",
    fix="add the gallery's region to 'regions'",
)
def home_region_is_a_target(facts: SpecFacts) -> Iterator[Breach]:
    """The gallery's region is a setting."""
    if facts.location not in {region.name for region in facts.spec.regions}:
        yield Breach(
            facts.spec.name,
            f"the gallery is in {facts.location}, which is no target region",
            f"add '- name: {facts.location}' to 'regions'",
        )


@rule(
    "P151",
    "A production image has three replicas in each region",
    why="a fleet that starts at once waits for the one copy that there is",
    source=_GALLERY + "best practices: at least three replicas for production",
    fix="raise 'replicas' to 3",
    severity=Severity.WARNING,
)
def production_has_replicas(facts: SpecFacts) -> Iterator[Breach]:
    """Only specs whose tag `environment` says production are checked."""
    if facts.spec.tags.get("environment", "").lower() not in _PRODUCTION:
        return
    for subject, region in _regions(facts):
        if region.replicas < _ENOUGH:
            yield Breach(subject, f"it gets {region.replicas} replicas")


@rule(
    "P152",
    "No region has more than fifty replicas",
    why="more are allowed and paid for, and bring nothing",
    source=_GALLERY + "scaling: one replica for every 20 to 50 machines, up to 50",
    fix="lower 'replicas'",
    severity=Severity.WARNING,
)
def replicas_are_useful(facts: SpecFacts) -> Iterator[Breach]:
    """The schema allows as many as Azure does, which is a hundred."""
    for subject, region in _regions(facts):
        if region.replicas > _TOO_MANY:
            yield Breach(subject, f"it gets {region.replicas} replicas")


@rule(
    "P153",
    "Trusted launch and confidential machines are generation V2",
    why="they need UEFI; Azure refuses such a definition",
    source=_GALLERY + "trusted launch: generation 2 only",
    fix="write 'generation: V2' with a generation 2 source, or 'security: Standard'",
)
def security_fits_generation(facts: SpecFacts) -> Iterator[Breach]:
    """Standard is the only security type of generation V1."""
    gallery = facts.spec.gallery
    if gallery.generation is Generation.V1 and gallery.security is not SecurityType.STANDARD:
        yield Breach(facts.spec.name, f"{gallery.security.value} with generation V1")


@rule(
    "P154",
    "Arm64 images are generation V2, and not confidential",
    why="Azure has no Arm64 machine that boots by BIOS, and none that is confidential",
    source=_GALLERY + "image definitions: Arm64 needs hyperVGeneration V2",
    fix="write 'generation: V2', and 'security: TrustedLaunchSupported' or 'Standard'",
)
def architecture_fits_generation(facts: SpecFacts) -> Iterator[Breach]:
    """Both mistakes are in the definition, which cannot be changed later."""
    gallery = facts.spec.gallery
    if gallery.architecture is not Architecture.ARM64:
        return
    if gallery.generation is Generation.V1:
        yield Breach(facts.spec.name, "Arm64 with generation V1")
    if gallery.security in _CONFIDENTIAL:
        yield Breach(facts.spec.name, f"Arm64 with {gallery.security.value}")


@rule(
    "P155",
    "The source image is of the definition's generation and architecture",
    why="an image has the generation of its source, and a version must fit its definition",
    source=_AIB + "Hyper-V generation of the output is that of the source",
    fix="choose the sku that fits, such as '12-gen2' or '12-arm64'",
)
def source_fits_definition(facts: SpecFacts) -> Iterator[Breach]:
    """Read from the words in the sku; publishers other than Debian may not use them."""
    gallery, source = facts.spec.gallery, facts.spec.source
    if not isinstance(source, MarketplaceImage):
        return
    sku, debian = source.sku.lower(), source.publisher.lower() == "debian"
    arm = gallery.architecture is Architecture.ARM64
    if "gen2" in sku and gallery.generation is Generation.V1:
        yield Breach(facts.spec.name, f"the sku {sku!r} is generation V2, the definition V1")
    if debian and not arm and gallery.generation is Generation.V2 and "gen2" not in sku:
        yield Breach(facts.spec.name, f"the sku {sku!r} is generation V1, the definition V2")
    if ("arm64" in sku) != arm and (debian or "arm64" in sku):
        architecture = gallery.architecture.value
        yield Breach(facts.spec.name, f"the sku {sku!r} is not {architecture}")


@rule(
    "P156",
    "The build machine has the image's processor",
    why="an image can only be built on a machine that can run it",
    source="Azure VM size naming: 'p' among the features means Arm64",
    fix="set 'build.vm_size', such as Standard_D2pds_v5 for Arm64 or Standard_D2ds_v5 for x64",
)
def build_machine_fits(facts: SpecFacts) -> Iterator[Breach]:
    """Read from the name of the size."""
    size = facts.spec.build.vm_size
    arm = facts.spec.gallery.architecture is Architecture.ARM64
    if size.startswith("Standard_") and bool(_ARM_SIZE.match(size)) != arm:
        yield Breach(facts.spec.name, f"{size} cannot build {facts.spec.gallery.architecture}")


@rule(
    "P157",
    "The disk is not smaller than its source's",
    why="Azure only grows a disk; the build would be refused",
    source=_AIB + "osDiskSizeGB: only larger than the source",
    fix="set 'build.os_disk_gb' to the source image's size or more",
)
def disk_is_large_enough(facts: SpecFacts) -> Iterator[Breach]:
    """The sizes are known of the most common marketplace images."""
    size, source = facts.spec.build.os_disk_gb, facts.spec.source
    if not isinstance(source, MarketplaceImage):
        return
    least = 0 if "smalldisk" in source.sku else _SOURCE_DISK_GB.get(source.publisher.lower(), 0)
    if size < least:
        yield Breach(facts.spec.name, f"{size} GB, and the source image has {least}")


@rule(
    "P158",
    "The schedule does not bake more than once a day",
    why="a gallery holds 10,000 versions a region, and each is replicated and paid for",
    source=_GALLERY + "limits",
    fix="name an hour and a minute, such as '17 3 * * 2'",
    severity=Severity.WARNING,
)
def schedule_is_sparse(facts: SpecFacts) -> Iterator[Breach]:
    """Look at the minute and the hour."""
    if facts.spec.schedule is None:
        return
    minute, hour = facts.spec.schedule.cron.split()[:2]
    if any(_EVERY.fullmatch(field) or "," in field or "-" in field for field in (minute, hour)):
        yield Breach(facts.spec.name, f"the schedule is {facts.spec.schedule.cron!r}")


@rule(
    "P159",
    "Every spec has a definition and an identifier of its own",
    why="two images would share one line of versions; Azure refuses an identifier's second use",
    source=_GALLERY + "image definitions: the identifier is unique in its gallery",
    fix="change 'gallery.definition' or 'gallery.identifier' of one of them",
)
def definitions_differ(facts: SpecFacts) -> Iterator[Breach]:
    """Compare with the other specs of the repository; Azure ignores case in names."""
    gallery = facts.spec.gallery
    for other in facts.others:
        if other.name == facts.spec.name:
            continue
        if other.gallery.definition.lower() == gallery.definition.lower():
            yield Breach(facts.spec.name, f"{other.name} has definition {gallery.definition!r} too")
        elif other.gallery.identifier == gallery.identifier:
            shown = "/".join(gallery.identifier.to_json().values())
            yield Breach(facts.spec.name, f"{other.name} has identifier {shown!r} too")
