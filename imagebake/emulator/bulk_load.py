"""Bulk load of resources that count as long settled, for benchmarks and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from imagebake.emulator import resources as etags
from imagebake.emulator.calls import Pace, stamp_of
from imagebake.emulator.galleries.publishing import publishing_profile, replicate
from imagebake.emulator.identifiers import image_id
from imagebake.emulator.machines.scale_set_models import (
    INSTANCE,
    SCALE_SET,
    apply_model,
    instance_body,
    set_properties,
    sku,
    without_secrets,
)
from imagebake.emulator.store import Resource, Session
from imagebake.kernel.errors import UsageError

_SAFETY = {"allowDeletionOfReplicatedLocations": True, "blockDeletionBeforeEndOfLife": False}
_VERSION = "Microsoft.Compute/galleries/images/versions"
_MACHINE = "Microsoft.Compute/virtualMachines"


def load(session: Session, resources: Iterable[Mapping[str, Any]], time: float) -> int:
    """Put *resources* into the store, and return how many they became.

    Each is the body of a PUT with its `id`. It counts as settled, and references are not checked.
    A scale set brings as many instances as its capacity, created from the version that its model
    names, or from `exactVersion` of its image reference.
    """
    loaded = 0
    for given in resources:
        resource = _resource(given)
        session.put(_LOADERS.get(resource.kind.lower(), _unchanged)(resource, time))
        loaded += 1
        if resource.kind == SCALE_SET:
            for number in range(resource.body["sku"]["capacity"]):
                session.put(_instance(resource, number))
                loaded += 1
    return loaded


def _resource(given: Mapping[str, Any]) -> Resource:
    named = str(given.get("id", ""))
    _, found, path = named.partition("/providers/")
    words = path.split("/")
    if not found or len(words) % 2 == 0:
        raise UsageError(f"{named!r} is not the id of a resource")
    kind = "/".join([words[0], *words[1::2]])
    body = {
        "name": words[-1],
        "type": kind,
        "location": "westeurope",
        "tags": {},
        "properties": {},
    } | dict(given)
    return Resource(kind, body)


def _unchanged(resource: Resource, time: float) -> Resource:
    del time
    return resource


def _version(version: Resource, time: float) -> Resource:
    given = version.properties
    profile = publishing_profile(given.get("publishingProfile") or {}, version.body["location"])
    profile.setdefault("publishedDate", stamp_of(time))
    version.body["properties"] = dict(given) | {
        "publishingProfile": profile,
        "storageProfile": given.get("storageProfile") or {"osDiskImage": {"sizeInGB": 30}},
        "safetyProfile": _SAFETY | (given.get("safetyProfile") or {}),
    }
    regions = [region["name"] for region in profile["targetRegions"]]
    replicate(version, regions, Pace(), time)
    return version


def _scale_set(scale_set: Resource, time: float) -> Resource:
    del time
    scale_set.kind = SCALE_SET
    body = scale_set.body
    body["sku"] = sku(body.get("sku"))
    body["properties"], secrets = without_secrets(set_properties(scale_set.properties, None))
    scale_set.private = {"model": 1, "next_instance": body["sku"]["capacity"], "secrets": secrets}
    etags.advance_etag(scale_set)
    return scale_set


def _instance(scale_set: Resource, number: int) -> Resource:
    profile = scale_set.properties["virtualMachineProfile"]
    reference = profile["storageProfile"]["imageReference"]
    image = image_id(reference.get("id"))
    # A body that an inventory was read from carries exactVersion.
    version = reference.get("exactVersion") or (image and image.version) or ""
    instance = Resource(INSTANCE, instance_body(scale_set, number))
    apply_model(instance, scale_set, version)
    instance.private["image"] = image.with_version(version) if image else ""
    return instance


def _machine(machine: Resource, time: float) -> Resource:
    del time
    machine.private["power"] = "running"
    machine.properties.setdefault("osProfile", {"computerName": machine.name})
    etags.advance_etag(machine)
    return machine


_LOADERS: Mapping[str, Callable[[Resource, float], Resource]] = {
    _VERSION.lower(): _version,
    SCALE_SET.lower(): _scale_set,
    _MACHINE.lower(): _machine,
}
