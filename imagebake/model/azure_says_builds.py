"""Errors of builds: what a run's status says, and what is in its log."""

from __future__ import annotations

from imagebake.model.meaning import Meaning

BUILDS = (
    Meaning(
        "distribution-timeout",
        r"Error waiting on Azure Compute Gallery future.*context deadline exceeded",
        "the image was built, and copying it to the regions took longer than the run may; the"
        " copying goes on although the run has failed",
        "./inv bake IMAGE --resume waits for the version; more build.timeout_minutes for next time",
    ),
    Meaning(
        "build-timeout",
        r"Timeout waiting for microservice to complete|^BuildTimeout: "
        r"|build took (too long|longer)",
        "the build took longer than build.timeout_minutes: a step waits for an answer, or the"
        " machine is too small",
        "./inv logs IMAGE shows the step that it was in; make it ask nothing, or raise"
        " build.timeout_minutes or build.vm_size",
    ),
    Meaning(
        "source-image-unreadable",
        r"Error getting Managed Image",
        "the source is a managed image that the template's identity may not read, or that is gone",
        "az role assignment create --role Reader --assignee IDENTITY --scope IMAGE",
    ),
    Meaning(
        "source-version-missing",
        r"Error getting Image Version",
        "the source is a gallery version that does not exist in the build's region, or that the"
        " identity may not read",
        "az sig image-version show --expand ReplicationStatus; ./inv outdated IMAGE",
    ),
    Meaning(
        "download-failed",
        r"Downloading external file \S+ .*failed",
        "a file that the template names cannot be fetched: wrong name, unreachable host, or ciphers"
        " that the service does not speak",
        "keep the file in the mirror, which the build reads by its identity: ./inv lock IMAGE",
    ),
    Meaning(
        "proxy-machine-forbidden",
        r"Microsoft\.Compute/disks/write.*proxyVm",
        "a build into a network of yours makes a small proxy machine in the group of that network,"
        " and the service's own principal may not",
        "az role assignment create --role Contributor --assignee AZURE-VM-IMAGE-BUILDER-SP on the"
        " resource group",
    ),
    Meaning(
        "policy-blocks-staging",
        r"template deployment failed because of policy violation",
        "an Azure Policy forbids what a build makes in its staging group: a key vault or storage"
        " account with public access, shared keys, or resources without certain tags",
        "the message names the assignment; have the IT_* groups exempted, or give"
        " build.staging_resource_group and build.managed_tags",
    ),
    Meaning(
        "network-interface-gone",
        r"network\.InterfacesClient#UpdateTags",
        "the service could not tag the build's network interface, for lack of a role",
        "compare the identity's roles on the subnet with ./inv bootstrap --plan",
    ),
    Meaning(
        "restart-timeout",
        r"Timeout waiting for machine to restart",
        "a restart took longer than its timeout, mostly because updates were still being installed",
        "raise the timeout of the restart step; Windows Server 2016 takes thirty minutes",
    ),
    Meaning(
        "sysprep-stuck",
        r"IMAGE_STATE_UNDEPLOYABLE",
        "Sysprep began before the guest agent was installed, or is stopped by software that it"
        " cannot generalise",
        "take a larger build.vm_size, or wait for the agent in a step before",
    ),
    Meaning(
        "machine-exhausted",
        r"errored: unexpected EOF",
        "the build machine ran out of memory or processors; Windows Update alone needs more than"
        " the default size has",
        "take a larger build.vm_size",
    ),
    Meaning(
        "connection-lost",
        r"Remote command exited without exit status or exit signal",
        "the service lost its connection to the build machine (port 22, or 5986 on Windows): a step"
        " changes the firewall, the network, sshd or WinRM",
        "leave these alone while the image is built; change them in files that hold from the next"
        " boot on",
    ),
    Meaning(
        "build-cancelled",
        r"context cancellation context canceled|image build was canceled|^Canceled: ",
        "somebody cancelled the run, or it ran into its timeout",
        "./inv bake IMAGE bakes again; what was built in Azure is gone, layers here are kept",
    ),
    Meaning(
        "timeout-below-minimum",
        r"client_jwt will expire within 5 minutes",
        "build.timeout_minutes is below six, which no build can be done in",
        "leave it out for four hours, or say at least 6",
    ),
    Meaning(
        "staging-network-in-use",
        r"NicInUseWithPrivateEndpoint",
        "the staging group cannot be deleted while its private endpoint holds a network interface",
        "delete in this order: private endpoint connection, private link service, interface and"
        " load balancer, group, template; then ./inv clean --cloud",
    ),
    Meaning(
        "package-lock-held",
        r"Could not get lock /var/lib/(dpkg|apt)/",
        "another process on the build machine installs packages: an extension, or"
        " unattended-upgrades",
        "let no policy put extensions onto build machines; imagebake's own steps wait for the lock",
    ),
    Meaning(
        "disk-full",
        r"No space left on device",
        "the build machine's disk is full",
        "raise build.disk_gb in the spec, and clean up in the step that fills it",
    ),
    Meaning(
        "wrong-bytes",
        r"Hash Sum mismatch|sha256sum: WARNING|^ChecksumMismatch: |has sha256 [0-9a-f]{64}, and",
        "bytes that were fetched are not those that were locked",
        "./inv mirror verify finds damage; ./inv lock IMAGE pins what is published now",
    ),
    Meaning(
        "builder-died",
        r"process that ran the build ended before the build did",
        "the build ran in a process on this machine, and that was killed",
        "./inv bake IMAGE --resume goes on with the layers that were finished",
    ),
    Meaning(
        "step-failed",
        r"Packer build command has failed|^PackerBuildFailed: |Script exited with non-zero exit"
        r" status|ended with exit code \d+",
        "a step of the image ended with an error",
        "./inv logs IMAGE shows the step and its last words; a step has to end with 0, and to ask"
        " nothing",
    ),
)
"""Asked in this order: the last ones are those that say least."""
