"""Writes to a gallery version: replicas, visibility, end of life, deletion, restore.

Every write states the final value, so that it may be repeated, and none touches the tags.
Values that are set already are not written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.serialize import gallery_version, moment, region_name
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import names
from imagebake.kernel.errors import CloudError


@dataclass(frozen=True, slots=True)
class GalleryVersionClient:
    """Client of the gallery version with an ARM id, whether it exists or not."""

    clients: Clients
    id: str

    def read(self) -> GalleryVersion | None:
        """Return the version with the state of its replicas, or None."""
        found = self.clients.find(
            f"read version {self}",
            self.clients.compute.gallery_image_versions.get,
            *self._place,
            expand="ReplicationStatus",
        )
        return gallery_version(self._place[2], found) if found else None

    def publish(self, replicas: Mapping[str, int], hidden: frozenset[str]) -> None:
        """Set the number of *replicas* of each region, remove others, hide it in *hidden*.

        Does not wait for the replication, which takes far longer than a request should.
        """
        there = self._properties()
        known = _targets(there)
        wanted = [
            {
                **known.get(region, {"name": region}),
                "regionalReplicaCount": count,
                "excludeFromLatest": region in hidden,
            }
            for region, count in sorted(replicas.items())
        ]
        if list(map(_gist, wanted)) != sorted(map(_gist, known.values())):
            self._write("publish", {"publishingProfile": {"targetRegions": wanted}}, polling=False)

    def copy(
        self, source: str, location: str, replicas: Mapping[str, int], tags: Mapping[str, str]
    ) -> None:
        """Create the version as a hidden copy of the version *source*, unless it exists.

        Does not wait for the replication, which may take hours.
        """
        if self.read() is not None:
            return
        targets = [
            {"name": name, "regionalReplicaCount": count, "excludeFromLatest": True}
            for name, count in sorted(replicas.items())
        ]
        body = {
            "location": location,
            "tags": dict(tags),
            "properties": {
                "publishingProfile": {"targetRegions": targets, "excludeFromLatest": True},
                "storageProfile": {"source": {"id": source}},
            },
        }
        versions = self.clients.compute.gallery_image_versions
        begin = versions.begin_create_or_update
        self.clients.ask(f"copy version {self}", begin, *self._place, body, polling=False)

    def show(self, shown: frozenset[str]) -> None:
        """Include the version in `latest` in the regions *shown*, and nowhere else."""
        profile = self._properties().get("publishingProfile") or {}
        known = _targets({"publishingProfile": profile})
        if missing := sorted(shown - set(known)):
            raise CloudError(
                f"cannot show version {self} in {', '.join(missing)}: it is not published there",
                code="NotPublished",
            )
        wanted = [
            target | {"excludeFromLatest": name not in shown} for name, target in known.items()
        ]
        same = all(
            bool(target.get("excludeFromLatest")) != (name in shown)
            for name, target in known.items()
        )
        if not same or bool(profile.get("excludeFromLatest")) == bool(shown):
            changes = {"targetRegions": wanted, "excludeFromLatest": not shown}
            self._write("show" if shown else "hide", {"publishingProfile": changes})

    def end_of_life(self, when: dt.datetime | None) -> None:
        """Set the date of the version's end of life, or remove it."""
        profile = self._properties().get("publishingProfile") or {}
        if moment(profile.get("endOfLifeDate")) != when:
            date = when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None
            self._write("date the end of life of", {"publishingProfile": {"endOfLifeDate": date}})

    def guard(self, on: bool) -> None:  # noqa: FBT001 - what it is set to
        """Set `blockDeletionBeforeEndOfLife`: Azure then refuses to delete the version."""
        known = self._properties().get("safetyProfile") or {}
        if bool(known.get("blockDeletionBeforeEndOfLife")) != on:
            kept = {
                name: known[name]
                for name in ("allowDeletionOfReplicatedLocations",)
                if name in known
            }
            safety = kept | {"blockDeletionBeforeEndOfLife": on}
            self._write("guard" if on else "stop guarding", {"safetyProfile": safety})

    def delete(self) -> None:
        """Delete the version, if it exists."""
        versions = self.clients.compute.gallery_image_versions
        self.clients.find(f"delete version {self}", versions.begin_delete, *self._place)

    def restore(self) -> None:
        """Restore the version from the gallery's soft-deleted resources, unless it exists."""
        if self.read() is not None:
            return
        group, gallery, definition, number = self._place
        kept = self.clients.ask(
            f"list what was deleted of {definition!r}",
            self.clients.compute.soft_deleted_resource.list_by_artifact_name,
            group,
            gallery,
            "Images",
            definition,
        )
        place = next(
            (version.get("location") for version in kept if version["name"] == number), None
        )
        if place is None:
            raise CloudError(
                f"version {self} cannot be restored: it is not among what was deleted",
                code="NotKept",
                hint="galleries keep versions for some days, if their soft delete is enabled",
            )
        versions = self.clients.compute.gallery_image_versions
        body = {"location": place, "properties": {"restore": True}}
        self.clients.ask(
            f"restore version {self}", versions.begin_create_or_update, *self._place, body
        )

    def __str__(self) -> str:
        return f"{self._place[2]}@{self._place[3]}"

    @property
    def _place(self) -> tuple[str, ...]:
        return names(self.id, "resourcegroups", "galleries", "images", "versions")

    def _properties(self) -> dict[str, Any]:
        versions = self.clients.compute.gallery_image_versions
        found = self.clients.ask(f"read version {self}", versions.get, *self._place)
        return dict(found.get("properties") or {})

    def _write(self, verb: str, properties: Mapping[str, Any], **options: Any) -> None:  # noqa: ANN401
        versions = self.clients.compute.gallery_image_versions
        body = {"properties": properties}
        self.clients.ask(
            f"{verb} version {self}", versions.begin_update, *self._place, body, **options
        )


def deleted(clients: Clients, definition_id: str) -> tuple[str, ...]:
    """Return the ids of the definition's soft-deleted versions."""
    group, gallery, definition = names(definition_id, "resourcegroups", "galleries", "images")
    kept = clients.find(
        f"list what was deleted of {definition!r}",
        clients.compute.soft_deleted_resource.list_by_artifact_name,
        group,
        gallery,
        "Images",
        definition,
    )
    return tuple(f"{definition_id}/versions/{version['name']}" for version in kept or ())


def _targets(properties: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the target regions by name, with the settings there that are not ours."""
    profile = properties.get("publishingProfile") or {}
    count = profile.get("replicaCount") or 1
    return {
        region_name(target["name"]): {"regionalReplicaCount": count}
        | dict(target)
        | {"name": region_name(target["name"])}
        for target in profile.get("targetRegions") or ()
    }


def _gist(target: Mapping[str, Any]) -> tuple[str, int, bool]:
    return target["name"], target["regionalReplicaCount"], bool(target.get("excludeFromLatest"))
