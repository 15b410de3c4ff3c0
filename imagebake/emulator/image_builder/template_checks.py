"""What an image template may say, as far as it can be told from the template alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import (
    TEMPLATE,
    image_id,
    is_managed_image,
    region,
    resource_group_id,
    version_numbers,
)
from imagebake.emulator.image_builder.template_shape import bad_value, missing_field

_LONGEST_BUILD_MINUTES = 960
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.managedidentity"
    r"/userassignedidentities/[^/]+",
    re.IGNORECASE,
)
_PROPERTIES = "ImageTemplate.properties"


def check_name(name: str) -> None:
    """A template's name: `^[A-Za-z0-9-_.]{1,64}$`."""
    if not TEMPLATE.fullmatch(name):
        raise ArmError(
            400,
            "InvalidResourceName",
            f"The entity name '{name}' is invalid according to its validation rule:"
            " ^[A-Za-z0-9-_.]{1,64}$.",
        )


def check_identity(identity: Mapping[str, Any]) -> None:
    """Exactly one user-assigned identity, for the service to act as."""
    assigned = identity.get("userAssignedIdentities") or {}
    if identity.get("type", "UserAssigned") != "UserAssigned":
        raise bad_value("ImageTemplate", "identity.type", identity["type"])
    if len(assigned) != 1:
        raise bad_value("ImageTemplate", "identity.userAssignedIdentities", list(assigned))
    (named,) = assigned
    if not _IDENTITY.fullmatch(named):
        raise bad_value("ImageTemplate", "identity.userAssignedIdentities", named)


def check_properties(properties: Mapping[str, Any]) -> None:
    """The properties of a template; raises the first `ArmError`."""
    minutes = properties.get("buildTimeoutInMinutes", 0)
    if not 0 <= minutes <= _LONGEST_BUILD_MINUTES:
        raise bad_value(_PROPERTIES, "buildTimeoutInMinutes", minutes)
    group = properties.get("stagingResourceGroup")
    if group and not resource_group_id(group):
        raise bad_value(_PROPERTIES, "stagingResourceGroup", group)
    _check_source(properties["source"])
    for index, step in enumerate(properties.get("customize") or ()):
        _check_step(step, f"customize[{index}]")
    validators = (properties.get("validate") or {}).get("inVMValidations") or ()
    for index, step in enumerate(validators):
        _check_step(step, f"validate.inVMValidations[{index}]")
    check_distribute(properties["distribute"])
    check_vm_profile(properties.get("vmProfile") or {})


def _check_source(source: Mapping[str, Any]) -> None:
    owner = f"{_PROPERTIES}.source"
    if source["type"] == "PlatformImage":
        for field in ("publisher", "offer", "sku", "version"):
            if not source.get(field):
                raise missing_field(owner, field)
    elif source["type"] == "ManagedImage":
        if not is_managed_image(source["imageId"]):
            raise bad_value(owner, "imageId", source["imageId"])
    else:
        named = image_id(source["imageVersionId"])
        exact = (
            named
            and named.version
            and (named.version == "latest" or version_numbers(named.version))
        )
        if not exact:
            raise bad_value(owner, "imageVersionId", source["imageVersionId"])


def _check_step(step: Mapping[str, Any], field: str) -> None:
    """One customizer or validator; whether it has a script at all is found out later."""
    checksum = step.get("sha256Checksum")
    if checksum and not _SHA256.fullmatch(checksum):
        raise bad_value(_PROPERTIES, f"{field}.sha256Checksum", checksum)
    if step.get("scriptUri") and step.get("inline"):
        raise bad_value(_PROPERTIES, f"{field}.inline", "only one of scriptUri and inline")
    if step.get("runAsSystem") and not step.get("runElevated"):
        raise bad_value(_PROPERTIES, f"{field}.runAsSystem", "true without runElevated")
    timeout = step.get("restartTimeout")
    if timeout and not _DURATION.fullmatch(timeout):
        raise bad_value(_PROPERTIES, f"{field}.restartTimeout", timeout)
    if step["type"] == "File":
        for name in ("sourceUri", "destination"):
            if not step.get(name):
                raise missing_field(_PROPERTIES, f"{field}.{name}")
        _check_destination(step["destination"], f"{field}.destination")


def _check_destination(destination: str, field: str) -> None:
    """A file can be put below `/tmp` on Linux, and anywhere on a drive on Windows."""
    on_windows = re.match(r"[A-Za-z]:[\\/]", destination)
    below_tmp = re.fullmatch(r"/tmp/[^/]+(/[^/]+)*", destination)  # noqa: S108 - on the guest
    if not on_windows and not below_tmp:
        raise bad_value(_PROPERTIES, field, destination)


def check_distribute(distributors: Iterable[Mapping[str, Any]]) -> None:
    """The distributors, each alone and their run outputs' names together."""
    seen: set[str] = set()
    for index, distributor in enumerate(distributors):
        field, name = f"distribute[{index}]", distributor["runOutputName"]
        if not TEMPLATE.fullmatch(name) or name.lower() in seen:
            raise bad_value(_PROPERTIES, f"{field}.runOutputName", name)
        seen.add(name.lower())
        if check := _DISTRIBUTORS.get(distributor["type"]):
            check(distributor, field)


def _check_managed_image(distributor: Mapping[str, Any], field: str) -> None:
    if not is_managed_image(distributor["imageId"]):
        raise bad_value(_PROPERTIES, f"{field}.imageId", distributor["imageId"])


def _check_gallery(distributor: Mapping[str, Any], field: str) -> None:
    named = image_id(distributor["galleryImageId"])
    if not named or (named.version is not None and not version_numbers(named.version)):
        raise bad_value(_PROPERTIES, f"{field}.galleryImageId", distributor["galleryImageId"])
    if distributor.get("targetRegions") and distributor.get("replicationRegions"):
        given = distributor["replicationRegions"]
        raise bad_value(_PROPERTIES, f"{field}.replicationRegions", given)
    for index, target in enumerate(distributor.get("targetRegions") or ()):
        count = target.get("replicaCount", 1)
        if count < 1:
            raise bad_value(_PROPERTIES, f"{field}.targetRegions[{index}].replicaCount", count)
    regions = regions_of(distributor)
    if len(set(regions)) != len(regions):
        raise bad_value(_PROPERTIES, f"{field}.targetRegions", ", ".join(regions))
    major = (distributor.get("versioning") or {}).get("major", 0)
    if major < -1:
        raise bad_value(_PROPERTIES, f"{field}.versioning.major", major)


_DISTRIBUTORS: Mapping[str, Callable[[Mapping[str, Any], str], None]] = {
    "ManagedImage": _check_managed_image,
    "SharedImage": _check_gallery,
}


def regions_of(distributor: Mapping[str, Any]) -> tuple[str, ...]:
    """The regions that a gallery distributor names, in either of its two ways."""
    targets = [target["name"] for target in distributor.get("targetRegions") or ()]
    return tuple(region(name) for name in targets or distributor.get("replicationRegions") or ())


def check_vm_profile(profile: Mapping[str, Any]) -> None:
    """The build machine's profile."""
    owner, network = f"{_PROPERTIES}.vmProfile", profile.get("vnetConfig") or {}
    if profile.get("osDiskSizeGB", 0) < 0:
        raise bad_value(owner, "osDiskSizeGB", profile["osDiskSizeGB"])
    containers = network.get("containerInstanceSubnetId")
    if not containers:
        return
    if not network.get("subnetId"):
        raise missing_field(f"{owner}.vnetConfig", "subnetId")
    networks = {
        subnet.lower().rpartition("/subnets/")[0] for subnet in (containers, network["subnetId"])
    }
    if containers.lower() == network["subnetId"].lower() or len(networks) > 1:
        raise bad_value(f"{owner}.vnetConfig", "containerInstanceSubnetId", containers)
    if network.get("proxyVmSize"):
        raise bad_value(f"{owner}.vnetConfig", "proxyVmSize", network["proxyVmSize"])
