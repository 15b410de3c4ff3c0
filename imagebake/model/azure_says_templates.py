"""Errors about image templates: at their submission, and when a run prepares its build."""

from __future__ import annotations

from imagebake.model.meaning import Meaning

TEMPLATES = (
    Meaning(
        "template-exists",
        r"Update/Upgrade of image templates is currently not supported",
        "a template of that name exists, perhaps one that failed; Azure cannot update a template",
        "./inv clean --cloud --plan lists what is left over; a bake deletes its own by itself",
    ),
    Meaning(
        "identity-unusable",
        r"The assigned managed identity cannot be used",
        "the template's identity was deleted, or made anew, after the template",
        "make the identity again, give it to the template with az rest --method patch, then delete"
        " the template: ./inv clean --cloud",
    ),
    Meaning(
        "identity-lacks-role",
        r"Not authorized to access the resource",
        "the template's identity has no role on the resource that the message names",
        "az role assignment list --assignee IDENTITY shows what it may; ./inv bootstrap --plan"
        " shows what it needs",
    ),
    Meaning(
        "field-has-bad-value",
        r"Field '[^']*' has a bad value",
        "Azure looked a value of the template up, or parsed it, and cannot use it",
        "the message names the field; what it points at has to exist in the template's region",
    ),
    Meaning(
        "field-missing",
        r"ImageTemplate\.properties\.[^']*': Missing field",
        "a distribution target, or another part of the template, lacks a field that it must have",
        "./inv render IMAGE shows the template; every target is sent whole, changed or not",
    ),
    Meaning(
        "unknown-field",
        r"Unmarshalling entity encountered error",
        "since API version 2024-02-01 a field that is unknown, or spelled in another case, is"
        " refused",
        "./inv render IMAGE shows the template, which is checked against the SDK before it is sent",
    ),
    Meaning(
        "target-not-in-update",
        r"Distribute target with [Rr]unoutput name \S+ not found in the update request",
        "an update leaves a distribution target out, and targets cannot be taken away",
        "delete the template and make it anew: ./inv bake IMAGE does",
    ),
    Meaning(
        "internal-error",
        r"Internal error occurred",
        "Azure gives no reason; mostly the identity lacks a role on the source, the gallery or a"
        " file's storage, or two templates share one staging group",
        "compare the identity's roles with ./inv bootstrap --plan, leave staging_resource_group"
        " out, bake again",
    ),
    Meaning(
        "bad-source",
        r"^(BadSourceType|BadPIRSource): ",
        "the source image cannot be used: it does not exist in the region, was withdrawn, or is of"
        " a kind that cannot be built upon",
        "az vm image show --urn PUBLISHER:OFFER:SKU:VERSION; ./inv outdated IMAGE names newer ones",
    ),
    Meaning(
        "bad-managed-image",
        r"^BadManagedImageSource: (?!.*has a bad value)",
        "the managed image of the source does not exist, is in another region, or the identity may"
        " not read it",
        "az image show --ids ID; the identity needs Reader on it",
    ),
    Meaning(
        "bad-gallery-version",
        r"^BadSharedImageVersionSource: ",
        "the gallery version of the source does not exist, has no replica in the template's"
        " region, or the identity may not read it",
        "az sig image-version show --expand ReplicationStatus; the identity needs Reader on it",
    ),
    Meaning(
        "bad-customizer",
        r"^(BadCustomizerType|UnsupportedCustomizerType|NoCustomizerScript): ",
        "a customizer has a type that the image's system does not have, or nothing to run",
        "./inv validate IMAGE --rules-only finds it in the spec",
    ),
    Meaning(
        "bad-validator",
        r"^(BadValidatorType|UnsupportedValidatorType|NoValidatorScript): ",
        "a validator has a type that the image's system does not have, or nothing to run",
        "./inv validate IMAGE --rules-only finds it in the spec",
    ),
    Meaning(
        "bad-distribution",
        r"^(BadDistributeType|BadSharedImageDistribute): ",
        "a place that the image should go to cannot take it: it does not exist, is of another"
        " generation or security type, has that version, or the identity may not write there",
        "az sig image-definition show; a definition never changes, so the spec has to agree",
    ),
    Meaning(
        "bad-staging-group",
        r"^BadStagingResourceGroup: ",
        "the staging group is not empty, is in another region, belongs to another template, or the"
        " identity is not its Contributor",
        "leave staging_resource_group out of the spec, or give each image an empty group",
    ),
    Meaning(
        "service-failed",
        r"^ServerError: ",
        "the image builder service broke while it prepared the template",
        "./inv clean --cloud removes the failed template, ./inv bake IMAGE makes it anew; if it"
        " lasts, see the service's health in the portal",
    ),
    Meaning(
        "run-under-way",
        r"not allowed in provisioning state: [\w ]+ or run state: (running|canceling)",
        "a run of the template is under way; until it ends it cannot be run, changed or deleted",
        "./inv bake IMAGE --resume follows the run; ./inv logs IMAGE --follow shows its output",
    ),
    Meaning(
        "template-not-provisioned",
        r"not allowed in provisioning state: (failed|creating|updating|deleting)\b(?!.*run state:"
        r" (running|canceling))",
        "the template never became ready, or is being changed, so that it cannot be run",
        "./inv clean --cloud removes it, ./inv bake IMAGE makes it anew",
    ),
    Meaning(
        "containers-not-registered",
        r"Azure Container Instances provider not registered",
        "builds run isolated in a container instance, and the subscription has no such provider",
        "az provider register --namespace Microsoft.ContainerInstance",
    ),
    Meaning(
        "containers-quota",
        r"Azure Container Instances quota exceeded",
        "each build takes four cores of container instances for its time, and they are used up",
        "bake fewer images at once, or ask for more StandardCores of Container Instances in the"
        " region",
    ),
    Meaning(
        "containers-too-fast",
        r"Too many Azure Container Instances deployed within a period of time",
        "builds were started faster than the subscription may make container instances",
        "bake again in some minutes, with fewer images at once",
    ),
)
"""Asked in this order."""
