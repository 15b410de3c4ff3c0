"""What is asked of the Azure command line, and what it should answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CREATED = ("westeurope", "northeurope")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One command: it succeeds, and *answers* approves of what it prints; or it is *refused*."""

    step: str
    words: tuple[str, ...]
    answers: Callable[[Any], object] | None = None
    refused: str = ""


def template(words: dict[str, str]) -> dict[str, Any]:
    """The image template that `az image builder create --image-template` is given."""
    scope = words["scope"] + "/providers"
    identity = f"{scope}/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
    return {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        "properties": {
            "source": {
                "type": "PlatformImage",
                "publisher": "Debian",
                "offer": "debian-12",
                "sku": "12-gen2",
                "version": "0.20260914.2237",
            },
            "customize": [{"type": "Shell", "name": "greet", "inline": ["echo hello"]}],
            "distribute": [
                {
                    "type": "SharedImage",
                    "runOutputName": "version",
                    "galleryImageId": f"{scope}/Microsoft.Compute/galleries/shelf/images/demo",
                    "artifactTags": {"madeBy": "az"},
                    "replicationRegions": ["westeurope"],
                }
            ],
        },
    }


def _step(
    step: str,
    command: str,
    answers: Callable[[Any], object] | None = None,
    *,
    refused: str = "",
) -> Wanted:
    """A step; `~` in a word of *command* stands for a space."""
    words = tuple(word.replace("~", " ") for word in command.split())
    return Wanted(step, words, answers, refused)


_GALLERY = "--resource-group {group} --gallery-name shelf"
_DEFINITION = f"{_GALLERY} --gallery-image-definition demo"
_VERSION = f"{_DEFINITION} --gallery-image-version"
_TEMPLATE = "--resource-group {group} --name"
_SET = "--resource-group {group} --name web"
_IDENTITY = "{scope}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
_IMAGE = "{scope}/providers/Microsoft.Compute/galleries/shelf/images/demo/versions"

_LOGIN = (
    _step(
        "cloud register, from the metadata of the endpoint",
        "cloud register --name imagebake --endpoint-resource-manager {url}",
    ),
    _step("cloud set", "cloud set --name imagebake"),
    _step(
        "login --service-principal",
        "login --service-principal --username {client} --password {secret} --tenant {tenant}",
        lambda it: it[0]["state"] == "Enabled",
    ),
    _step("account show", "account show", lambda it: it["environmentName"] == "imagebake"),
    _step(
        "group create",
        "group create --name clients --location westeurope",
        lambda it: it["properties"]["provisioningState"] == "Succeeded",
    ),
    _step("group exists", "group exists --name clients", lambda it: it is True),
    _step(
        "provider register --wait",
        "provider register --namespace Microsoft.VirtualMachineImages --wait",
    ),
    _step(
        "identity create",
        f"identity create {_TEMPLATE} builder --location westeurope",
        lambda it: it["principalId"] and it["clientId"],
    ),
)

_GALLERIES = (
    _step(
        "sig create",
        f"sig create {_GALLERY} --location westeurope",
        lambda it: it["provisioningState"] == "Succeeded",
    ),
    _step(
        "sig create: a name with a dash is refused",
        "sig create --resource-group {group} --gallery-name with-dash --location westeurope",
        refused="InvalidParameter",
    ),
    _step(
        "sig update --set",
        f"sig update {_GALLERY} --set tags.kept=yes",
        lambda it: it["tags"] == {"kept": "yes"},
    ),
    _step("sig list", "sig list --resource-group {group}", lambda it: len(it) == 1),
    _step(
        "sig image-definition create",
        f"sig image-definition create {_DEFINITION} --publisher imagebake --offer clients"
        " --sku demo --os-type Linux --hyper-v-generation V2 --location westeurope"
        " --features SecurityType=TrustedLaunchSupported",
        lambda it: it["hyperVGeneration"] == "V2",
    ),
    _step(
        "sig image-definition update --set",
        f"sig image-definition update {_DEFINITION} --set description=changed",
        lambda it: it["description"] == "changed",
    ),
    _step(
        "sig image-definition list",
        f"sig image-definition list {_GALLERY}",
        lambda it: [one["name"] for one in it] == ["demo"],
    ),
)

_TEMPLATES = (
    _step(
        "image builder create --image-template",
        f"image builder create {_TEMPLATE} one --image-template {{template}}",
        lambda it: it["provisioningState"] == "Succeeded",
    ),
    _step(
        "image builder create: an update is refused",
        f"image builder create {_TEMPLATE} one --image-template {{template}}",
        refused="Update/Upgrade of image templates is currently not supported",
    ),
    _step(
        "image builder update: refused, too, for it is a PUT",
        f"image builder update {_TEMPLATE} one --set tags.a=b",
        refused="Update/Upgrade of image templates is currently not supported",
    ),
    _step(
        "image builder create, by flags",
        f"image builder create {_TEMPLATE} two"
        " --image-source Debian:debian-12:12-gen2:0.20260914.2237"
        f" --identity {_IDENTITY} --shared-image-destinations shelf/demo=westeurope"
        " --scripts https://scripts.example/a.sh --location westeurope",
        lambda it: it["customize"][0]["scriptUri"] == "https://scripts.example/a.sh",
    ),
    _step("image builder run", f"image builder run {_TEMPLATE} one"),
    _step(
        "image builder show: the run has succeeded",
        f"image builder show {_TEMPLATE} one",
        lambda it: it["lastRunStatus"]["runState"] == "Succeeded",
    ),
    _step(
        "image builder show-runs",
        f"image builder show-runs {_TEMPLATE} one",
        lambda it: it[0]["artifactId"].endswith("/versions/0.0.1"),
    ),
    _step("image builder run --no-wait", f"image builder run {_TEMPLATE} two --no-wait"),
    _step(
        "image builder wait --custom, until that run is over",
        f"image builder wait {_TEMPLATE} two --interval 1"
        " --custom lastRunStatus.runState=='Succeeded'",
    ),
    _step(
        "image builder cancel: refused when nothing runs",
        f"image builder cancel {_TEMPLATE} two",
        refused="OperationNotAllowed",
    ),
    _step(
        "image builder trigger create: refused for an exact version",
        "image builder trigger create --resource-group {group} --image-template-name two"
        " --name always --kind SourceImage",
        refused="Conflict",
    ),
    _step(
        "image builder list",
        "image builder list --resource-group {group}",
        lambda it: [one["name"] for one in it] == ["one", "two"],
    ),
)

_VERSIONS = (
    _step(
        "sig image-version list: what the runs made",
        f"sig image-version list {_DEFINITION}",
        lambda it: [one["name"] for one in it] == ["0.0.1", "0.0.2"],
    ),
    _step(
        "sig image-version create",
        f"sig image-version create {_VERSION} 2.0.0 --location westeurope"
        " --managed-image {scope}/providers/Microsoft.Compute/images/any"
        " --target-regions westeurope=1 northeurope=1",
        lambda it: len(it["publishingProfile"]["targetRegions"]) == len(CREATED),
    ),
    _step(
        "sig image-version show --expand ReplicationStatus",
        f"sig image-version show {_VERSION} 2.0.0 --expand ReplicationStatus",
        lambda it: it["replicationStatus"]["aggregatedState"] == "Completed",
    ),
    _step(
        "sig image-version update --set",
        f"sig image-version update {_VERSION} 2.0.0 --set publishingProfile.excludeFromLatest=true",
        lambda it: it["publishingProfile"]["excludeFromLatest"] is True,
    ),
    _step(
        "sig image-version create: not three numbers, refused",
        f"sig image-version create {_VERSION} 1.0"
        " --managed-image {scope}/providers/Microsoft.Compute/images/any",
        refused="Major(int).Minor(int).Patch(int)",
    ),
)

_SCALE_SETS = (
    _step(
        "network vnet create",
        f"network vnet create {_TEMPLATE} net --address-prefix 10.0.0.0/16 --location westeurope"
        " --subnet-name machines --subnet-prefix 10.0.0.0/24",
    ),
    _step(
        "vmss create, by way of a deployment",
        f"vmss create {_SET} --image {_IMAGE}/0.0.1 --orchestration-mode Uniform"
        " --instance-count 2 --vm-sku Standard_D2s_v5 --upgrade-policy-mode Manual"
        " --admin-username azureuser --admin-password Not-A-Secret-1"
        " --vnet-name net --subnet machines --security-type Standard --location westeurope"
        " --load-balancer= --public-ip-address= --nsg=",
        lambda it: it["vmss"]["provisioningState"] == "Succeeded",
    ),
    _step(
        "vmss list-instances",
        f"vmss list-instances {_SET}",
        lambda it: [one["latestModelApplied"] for one in it] == [True, True],
    ),
    _step(
        "vmss update --set, to another image",
        f"vmss update {_SET}"
        f" --set virtualMachineProfile.storageProfile.imageReference.id={_IMAGE}/0.0.2",
        lambda it: it["provisioningState"] == "Succeeded",
    ),
    _step(
        "vmss list-instances: they have not moved",
        f"vmss list-instances {_SET}",
        lambda it: [one["latestModelApplied"] for one in it] == [False, False],
    ),
    _step("vmss update-instances", f"vmss update-instances {_SET} --instance-ids 0"),
    _step("vmss rolling-upgrade start", f"vmss rolling-upgrade start {_SET}"),
    _step(
        "vmss rolling-upgrade get-latest",
        f"vmss rolling-upgrade get-latest {_SET}",
        lambda it: it["runningStatus"]["code"] == "Completed",
    ),
    _step("vmss reimage", f"vmss reimage {_SET} --instance-ids 1"),
    _step("vmss scale", f"vmss scale {_SET} --new-capacity 1"),
    _step(
        "vmss list-instances: one is left, on the new image",
        f"vmss list-instances {_SET}",
        lambda it: [one["latestModelApplied"] for one in it] == [True],
    ),
    _step(
        "vmss get-instance-view",
        f"vmss get-instance-view {_SET}",
        lambda it: it["virtualMachine"]["statusesSummary"],
    ),
    _step("vm list", "vm list --resource-group {group}", lambda it: it == []),
    _step("vmss delete", f"vmss delete {_SET}"),
    _step("vmss show: it is gone", f"vmss show {_SET}", refused="ResourceNotFound"),
)

_GUARDS = (
    _step(
        "lock create",
        "lock create --name keep --lock-type CanNotDelete --resource-group {group}"
        " --resource shelf --resource-type Microsoft.Compute/galleries",
    ),
    _step(
        "sig delete: refused while it is locked",
        f"sig delete {_GALLERY}",
        refused="ScopeLocked",
    ),
    _step(
        "lock delete",
        "lock delete --name keep --resource-group {group}"
        " --resource shelf --resource-type Microsoft.Compute/galleries",
    ),
    _step(
        "sig delete: refused while something is in it",
        f"sig delete {_GALLERY}",
        refused="CannotDeleteResource",
    ),
)

_END = (
    _step("image builder delete", f"image builder delete {_TEMPLATE} one"),
    _step("image builder delete, the other", f"image builder delete {_TEMPLATE} two"),
    _step(
        "image builder show: it is gone",
        f"image builder show {_TEMPLATE} one",
        refused="ResourceNotFound",
    ),
    *(
        _step(f"sig image-version delete {one}", f"sig image-version delete {_VERSION} {one}")
        for one in ("0.0.1", "0.0.2", "2.0.0")
    ),
    _step("sig image-definition delete", f"sig image-definition delete {_DEFINITION}"),
    _step("sig delete", f"sig delete {_GALLERY}"),
    _step("identity delete", f"identity delete {_TEMPLATE} builder"),
    _step("group delete", "group delete --name clients --yes"),
)

STEPS = (*_LOGIN, *_GALLERIES, *_TEMPLATES, *_VERSIONS, *_SCALE_SETS, *_GUARDS, *_END)
