"""Distribution of a built image: gallery versions, image records, run outputs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.emulator.calls import Pace
from imagebake.emulator.errors import ArmError
from imagebake.emulator.galleries.publishing import publishing_profile
from imagebake.emulator.galleries.versions import KIND as VERSIONS
from imagebake.emulator.galleries.versions import new_version
from imagebake.emulator.identifiers import image_id, region, version_numbers
from imagebake.emulator.image_builder.template_references import (
    ProvisioningFailed,
    SourceImage,
    find_destination,
)
from imagebake.emulator.store import Resource, Session

Version = tuple[int, int, int]
RUN_OUTPUTS = "Microsoft.VirtualMachineImages/imageTemplates/runOutputs"


def next_latest(existing: Iterable[Version], major: int | None = None) -> Version:
    """Return the next version under the versioning scheme `Latest`.

    That is a patch above the highest version, or above the highest of *major* if that is given
    (and not -1, which the service treats as absent).
    """
    # Documented vectors; assumed: an empty gallery starts at 0.0.1, a new major at major.0.0.
    chosen = None if major in (None, -1) else major
    among = [version for version in existing if chosen is None or version[0] == chosen]
    if among:
        greatest = max(among)
        return greatest[0], greatest[1], greatest[2] + 1
    return (0, 0, 1) if chosen is None else (chosen, 0, 0)


def next_from_source(existing: Iterable[Version], source: Version) -> Version:
    """Return the next version under the versioning scheme `Source`.

    That is the source's major and minor, and its patch unless that or a higher one exists.
    """
    taken = [version[2] for version in existing if version[:2] == source[:2]]
    # Documented: the source's number; assumed: the next free patch if it is taken.
    return source[0], source[1], max([source[2], *(patch + 1 for patch in taken)])


def distribute(
    template: Resource,
    record: Mapping[str, Any],
    session: Session,
    *,
    time: float,
    pace: Pace,
) -> list[ArmError]:
    """Distribute a built image to every target of *template*; return the failures."""
    errors: list[ArmError] = []
    for distributor in template.properties["distribute"]:
        try:
            artifact = _distribute(
                distributor, template, record, session=session, time=time, pace=pace
            )
        except (ArmError, ProvisioningFailed) as error:
            errors.append(ArmError(409, error.code, error.message))
        else:
            session.put(_run_output(template, distributor, artifact))
    return errors


def distribution_timeout_message(template: Resource) -> str:
    """Return the error message of a run whose timeout expired during replication."""
    distributors = template.properties["distribute"]
    targets = [target for target in distributors if target["type"] == "SharedImage"]
    definition = str(targets[0]["galleryImageId"]).partition("/versions/")[0] if targets else ""
    group, gallery, image = (
        definition.partition(f"/{part}/")[2].partition("/")[0]
        for part in ("resourceGroups", "galleries", "images")
    )
    return (
        f"Failed in distributing 1 images out of total {len(targets)}: {{[Error 0] [Distribute 0]"
        f" Error publishing MDI to Azure Compute Gallery:{definition}, Location:"
        f"{template.body['location']}. Error: Error returned from SIG client while publishing MDI"
        " to Azure Compute Gallery. Error: Error waiting on Azure Compute Gallery future for"
        f" resource group: {group}, gallery name: {gallery}, gallery image name: {image}.Error:"
        " Future#WaitForCompletion: context has been cancelled: StatusCode=200 -- Original Error:"
        " context deadline exceeded}."
    )


def _distribute(
    distributor: Mapping[str, Any],
    template: Resource,
    record: Mapping[str, Any],
    *,
    session: Session,
    time: float,
    pace: Pace,
) -> dict[str, str]:
    # Neither managed images nor VHDs are emulated: there is only the run output.
    if distributor["type"] == "ManagedImage":
        return {"artifactId": distributor["imageId"]}
    if distributor["type"] == "VHD":
        default = f"https://imagebake.blob.localhost/vhds/{uuid.uuid4()}.vhd"
        return {"artifactUri": distributor.get("uri") or default}
    exact = template.properties["source"].get("exactVersion", "")
    definition = find_destination(distributor, SourceImage(exact), session)
    if definition is None:  # in another subscription: there is only the run output
        return {"artifactId": distributor["galleryImageId"]}
    version = _version(distributor, definition, exact, session)
    place = region(definition.body["location"])
    # The quota is checked when the version is created, as the build is long over by then.
    if pace.quotas:
        pace.quotas.require_room(session, "versions", definition.id.split("/")[2], place)
    made = new_version(
        version,
        place=place,
        tags=distributor.get("artifactTags") or {},
        profile=_profile(distributor, definition),
        source={"source": {"id": f"{template.id}/runOutputs/{distributor['runOutputName']}"}},
        definition=definition,
        time=time,
        pace=pace,
    )
    session.put(made)
    session.keep_record(made.id, dict(record))
    return {"artifactId": made.id}


def _version(
    distributor: Mapping[str, Any], definition: Resource, source: str, session: Session
) -> str:
    named = image_id(distributor["galleryImageId"])
    if named and named.version:
        return named.version
    existing = [
        numbers
        for version in session.list(VERSIONS, f"{definition.id}/versions/")
        if (numbers := version_numbers(version.name))
    ]
    wanted = distributor.get("versioning") or {"scheme": "Latest"}
    if wanted["scheme"] == "Source":
        numbers = version_numbers(source)
        if not numbers:
            raise ArmError(
                409,
                "BadSharedImageDistribute",
                f"The source image's version '{source}' cannot be the version of a gallery image.",
            )
        found = next_from_source(existing, numbers)
    else:
        found = next_latest(existing, wanted.get("major"))
    return ".".join(map(str, found))


def _profile(distributor: Mapping[str, Any], definition: Resource) -> dict[str, Any]:
    """Convert the distributor's regions to Compute's: `replicaCount` is `regionalReplicaCount`."""
    storage = distributor.get("storageAccountType") or "Standard_LRS"
    targets = distributor.get("targetRegions") or [
        {"name": name} for name in distributor.get("replicationRegions") or ()
    ]
    regions = [
        {
            "name": target["name"],
            "regionalReplicaCount": target.get("replicaCount", 1),
            "storageAccountType": target.get("storageAccountType") or storage,
        }
        for target in targets
    ]
    given: dict[str, Any] = {
        "targetRegions": regions,
        "excludeFromLatest": distributor.get("excludeFromLatest", False),
        "storageAccountType": storage,
        "replicationMode": distributor.get("replicationMode") or "Full",
    }
    return publishing_profile(given, region(definition.body["location"]))


def _run_output(
    template: Resource, distributor: Mapping[str, Any], artifact: Mapping[str, str]
) -> Resource:
    name = distributor["runOutputName"]
    return Resource(
        RUN_OUTPUTS,
        {
            "id": f"{template.id}/runOutputs/{name}",
            "name": name,
            "type": RUN_OUTPUTS,
            "properties": dict(artifact),
        },
    )
