"""References of image templates, which the service resolves after it accepted the PUT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.galleries.definitions import security_type
from imagebake.emulator.identifiers import (
    ImageId,
    known_image_id,
    region,
    resource_group_id,
    version_numbers,
)
from imagebake.emulator.image_builder.template_validation import regions_of
from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.store import Resource, Session

_VERSIONS = "Microsoft.Compute/galleries/images/versions"
_GROUPS = "Microsoft.Resources/resourceGroups"
_TEMPLATES = "Microsoft.VirtualMachineImages/imageTemplates"
# Documented: these security types cannot be a source.
_UNSUPPORTED_SOURCES = ("TrustedLaunch", "ConfidentialVM")


class ProvisioningFailed(Exception):
    """The template was accepted but cannot be provisioned; *code* is a `provisioningErrorCode`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A template's resolved source image."""

    exact_version: str
    generation: str | None = None
    security: str | None = None


def validate_references(
    template: Resource, session: Session, marketplace: Marketplace
) -> SourceImage:
    """Resolve every reference of *template*; raises `ProvisioningFailed`."""
    properties = template.properties
    source = find_source(properties["source"], template.body["location"], session, marketplace)
    for step in properties.get("customize") or ():
        _require_script(step, "Customizer")
    for step in (properties.get("validate") or {}).get("inVMValidations") or ():
        _require_script(step, "Validator")
    for distributor in properties["distribute"]:
        if distributor["type"] == "SharedImage":
            find_destination(distributor, source, session)
    _check_staging(template, session)
    return source


def _require_script(step: Mapping[str, Any], kind: str) -> None:
    if step["type"] in ("Shell", "PowerShell") and not (
        step.get("inline") or step.get("scriptUri")
    ):
        raise ProvisioningFailed(
            f"No{kind}Script",
            f"{kind} '{step.get('name', '')}' of type '{step['type']}' has neither 'inline' nor"
            " 'scriptUri'.",
        )


def find_source(
    source: Mapping[str, Any], location: str, session: Session, marketplace: Marketplace
) -> SourceImage:
    """Resolve the source image and its version; raises `ProvisioningFailed`."""
    if source["type"] == "PlatformImage":
        return _platform_image(source, location, marketplace)
    if source["type"] == "ManagedImage":
        return SourceImage("")
    named = known_image_id(source["imageVersionId"])
    return _gallery_source(named, session)


def _platform_image(
    source: Mapping[str, Any], location: str, marketplace: Marketplace
) -> SourceImage:
    # An offer that is not configured is taken on trust, with any version.
    offered = marketplace.versions(location, source["publisher"], source["offer"], source["sku"])
    if offered is None:
        return SourceImage(source["version"])
    wanted = source["version"]
    version = max(offered, key=_numbers, default=None) if wanted == "latest" else wanted
    if version not in offered:
        raise ProvisioningFailed(
            "BadPIRSource",
            f"The platform image '{source['publisher']}:{source['offer']}:{source['sku']}:"
            f"{wanted}' is not available in {location}.",
        )
    return SourceImage(str(version), offered[str(version)].get("hyperVGeneration"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _gallery_source(named: ImageId, session: Session) -> SourceImage:
    definition = session.find(named.definition_id)
    version = _exact_version(named, session)
    # Taken on trust: the emulator knows a single subscription.
    if not definition and is_elsewhere(named, session):
        return SourceImage(named.version or "")
    if not definition or not version:
        raise ProvisioningFailed(
            "BadSharedImageVersionSource",
            f"The gallery image version '{named.text}' was not found.",
        )
    security = security_type(definition)
    if definition.properties["osState"] == "Specialized" or security in _UNSUPPORTED_SOURCES:
        raise ProvisioningFailed(
            "BadSharedImageVersionSource",
            f"The gallery image version '{named.text}' cannot be a source: its definition is"
            f" {definition.properties['osState']} with security type {security}.",
        )
    return SourceImage(version.name, definition.properties["hyperVGeneration"], security)


def _exact_version(named: ImageId, session: Session) -> Resource | None:
    if named.version != "latest":
        return session.find(named.text)
    # `latest` skips versions that are excluded from latest.
    visible = [
        version
        for version in session.list(_VERSIONS, f"{named.definition_id}/versions/")
        if not version.properties["publishingProfile"]["excludeFromLatest"]
    ]
    return max(visible, key=lambda version: version_numbers(version.name) or (), default=None)


def is_elsewhere(named: ImageId, session: Session) -> bool:
    """Return whether an image is in a subscription that the emulator does not hold."""
    subscription = "/".join(named.text.split("/")[:3])
    return not session.list(_GROUPS, f"{subscription}/", limit=1)


def find_destination(
    distributor: Mapping[str, Any], source: SourceImage, session: Session
) -> Resource | None:
    """Return the definition that a gallery distributor targets; raises `ProvisioningFailed`.

    None stands for a definition in another subscription, which is not checked.
    """
    named = known_image_id(distributor["galleryImageId"])
    definition = session.find(named.definition_id)
    if not definition and is_elsewhere(named, session):
        return None
    if not definition:
        raise _bad_distribute(f"The gallery image '{named.definition_id}' was not found.")
    if named.version and session.find(named.text):
        raise _bad_distribute(f"The gallery image version '{named.text}' already exists.")
    home = region(definition.body["location"])
    # Documented: the definition's own region must be among the targets.
    if (regions := regions_of(distributor)) and home not in regions:
        raise _bad_distribute(
            f"The regions '{', '.join(regions)}' must contain '{home}', the region of the gallery"
            f" image '{named.definition_id}'."
        )
    _same_kind(definition, source)
    return definition


def _same_kind(definition: Resource, source: SourceImage) -> None:
    generation = definition.properties["hyperVGeneration"]
    if source.generation and source.generation != generation:
        raise _bad_distribute(
            f"The source image has a different Hypervisor generation ['{source.generation}'] than"
            f" the destination gallery image ['{generation}']."
        )
    supported, security = "TrustedLaunchSupported", security_type(definition)
    # Documented: Trusted Launch support must match; the text is assumed.
    if source.security and (source.security == supported) != (security == supported):
        raise _bad_distribute(
            f"The source image has security type '{source.security}' and the destination gallery"
            f" image '{security}'; {supported} must be on both or on neither."
        )


def _bad_distribute(message: str) -> ProvisioningFailed:
    return ProvisioningFailed("BadSharedImageDistribute", message)


def _check_staging(template: Resource, session: Session) -> None:
    wanted = str(template.properties.get("stagingResourceGroup"))
    named = resource_group_id(wanted)
    if not named:
        return
    if named[0].lower() != template.id.split("/")[2].lower() or not session.find(wanted):
        raise ProvisioningFailed(
            "BadStagingResourceGroup",
            f"The staging resource group '{wanted}' does not exist in the template's subscription.",
        )
    # Documented: a staging group serves a single template.
    for other in session.list(_TEMPLATES, f"/subscriptions/{named[0]}/"):
        theirs = str(other.properties.get("stagingResourceGroup")).lower()
        if other.key != template.key and theirs == wanted.lower():
            raise ProvisioningFailed(
                "BadStagingResourceGroup",
                f"The staging resource group '{wanted}' is used by the image template"
                f" '{other.name}'.",
            )
