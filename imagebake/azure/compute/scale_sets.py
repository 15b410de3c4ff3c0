"""Scale sets: their model, their instances, and rolling upgrades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import ChangedMeanwhile, Conflict, OutcomeUnknown
from imagebake.azure.client.serialize import region_name
from imagebake.azure.compute.references import image_of
from imagebake.azure.model.fleet import Machine, ScaleSet, UpgradeState
from imagebake.azure.resources.resource_ids import names
from imagebake.kernel.text.constrained import handler_name

_LEAST_PERCENT = 5
"""Azure allows no smaller batches."""
_STATES = {
    "rollingforward": UpgradeState.RUNNING,
    "completed": UpgradeState.DONE,
    "faulted": UpgradeState.FAILED,
    "cancelled": UpgradeState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class ScaleSetClient:
    """Client of the scale set with an ARM id."""

    clients: Clients
    id: str

    def read(self) -> ScaleSet | None:
        """Return the scale set without its instances, or None."""
        found = self.clients.find(f"read scale set {self}", self._sets.get, *self._place)
        return scale_set(found) if found else None

    def instances(self) -> list[dict[str, Any]]:
        """Return the instances of a scale set in uniform orchestration, as ARM JSON."""
        listed: list[dict[str, Any]] = self.clients.ask(
            f"list the instances of scale set {self}",
            self.clients.compute.virtual_machine_scale_set_vms.list,
            *self._place,
        )
        return listed

    def move(
        self,
        version_id: str,
        etag: str,
        max_unavailable_percent: int,
        *,
        max_unhealthy_percent: int | None = None,
    ) -> None:
        """Write the image *version_id* into the model, if its etag still is *etag*.

        An upgrade does not begin where more than *max_unhealthy_percent* of the instances are
        unhealthy (by default as many as may be unavailable), whatever the cause. Raises
        `ChangedMeanwhile`, naming the last writer, when the etag differs; not when the image
        is set already, because the answer to an earlier attempt may have been lost. Does not
        wait: the model is written at once, and `upgrade` reports the upgrade that follows.
        """
        from azure.core import MatchConditions  # noqa: PLC0415 - importing it takes long

        percent = max(_LEAST_PERCENT, max_unavailable_percent)
        unhealthy = max(percent, max_unhealthy_percent or percent)
        policy = {"maxBatchInstancePercent": percent, "maxUnhealthyInstancePercent": unhealthy}
        image = {"storageProfile": {"imageReference": {"id": version_id}}}
        body = {
            "properties": {
                "virtualMachineProfile": image,
                "upgradePolicy": {"rollingUpgradePolicy": policy},
            }
        }
        condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        try:
            self.clients.ask(
                f"move scale set {self}",
                self._sets.begin_update,
                *self._place,
                body,
                polling=False,
                **condition,
            )
        except ChangedMeanwhile as error:
            self._unless_it_was_us(error, version_id)

    def start_upgrade(self) -> None:
        """Start a rolling upgrade of the instances to the model, unless one is running."""
        upgrades = self.clients.compute.virtual_machine_scale_set_rolling_upgrades
        doing = f"start the upgrade of scale set {self}"
        try:
            self.clients.ask(doing, upgrades.begin_start_os_upgrade, *self._place, polling=False)
        except (Conflict, OutcomeUnknown):
            if self.upgrade() is not UpgradeState.RUNNING:
                raise

    def cancel_upgrade(self) -> None:
        """Cancel the rolling upgrade, if one is running, after its current batch."""
        upgrades = self.clients.compute.virtual_machine_scale_set_rolling_upgrades
        doing = f"cancel the upgrade of scale set {self}"
        try:
            self.clients.find(doing, upgrades.begin_cancel, *self._place, polling=False)
        except (Conflict, OutcomeUnknown):
            if self.upgrade() is UpgradeState.RUNNING:
                raise

    def upgrade(self) -> UpgradeState:
        """Return the state of the last rolling upgrade; failed where it left failed instances."""
        found = self.clients.find(
            f"read the upgrade of scale set {self}",
            self.clients.compute.virtual_machine_scale_set_rolling_upgrades.get_latest,
            *self._place,
        )
        properties = (found or {}).get("properties") or {}
        code = str((properties.get("runningStatus") or {}).get("code") or "")
        # Azure reports Completed even where instances failed.
        failed = (properties.get("progress") or {}).get("failedInstanceCount") or 0
        state = _STATES.get(code.lower(), UpgradeState.NONE)
        return UpgradeState.FAILED if state is UpgradeState.DONE and failed else state

    def __str__(self) -> str:
        return repr(self._place[-1])

    @property
    def _sets(self) -> Any:  # noqa: ANN401 - naming its type would import it
        return self.clients.compute.virtual_machine_scale_sets

    @property
    def _place(self) -> tuple[str, ...]:
        return names(self.id, "resourcegroups", "virtualmachinescalesets")

    def _unless_it_was_us(self, error: ChangedMeanwhile, version_id: str) -> None:
        found = self.clients.find(f"read scale set {self}", self._sets.get, *self._place)
        if found and scale_set(found).image.lower() == version_id.lower():
            return
        raise ChangedMeanwhile(
            f"cannot move scale set {self}: {changed_by(found)} since it was read",
            code=error.code,
            correlation_id=error.correlation_id,
            hint="nothing was overwritten; run it again, it plans from what is there now",
        ) from error


def changed_by(resource: Mapping[str, Any] | None) -> str:
    """Return a clause that names the last writer of *resource*, and the time, if known."""
    if not resource:
        return "it was deleted"
    data = resource.get("systemData") or {}
    who = data.get("lastModifiedBy") or "another client"
    when = f" at {data['lastModifiedAt']}" if data.get("lastModifiedAt") else ""
    return f"{who} changed it{when}"


def scale_set(resource: Mapping[str, Any]) -> ScaleSet:
    """Parse a scale set without its instances; *image* is empty where no gallery is named."""
    return ScaleSet(
        id=str(resource["id"]),
        name=str(resource["name"]),
        region=region_name(str(resource.get("location") or "")),
        image=image_of(model_reference(resource)).image,
        etag=str(resource.get("etag") or ""),
        tags=dict(resource.get("tags") or {}),
        extensions=handlers(_model(resource).get("extensionProfile")),
    )


def handlers(profile: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the handlers of an extension profile by the extensions' names."""
    extensions = (profile or {}).get("extensions") or ()
    named = ((str(item.get("name") or ""), item.get("properties") or {}) for item in extensions)
    return {
        name: handler_name(str(properties["publisher"]), str(properties["type"]))
        for name, properties in named
        if properties.get("publisher") and properties.get("type")
    }


def model_reference(resource: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the image reference in a scale set's model, or None."""
    storage = _model(resource).get("storageProfile") or {}
    reference: Mapping[str, Any] | None = storage.get("imageReference")
    return reference


def _model(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    model: Mapping[str, Any] | None = (resource.get("properties") or {}).get(
        "virtualMachineProfile"
    )
    return model or {}


def machine(resource: Mapping[str, Any]) -> Machine:
    """Parse a machine or an instance; *image* is empty where no gallery is named."""
    profile = (resource.get("properties") or {}).get("storageProfile") or {}
    used = image_of(profile.get("imageReference"))
    return Machine(
        id=str(resource["id"]),
        region=region_name(str(resource.get("location") or "")),
        image=used.image,
        exact=used.exact,
        tags=dict(resource.get("tags") or {}),
    )


def unsettled(resources: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether some instances lag behind the model, differ, or have failed.

    That is where an upgrade is running, has failed, or has not been started.
    """
    exact: set[str] = set()
    for resource in resources:
        properties = resource.get("properties") or {}
        instance = machine(resource)
        fixed = instance.image if "/versions/" in instance.image.lower() else None
        exact.add((instance.exact or fixed or "").lower())
        if properties.get("latestModelApplied") is False:
            return True
        if properties.get("provisioningState") == "Failed":
            return True
    return len(exact) > 1 or "" in exact
