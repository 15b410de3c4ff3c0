"""The schema of image templates, from the published API: data only."""

from __future__ import annotations

from collections.abc import Mapping

SHAPES: Mapping[str, Mapping[str, str]] = {
    "ImageTemplate": {
        "id": "any read-only",
        "name": "any read-only",
        "type": "any read-only",
        "systemData": "any read-only",
        "tags": "{str}",
        "location": "str required",
        "properties": "ImageTemplateProperties",
        "identity": "ImageTemplateIdentity required",
    },
    "ImageTemplateProperties": {
        "source": "ImageTemplateSource required",
        "customize": "[ImageTemplateCustomizer]",
        "optimize": "ImageTemplatePropertiesOptimize",
        "validate": "ImageTemplatePropertiesValidate",
        "distribute": "[ImageTemplateDistributor] required",
        "errorHandling": "ImageTemplatePropertiesErrorHandling",
        "provisioningState": "any read-only",
        "provisioningError": "any read-only",
        "lastRunStatus": "any read-only",
        "buildTimeoutInMinutes": "int",
        "vmProfile": "ImageTemplateVmProfile",
        "additionalDataDisks": "[DataDisk]",
        "stagingResourceGroup": "str",
        "exactStagingResourceGroup": "any read-only",
        "autoRun": "ImageTemplateAutoRun",
        "managedResourceTags": "{str}",
    },
    "ImageTemplateSource": {"type": "str required"},
    "ImageTemplateManagedImageSource": {"type": "str required", "imageId": "str required"},
    "ImageTemplatePlatformImageSource": {
        "type": "str required",
        "publisher": "str",
        "offer": "str",
        "sku": "str",
        "version": "str",
        "exactVersion": "any read-only",
        "planInfo": "PlatformImagePurchasePlan",
    },
    "PlatformImagePurchasePlan": {
        "planName": "str required",
        "planProduct": "str required",
        "planPublisher": "str required",
    },
    "ImageTemplateSharedImageVersionSource": {
        "type": "str required",
        "imageVersionId": "str required",
        "exactVersion": "any read-only",
    },
    "ImageTemplateCustomizer": {"type": "str required", "name": "str"},
    "ImageTemplateFileCustomizer": {
        "type": "str required",
        "name": "str",
        "sourceUri": "str",
        "sha256Checksum": "str",
        "destination": "str",
    },
    "ImageTemplatePowerShellCustomizer": {
        "type": "str required",
        "name": "str",
        "scriptUri": "str",
        "sha256Checksum": "str",
        "inline": "[str]",
        "runElevated": "bool",
        "runAsSystem": "bool",
        "validExitCodes": "[int]",
    },
    "ImageTemplateRestartCustomizer": {
        "type": "str required",
        "name": "str",
        "restartCommand": "str",
        "restartCheckCommand": "str",
        "restartTimeout": "str",
    },
    "ImageTemplateShellCustomizer": {
        "type": "str required",
        "name": "str",
        "scriptUri": "str",
        "sha256Checksum": "str",
        "inline": "[str]",
    },
    "ImageTemplateWindowsUpdateCustomizer": {
        "type": "str required",
        "name": "str",
        "searchCriteria": "str",
        "filters": "[str]",
        "updateLimit": "int",
    },
    "ImageTemplatePropertiesOptimize": {
        "vmBoot": "ImageTemplatePropertiesOptimizeVmBoot",
        "workload": "ImageTemplatePropertiesOptimizeWorkload",
    },
    "ImageTemplatePropertiesOptimizeVmBoot": {"state": "enum VMBootOptimizationState"},
    "ImageTemplatePropertiesOptimizeWorkload": {
        "state": "enum WorkloadOptimizationState",
        "scriptUri": "str",
        "sha256Checksum": "str",
    },
    "ImageTemplatePropertiesValidate": {
        "continueDistributeOnFailure": "bool",
        "sourceValidationOnly": "bool",
        "inVMValidations": "[ImageTemplateInVMValidator]",
    },
    "ImageTemplateInVMValidator": {"type": "str required", "name": "str"},
    "ImageTemplateFileValidator": {
        "type": "str required",
        "name": "str",
        "sourceUri": "str",
        "sha256Checksum": "str",
        "destination": "str",
    },
    "ImageTemplatePowerShellValidator": {
        "type": "str required",
        "name": "str",
        "scriptUri": "str",
        "sha256Checksum": "str",
        "inline": "[str]",
        "runElevated": "bool",
        "runAsSystem": "bool",
        "validExitCodes": "[int]",
    },
    "ImageTemplateShellValidator": {
        "type": "str required",
        "name": "str",
        "scriptUri": "str",
        "sha256Checksum": "str",
        "inline": "[str]",
    },
    "ImageTemplateDistributor": {
        "type": "str required",
        "runOutputName": "str required",
        "artifactTags": "{str}",
    },
    "ImageTemplateManagedImageDistributor": {
        "type": "str required",
        "runOutputName": "str required",
        "artifactTags": "{str}",
        "imageId": "str required",
        "location": "str required",
    },
    "ImageTemplateSharedImageDistributor": {
        "type": "str required",
        "runOutputName": "str required",
        "artifactTags": "{str}",
        "galleryImageId": "str required",
        "replicationRegions": "[str]",
        "excludeFromLatest": "bool",
        "storageAccountType": "enum SharedImageStorageAccountType",
        "targetRegions": "[TargetRegion]",
        "versioning": "DistributeVersioner",
        "replicationMode": "enum ReplicationMode",
    },
    "TargetRegion": {
        "name": "str required",
        "replicaCount": "int",
        "storageAccountType": "enum SharedImageStorageAccountType",
    },
    "DistributeVersioner": {"scheme": "str required"},
    "DistributeVersionerLatest": {"scheme": "str required", "major": "int"},
    "DistributeVersionerSource": {"scheme": "str required"},
    "ImageTemplateVhdDistributor": {
        "type": "str required",
        "runOutputName": "str required",
        "artifactTags": "{str}",
        "uri": "str",
    },
    "ImageTemplatePropertiesErrorHandling": {
        "onCustomizerError": "enum OnBuildError",
        "onValidationError": "enum OnBuildError",
    },
    "ImageTemplateVmProfile": {
        "vmSize": "str",
        "osDiskSizeGB": "int",
        "userAssignedIdentities": "[str]",
        "vnetConfig": "VirtualNetworkConfig",
    },
    "VirtualNetworkConfig": {
        "subnetId": "str",
        "containerInstanceSubnetId": "str",
        "proxyVmSize": "str",
    },
    "DataDisk": {"sizeGB": "int"},
    "ImageTemplateAutoRun": {"state": "enum AutoRunState"},
    "ImageTemplateIdentity": {
        "type": "enum ResourceIdentityType",
        "userAssignedIdentities": "{UserAssignedIdentity}",
    },
    "UserAssignedIdentity": {"principalId": "any read-only", "clientId": "any read-only"},
    "ImageTemplateUpdateParameters": {
        "identity": "ImageTemplateIdentity",
        "tags": "{str}",
        "properties": "ImageTemplateUpdateParametersProperties",
    },
    "ImageTemplateUpdateParametersProperties": {
        "distribute": "[ImageTemplateDistributor]",
        "vmProfile": "ImageTemplateVmProfile",
    },
}
"""Fields of each object: `str`, `int`, `bool`, `any`, an `enum`, another object, a `[list]` or a
`{map}` of those; then `required` or `read-only`."""

VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ImageTemplateSource": (
        "type",
        {
            "ManagedImage": "ImageTemplateManagedImageSource",
            "PlatformImage": "ImageTemplatePlatformImageSource",
            "SharedImageVersion": "ImageTemplateSharedImageVersionSource",
        },
    ),
    "ImageTemplateCustomizer": (
        "type",
        {
            "File": "ImageTemplateFileCustomizer",
            "PowerShell": "ImageTemplatePowerShellCustomizer",
            "WindowsRestart": "ImageTemplateRestartCustomizer",
            "Shell": "ImageTemplateShellCustomizer",
            "WindowsUpdate": "ImageTemplateWindowsUpdateCustomizer",
        },
    ),
    "ImageTemplateInVMValidator": (
        "type",
        {
            "File": "ImageTemplateFileValidator",
            "PowerShell": "ImageTemplatePowerShellValidator",
            "Shell": "ImageTemplateShellValidator",
        },
    ),
    "ImageTemplateDistributor": (
        "type",
        {
            "ManagedImage": "ImageTemplateManagedImageDistributor",
            "SharedImage": "ImageTemplateSharedImageDistributor",
            "VHD": "ImageTemplateVhdDistributor",
        },
    ),
    "DistributeVersioner": (
        "scheme",
        {"Latest": "DistributeVersionerLatest", "Source": "DistributeVersionerSource"},
    ),
}
"""Polymorphic objects: the discriminator field, and the object for each of its values."""

ENUMS: Mapping[str, tuple[str, ...]] = {
    "VMBootOptimizationState": ("Enabled", "Disabled"),
    "WorkloadOptimizationState": ("Enabled", "Disabled"),
    "SharedImageStorageAccountType": ("Standard_LRS", "Standard_ZRS", "Premium_LRS"),
    "ReplicationMode": ("Full", "Shallow"),
    "OnBuildError": ("cleanup", "abort"),
    "AutoRunState": ("Enabled", "Disabled"),
    "ResourceIdentityType": ("UserAssigned", "None"),
}
"""The allowed values of each enum."""
