"""Read the inventory for a rollout decision, with as few requests as lists allow.

A list each of definitions, machines, scale sets, image templates and locks; a list of the
versions of each definition, and of the instances of each scale set that uses a custom image.
Whatever cannot be read is recorded in `unread`, and then nothing is deleted.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.azure.client.requests import pages, run_concurrently
from imagebake.azure.client.serialize import gallery_version
from imagebake.azure.compute.references import image_of, of_gallery, sources
from imagebake.azure.compute.scale_sets import (
    ScaleSetClient,
    machine,
    model_reference,
    scale_set,
    unsettled,
)
from imagebake.azure.model.fleet import Definition, Inventory, Machine, ScaleSet
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import scope_of
from imagebake.kernel.errors import CloudError

_API = "2020-05-01"
_PROVIDER = "Microsoft.Authorization/locks"


def locks(clients: Clients) -> dict[str, tuple[str, ...]]:
    """Return the names of the subscription's locks by the scope of each, an id in lower case.

    A lock applies to everything below its scope.
    """
    subscription = f"/subscriptions/{clients.endpoint.subscription}"
    path = f"{subscription}/providers/{_PROVIDER}?api-version={_API}"
    found: dict[str, tuple[str, ...]] = {}
    for lock in pages(clients, "list the locks", path):
        scope = scope_of(str(lock["id"]), _PROVIDER).lower()
        found[scope] = (*found.get(scope, ()), str(lock["name"]))
    return found


# Values of sharingProfile.permissions that let other subscriptions use the gallery.
_SHARED = ("Groups", "Community")

Json = dict[str, Any]


def users(
    resources: Iterable[Mapping[str, Any]], gallery_id: str
) -> tuple[tuple[Machine, ...], tuple[str, ...]]:
    """Return the machines or instances that may use the gallery, and what is not known."""
    found, unread = [], []
    for resource in resources:
        profile = (resource.get("properties") or {}).get("storageProfile")
        if profile is None or not image_of(profile.get("imageReference")).known:
            unread.append(f"which image {resource['id']} was made from")
        elif of_gallery((user := machine(resource)).image, gallery_id):
            found.append(user)
    return tuple(found), tuple(unread)


@dataclass(slots=True)
class InventoryReader:
    """Reads the inventory of the gallery *name*; used once.

    Scale sets on the galleries *kin*, given by their ids, are read as well.
    """

    clients: Clients
    name: str
    now: Callable[[], dt.datetime]
    kin: tuple[str, ...] = ()
    unread: list[str] = field(default_factory=list)

    def all(self, images: tuple[str, ...] | None, *, consumers: bool) -> Inventory:
        """Return the inventory of *images* (None: of all), with their *consumers*.

        Raises `CloudError` where the gallery, its definitions or the versions of a named
        image cannot be read: there is nothing to decide on then.
        """
        at = self.now()
        compute = self.clients.compute
        asked: list[Callable[[], Any]] = [self._gallery, self._definitions]
        if consumers:
            asked += [
                lambda: self._listed("machines", compute.virtual_machines.list_all),
                lambda: self._listed("scale sets", compute.virtual_machine_scale_sets.list_all),
                self._templates,
                self._locks,
            ]
        gallery, definitions, *used = run_concurrently(asked)
        machines, sets, templates, held = used or ([], [], [], {})
        wanted = [
            definition for definition in definitions if images is None or definition.name in images
        ]
        self._note_what_is_left_out(wanted, definitions, gallery, consumers=consumers)
        works: list[Callable[[], Any]] = [
            functools.partial(self._versions, definition.name, named=bool(images))
            for definition in wanted
        ]
        works += [functools.partial(self._scale_set, scale_set) for scale_set in sets]
        found = run_concurrently(works)
        versions, scale_sets = found[: len(wanted)], found[len(wanted) :]
        soft = (gallery.get("properties") or {}).get("softDeletePolicy") or {}
        return Inventory(
            gallery=str(gallery["id"]),
            at=at,
            definitions=tuple(definitions),
            versions=tuple(version for each in versions for version in each),
            scale_sets=tuple(found for found in scale_sets if found),
            machines=self._used(machines),
            locks=held,
            others=sources(templates, self._id),
            unread=tuple(sorted(set(self.unread))),
            soft_delete=bool(soft.get("isSoftDeleteEnabled")),
        )

    def _gallery(self) -> Json:
        galleries = self.clients.compute.galleries
        doing = f"read gallery {self.name!r}"
        gallery: Json = self.clients.ask(doing, galleries.get, self._group, self.name)
        return gallery

    def _definitions(self) -> list[Definition]:
        listed = self.clients.ask(
            f"list the image definitions of gallery {self.name!r}",
            self.clients.compute.gallery_images.list_by_gallery,
            self._group,
            self.name,
        )
        return [
            Definition(
                id=str(definition["id"]),
                name=str(definition["name"]),
                tags=dict(definition.get("tags") or {}),
            )
            for definition in listed
        ]

    def _versions(self, definition: str, *, named: bool) -> tuple[GalleryVersion, ...]:
        try:
            listed = self.clients.ask(
                f"list the versions of {definition!r}",
                self.clients.compute.gallery_image_versions.list_by_gallery_image,
                self._group,
                self.name,
                definition,
            )
        except NotFound:
            return ()
        except CloudError as error:
            if named:
                raise
            self._cannot(f"the versions of {definition}", error)
            return ()
        return tuple(gallery_version(definition, resource) for resource in listed)

    def _listed(self, what: str, call: Callable[[], Any]) -> list[Json]:
        try:
            listed: list[Json] = self.clients.ask(f"list the {what} of the subscription", call)
        except CloudError as error:
            self._cannot(f"the {what}", error)
            return []
        return listed

    def _templates(self) -> list[Json]:
        templates = self.clients.image_builder.virtual_machine_image_templates
        return self._listed("image templates", templates.list)

    def _locks(self) -> Mapping[str, tuple[str, ...]]:
        try:
            return locks(self.clients)
        except CloudError as error:
            self._cannot("the locks", error)
            return {}

    def _scale_set(self, resource: Json) -> ScaleSet | None:
        """Return a scale set whose model or instances use the gallery, else None."""
        used = image_of(model_reference(resource))
        if not used.known:
            self.unread.append(f"which image the model of {resource['id']} names")
        found, client = scale_set(resource), ScaleSetClient(self.clients, str(resource["id"]))
        listed = self._instances(client, resource) if used.custom else []
        instances = self._used(listed)
        if not instances and not any(
            of_gallery(found.image, name) for name in (self._id, *self.kin)
        ):
            return None
        found = replace(found, instances=instances)
        if unsettled(listed):
            found = self._upgrade(found, client)
        return found

    def _instances(self, client: ScaleSetClient, resource: Json) -> list[Json]:
        """Return the instances; those of a flexible scale set are in the list of machines."""
        # An empty scale set needs no request.
        mode = (resource.get("properties") or {}).get("orchestrationMode")
        if mode == "Flexible" or (resource.get("sku") or {}).get("capacity") == 0:
            return []
        try:
            return client.instances()
        except NotFound:
            return []
        except CloudError as error:
            self._cannot(f"the instances of {resource['id']}", error)
            return []

    def _upgrade(self, found: ScaleSet, client: ScaleSetClient) -> ScaleSet:
        """Add the state of the upgrade; called only where the instances hint at one."""
        try:
            return replace(found, upgrade=client.upgrade())
        except CloudError as error:
            self._cannot(f"the upgrade of {found.id}", error)
            return found

    def _used(self, resources: Iterable[Json]) -> tuple[Machine, ...]:
        machines, unread = users(resources, self._id)
        self.unread += unread
        return machines

    def _note_what_is_left_out(
        self,
        wanted: list[Definition],
        definitions: list[Definition],
        gallery: Json,
        *,
        consumers: bool,
    ) -> None:
        if not consumers:
            self.unread.append("who uses the images: it was not asked for")
        if others := len(definitions) - len(wanted):
            self.unread.append(f"whether versions of {others} other images were made from these")
        sharing = ((gallery.get("properties") or {}).get("sharingProfile") or {}).get("permissions")
        if consumers and sharing in _SHARED:
            self.unread.append(
                f"who outside this subscription uses gallery {self.name}, which is shared"
                f" ({sharing})"
            )

    def _cannot(self, what: str, error: CloudError) -> None:
        self.unread.append(f"{what}: {error.message}")

    @property
    def _group(self) -> str:
        return self.clients.endpoint.resource_group

    @property
    def _id(self) -> str:
        return self.clients.endpoint.gallery_id(self.name)
