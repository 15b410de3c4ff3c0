"""A compute gallery, its image definitions and its versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.azure.client.serialize import gallery_version, image_definition, moment, region_name
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import names
from imagebake.kernel.errors import BakeFailed, CloudError
from imagebake.kernel.text.versions import ImageVersion
from imagebake.spec.model.image_spec import GalleryDefinition

_GROUPS_API = "2021-04-01"
_KEEP = {"isSoftDeleteEnabled": True}


@dataclass(frozen=True, slots=True)
class Gallery:
    """The gallery *name* of the endpoint's resource group, whether it exists or not."""

    clients: Clients
    name: str

    def ensure(self) -> None:
        """Create the resource group and the gallery where they do not exist.

        A new gallery gets soft delete; the settings of an existing one are left alone.
        """
        endpoint, group = self.clients.endpoint, self._group
        path = f"{endpoint.group_id}?api-version={_GROUPS_API}"
        try:
            self.clients.send(f"read resource group {group!r}", "GET", path)
        except NotFound:
            self.clients.send(
                f"create resource group {group!r}", "PUT", path, {"location": endpoint.location}
            )
        galleries = self.clients.compute.galleries
        doing = f"gallery {self.name!r}"
        if self.clients.find(f"read {doing}", galleries.get, group, self.name) is None:
            self.clients.ask(
                f"create {doing}",
                galleries.begin_create_or_update,
                group,
                self.name,
                {"location": endpoint.location, "properties": {"softDeletePolicy": _KEEP}},
            )

    def ensure_definition(self, wanted: GalleryDefinition) -> None:
        """Create the image definition where it does not exist.

        An existing one that differs cannot be changed, because its properties are immutable:
        raises `CloudError` with every difference.
        """
        images = self.clients.compute.gallery_images
        doing, place = f"image definition {wanted.definition!r}", (self._group, self.name)
        body = image_definition(wanted, self.clients.endpoint.location)
        there = self.clients.find(f"read {doing}", images.get, *place, wanted.definition)
        if there is None:
            self.clients.ask(
                f"create {doing}", images.begin_create_or_update, *place, wanted.definition, body
            )
            return
        if differences := _differences(body["properties"], there["properties"]):
            raise CloudError(
                f"{doing} already exists with different properties: {'; '.join(differences)}",
                code="DefinitionDiffers",
                hint="these never change: give the spec another gallery definition",
            )

    def versions(self, definition: str) -> tuple[GalleryVersion, ...]:
        """Return every version of *definition*, oldest number first; none where it is missing.

        Only `version` returns the state of their replicas: ARM's lists lack it.
        """
        listed = self.clients.find(
            f"list the versions of {definition!r}",
            self.clients.compute.gallery_image_versions.list_by_gallery_image,
            self._group,
            self.name,
            definition,
        )
        read = (gallery_version(definition, resource) for resource in listed or ())
        return tuple(sorted(read, key=lambda version: version.version))

    def version(self, definition: str, version: ImageVersion) -> GalleryVersion | None:
        """Return a version with the state of its replicas, or None."""
        resource = self.clients.find(
            f"read version {definition}@{version}",
            self.clients.compute.gallery_image_versions.get,
            self._group,
            self.name,
            definition,
            str(version),
            expand="ReplicationStatus",
        )
        return gallery_version(definition, resource) if resource else None

    def tag_version(self, definition: str, version: ImageVersion, tags: Mapping[str, str]) -> None:
        """Add *tags* to those of a version.

        ARM replaces all tags by those of the request, so the present ones are read first.
        """
        doing = f"tag version {definition}@{version}"
        there = self.version(definition, version)
        if there is None:
            raise CloudError(f"{doing}: it is gone", code="VersionGone")
        self.clients.ask(
            doing,
            self.clients.compute.gallery_image_versions.begin_update,
            self._group,
            self.name,
            definition,
            str(version),
            {"tags": {**there.tags, **tags}},
        )

    def delete_version(self, definition: str, version: ImageVersion) -> None:
        """Delete a version, if it exists; machines made from it keep running."""
        self.clients.find(
            f"delete version {definition}@{version}",
            self.clients.compute.gallery_image_versions.begin_delete,
            self._group,
            self.name,
            definition,
            str(version),
        )

    def await_replicas(
        self,
        definition: str,
        version: ImageVersion,
        regions: tuple[str, ...],
        *,
        limit: float,
        on_region: Callable[[str], None],
    ) -> GalleryVersion:
        """Wait until each of *regions* has its replicas, for at most *limit* seconds.

        *on_region* is called once for each region that is complete. Raises `BakeFailed`
        when the replication to one of them has failed.
        """
        patience = self.clients.patience
        began, reported = patience.clock(), set[str]()
        path = self.clients.endpoint.version_id(self.name, definition, version)
        while True:
            now = self.version(definition, version)
            if now is None:
                raise CloudError(
                    f"version {definition}@{version} is gone",
                    code="VersionGone",
                    hint="it was deleted meanwhile; bake again",
                )
            _refuse_failed(now)
            complete = {name for name in regions if now.regions.get(name) == "Completed"}
            for name in sorted(complete - reported):
                on_region(name)
            reported = complete
            if len(complete) == len(regions) and now.state == "Succeeded":
                return now
            if (age := patience.clock() - began) >= limit:
                late = ", ".join(sorted(set(regions) - complete)) or now.state
                raise CloudError(
                    f"version {definition}@{version} is not replicated after "
                    f"{limit / 60:.0f} minutes: {late}",
                    code="ReplicationSlow",
                    hint="replication goes on by itself; the same command waits again",
                )
            patience.sleep(self.clients.poll_interval(path, age))

    @property
    def _group(self) -> str:
        return self.clients.endpoint.resource_group


def _refuse_failed(version: GalleryVersion) -> None:
    failed = sorted(name for name, state in version.regions.items() if state == "Failed")
    if failed or version.state == "Failed":
        why = f"replication failed in {', '.join(failed)}" if failed else "provisioning failed"
        raise BakeFailed(
            f"version {version.definition}@{version.version} cannot be used: {why}",
            run_state="Succeeded",
            hint="the same command bakes a new version",
        )


def _differences(wanted: dict[str, Any], there: dict[str, Any]) -> list[str]:
    wanted, there = _immutable(wanted), _immutable(there)
    return [
        f"{field} is {there[field]!r}, the spec says {value!r}"
        for field, value in wanted.items()
        if there[field] != value
    ]


def _immutable(properties: dict[str, Any]) -> dict[str, str]:
    """Return the immutable properties of a definition, with the defaults of absent ones."""
    features = {item["name"]: item["value"] for item in properties.get("features") or ()}
    identifier = properties.get("identifier") or {}
    identity = {
        f"identifier.{name}": str(identifier.get(name)) for name in ("publisher", "offer", "sku")
    }
    return identity | {
        "osType": str(properties.get("osType")),
        "osState": str(properties.get("osState")),
        "hyperVGeneration": str(properties.get("hyperVGeneration") or "V1"),
        "architecture": str(properties.get("architecture") or "x64"),
        "SecurityType": str(features.get("SecurityType") or "Standard"),
    }


@dataclass(frozen=True, slots=True)
class GalleryVersionClient:
    """Client of the gallery version with an ARM id, whether it exists or not.

    Every write states the final value, so that it may be repeated, and none touches the tags.
    Values that are set already are not written.
    """

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

    def set_deletion_block(self, on: bool) -> None:  # noqa: FBT001 - what it is set to
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
        # A restore is a PUT of the version with its old location and `restore`.
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
    # `replicaCount` of the profile is the default of regions that name no number.
    count = profile.get("replicaCount") or 1
    return {
        region_name(target["name"]): {"regionalReplicaCount": count}
        | dict(target)
        | {"name": region_name(target["name"])}
        for target in profile.get("targetRegions") or ()
    }


def _gist(target: Mapping[str, Any]) -> tuple[str, int, bool]:
    return target["name"], target["regionalReplicaCount"], bool(target.get("excludeFromLatest"))
