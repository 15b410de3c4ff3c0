"""Known errors of image templates and builds: from run statuses, and from build logs."""

from __future__ import annotations

from imagebake.azure.error_catalog.known_error import KnownError

BUILDS = (
    KnownError(
        "distribution-timeout",
        r"Error waiting on Azure Compute Gallery future.*context deadline exceeded",
        "the image was built, and copying it to the regions took longer than the run may; the"
        " copying goes on although the run has failed",
        "./inv bake IMAGE --resume waits for the version; more build.timeout_minutes for next time",
    ),
    KnownError(
        "build-timeout",
        r"Timeout waiting for microservice to complete|^BuildTimeout: "
        r"|build took (too long|longer)",
        "the build took longer than build.timeout_minutes: a step waits for an answer, or the"
        " machine is too small",
        "./inv logs IMAGE shows the step that it was in; make it ask nothing, or raise"
        " build.timeout_minutes or build.vm_size",
    ),
    KnownError(
        "source-image-unreadable",
        r"Error getting Managed Image",
        "the source is a managed image that the template's identity may not read, or that is gone",
        "az role assignment create --role Reader --assignee IDENTITY --scope IMAGE",
    ),
    KnownError(
        "source-version-missing",
        r"Error getting Image Version",
        "the source is a gallery version that does not exist in the build's region, or that the"
        " identity may not read",
        "az sig image-version show --expand ReplicationStatus; ./inv outdated IMAGE",
    ),
    KnownError(
        "download-failed",
        r"Downloading external file \S+ .*failed",
        "a file that the template names cannot be fetched: wrong name, unreachable host, or ciphers"
        " that the service does not speak",
        "keep the file in the mirror, which the build reads by its identity: ./inv lock IMAGE",
    ),
    KnownError(
        "proxy-machine-forbidden",
        r"Microsoft\.Compute/disks/write.*proxyVm",
        "a build into a network of yours makes a small proxy machine in the group of that network,"
        " and the service's own principal may not",
        "az role assignment create --role Contributor --assignee AZURE-VM-IMAGE-BUILDER-SP on the"
        " resource group",
    ),
    KnownError(
        "policy-blocks-staging",
        r"template deployment failed because of policy violation",
        "an Azure Policy forbids what a build makes in its staging group: a key vault or storage"
        " account with public access, shared keys, or resources without certain tags",
        "the message names the assignment; have the IT_* groups exempted, or give"
        " build.staging_resource_group and build.managed_tags",
    ),
    KnownError(
        "network-interface-gone",
        r"network\.InterfacesClient#UpdateTags",
        "the service could not tag the build's network interface, for lack of a role",
        "compare the identity's roles on the subnet with ./inv bootstrap --plan",
    ),
    KnownError(
        "restart-timeout",
        r"Timeout waiting for machine to restart",
        "a restart took longer than its timeout, mostly because updates were still being installed",
        "raise the timeout of the restart step; Windows Server 2016 takes thirty minutes",
    ),
    KnownError(
        "sysprep-stuck",
        r"IMAGE_STATE_UNDEPLOYABLE",
        "Sysprep began before the guest agent was installed, or is stopped by software that it"
        " cannot generalise",
        "take a larger build.vm_size, or wait for the agent in a step before",
    ),
    KnownError(
        "machine-exhausted",
        r"errored: unexpected EOF",
        "the build machine ran out of memory or processors; Windows Update alone needs more than"
        " the default size has",
        "take a larger build.vm_size",
    ),
    KnownError(
        "connection-lost",
        r"Remote command exited without exit status or exit signal",
        "the service lost its connection to the build machine (port 22, or 5986 on Windows): a step"
        " changes the firewall, the network, sshd or WinRM",
        "leave these alone while the image is built; change them in files that hold from the next"
        " boot on",
    ),
    KnownError(
        "build-cancelled",
        r"context cancellation context canceled|image build was canceled|^Canceled: ",
        "the run was cancelled, or it ran into its timeout",
        "./inv bake IMAGE bakes again; what was built in Azure is gone, layers here are kept",
    ),
    KnownError(
        "timeout-below-minimum",
        r"client_jwt will expire within 5 minutes",
        "build.timeout_minutes is below six, which no build can be done in",
        "leave it out for four hours, or say at least 6",
    ),
    KnownError(
        "staging-network-in-use",
        r"NicInUseWithPrivateEndpoint",
        "the staging group cannot be deleted while its private endpoint holds a network interface",
        "delete in this order: private endpoint connection, private link service, interface and"
        " load balancer, group, template; then ./inv clean --cloud",
    ),
    KnownError(
        "package-lock-held",
        r"Could not get lock /var/lib/(dpkg|apt)/",
        "another process on the build machine installs packages: an extension, or"
        " unattended-upgrades",
        "let no policy put extensions onto build machines; imagebake's own steps wait for the lock",
    ),
    KnownError(
        "disk-full",
        r"No space left on device",
        "the build machine's disk is full",
        "raise build.disk_gb in the spec, and clean up in the step that fills it",
    ),
    KnownError(
        "wrong-bytes",
        r"Hash Sum mismatch|sha256sum: WARNING|^ChecksumMismatch: |has sha256 [0-9a-f]{64}, and",
        "bytes that were fetched are not those that were locked",
        "./inv mirror verify finds damage; ./inv lock IMAGE pins what is published now",
    ),
    KnownError(
        "builder-died",
        r"process that ran the build ended before the build did",
        "the build ran in a process on this machine, and that was killed",
        "./inv bake IMAGE --resume goes on with the layers that were finished",
    ),
    KnownError(
        "step-failed",
        r"Packer build command has failed|^PackerBuildFailed: |Script exited with non-zero exit"
        r" status|ended with exit code \d+",
        "a step of the image ended with an error",
        "./inv logs IMAGE shows the step and its last words; a step has to end with 0, and to ask"
        " nothing",
    ),
)
"""In order of lookup: the least specific entries come last."""


TEMPLATES = (
    KnownError(
        "template-exists",
        r"Update/Upgrade of image templates is currently not supported",
        "a template of that name exists, perhaps one that failed; Azure cannot update a template",
        "./inv clean --cloud --plan lists what is left over; a bake deletes its own by itself",
    ),
    KnownError(
        "identity-unusable",
        r"The assigned managed identity cannot be used",
        "the template's identity was deleted, or made anew, after the template",
        "make the identity again, give it to the template with az rest --method patch, then delete"
        " the template: ./inv clean --cloud",
    ),
    KnownError(
        "identity-lacks-role",
        r"Not authorized to access the resource",
        "the template's identity has no role on the resource that the message names",
        "az role assignment list --assignee IDENTITY shows what it may; ./inv bootstrap --plan"
        " shows what it needs",
    ),
    KnownError(
        "field-has-bad-value",
        r"Field '[^']*' has a bad value",
        "Azure looked a value of the template up, or parsed it, and cannot use it",
        "the message names the field; what it points at has to exist in the template's region",
    ),
    KnownError(
        "field-missing",
        r"ImageTemplate\.properties\.[^']*': Missing field",
        "a distribution target, or another part of the template, lacks a field that it must have",
        "./inv render IMAGE shows the template; every target is sent whole, changed or not",
    ),
    KnownError(
        "unknown-field",
        r"Unmarshalling entity encountered error",
        "since API version 2024-02-01 a field that is unknown, or spelled in another case, is"
        " refused",
        "./inv render IMAGE shows the template, which is checked against the SDK before it is sent",
    ),
    KnownError(
        "target-not-in-update",
        r"Distribute target with [Rr]unoutput name \S+ not found in the update request",
        "an update leaves a distribution target out, and targets cannot be taken away",
        "delete the template and make it anew: ./inv bake IMAGE does",
    ),
    KnownError(
        "internal-error",
        r"Internal error occurred",
        "Azure gives no reason; mostly the identity lacks a role on the source, the gallery or a"
        " file's storage, or two templates share one staging group",
        "compare the identity's roles with ./inv bootstrap --plan, leave staging_resource_group"
        " out, bake again",
    ),
    KnownError(
        "bad-source",
        r"^(BadSourceType|BadPIRSource): ",
        "the source image cannot be used: it does not exist in the region, was withdrawn, or is of"
        " a kind that cannot be built upon",
        "az vm image show --urn PUBLISHER:OFFER:SKU:VERSION; ./inv outdated IMAGE names newer ones",
    ),
    KnownError(
        "bad-managed-image",
        r"^BadManagedImageSource: (?!.*has a bad value)",
        "the managed image of the source does not exist, is in another region, or the identity may"
        " not read it",
        "az image show --ids ID; the identity needs Reader on it",
    ),
    KnownError(
        "bad-gallery-version",
        r"^BadSharedImageVersionSource: ",
        "the gallery version of the source does not exist, has no replica in the template's"
        " region, or the identity may not read it",
        "az sig image-version show --expand ReplicationStatus; the identity needs Reader on it",
    ),
    KnownError(
        "bad-customizer",
        r"^(BadCustomizerType|UnsupportedCustomizerType|NoCustomizerScript): ",
        "a customizer has a type that the image's system does not have, or nothing to run",
        "./inv validate IMAGE --rules-only finds it in the spec",
    ),
    KnownError(
        "bad-validator",
        r"^(BadValidatorType|UnsupportedValidatorType|NoValidatorScript): ",
        "a validator has a type that the image's system does not have, or nothing to run",
        "./inv validate IMAGE --rules-only finds it in the spec",
    ),
    KnownError(
        "bad-distribution",
        r"^(BadDistributeType|BadSharedImageDistribute): ",
        "a place that the image should go to cannot take it: it does not exist, is of another"
        " generation or security type, has that version, or the identity may not write there",
        "az sig image-definition show; a definition never changes, so the spec has to agree",
    ),
    KnownError(
        "bad-staging-group",
        r"^BadStagingResourceGroup: ",
        "the staging group is not empty, is in another region, belongs to another template, or the"
        " identity is not its Contributor",
        "leave staging_resource_group out of the spec, or give each image an empty group",
    ),
    KnownError(
        "service-failed",
        r"^ServerError: ",
        "the image builder service broke while it prepared the template",
        "./inv clean --cloud removes the failed template, ./inv bake IMAGE makes it anew; if it"
        " lasts, see the service's health in the portal",
    ),
    KnownError(
        "run-under-way",
        r"not allowed in provisioning state: [\w ]+ or run state: (running|canceling)",
        "a run of the template is under way; until it ends it cannot be run, changed or deleted",
        "./inv bake IMAGE --resume follows the run; ./inv logs IMAGE --follow shows its output",
    ),
    KnownError(
        "template-not-provisioned",
        r"not allowed in provisioning state: (failed|creating|updating|deleting)\b(?!.*run state:"
        r" (running|canceling))",
        "the template never became ready, or is being changed, so that it cannot be run",
        "./inv clean --cloud removes it, ./inv bake IMAGE makes it anew",
    ),
    KnownError(
        "containers-not-registered",
        r"Azure Container Instances provider not registered",
        "builds run isolated in a container instance, and the subscription has no such provider",
        "az provider register --namespace Microsoft.ContainerInstance",
    ),
    KnownError(
        "containers-quota",
        r"Azure Container Instances quota exceeded",
        "each build takes four cores of container instances for its time, and they are used up",
        "bake fewer images at once, or ask for more StandardCores of Container Instances in the"
        " region",
    ),
    KnownError(
        "containers-too-fast",
        r"Too many Azure Container Instances deployed within a period of time",
        "builds were started faster than the subscription may make container instances",
        "bake again in some minutes, with fewer images at once",
    ),
)
"""In order of lookup."""
