"""What Azure says, by the entry that is about it: examples from its documentation and traffic."""

from __future__ import annotations

_GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/shelf"
_RUN = "Failed while waiting for packerizer: "

MESSAGES: dict[str, list[tuple[str, str]]] = {
    # Image templates
    "template-exists": [
        ("Conflict", "Update/Upgrade of image templates is currently not supported. Please change"),
        ("", "'Conflict'. Details: Update/Upgrade of image templates is currently not supported"),
    ],
    "identity-unusable": [
        ("BadRequest", "The assigned managed identity cannot be used. Please remove the existing"),
    ],
    "identity-lacks-role": [
        ("Unauthorized", f"Not authorized to access the resource: {_GALLERY}. Please check the"),
    ],
    "field-has-bad-value": [
        (
            "ValidationFailed",
            (
                "Validation failed: 'ImageTemplate.properties.source': Field 'imageId' has a bad value:"
                " '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i'. Please"
            ),
        ),
    ],
    "field-missing": [
        (
            "ValidationFailed",
            "Validation failed: 'ImageTemplate.properties.distribute[0]': Missing field runOutput",
        ),
    ],
    "unknown-field": [
        (
            "BadRequest",
            'Unmarshalling entity encountered error: unmarshalling type *v2024: unknown field "x".',
        ),
    ],
    "target-not-in-update": [
        (
            "ValidationFailed",
            (
                "Validation failed: Distribute target with Runoutput name one not found in the update"
                " request. Deleting a distribution target is not allowed."
            ),
        ),
    ],
    "internal-error": [
        ("InternalOperationError", "Internal error occurred."),
        ("InternalOperationError", "Internal error occurred. This is a generic error"),
    ],
    "bad-source": [
        ("BadPIRSource", "Error getting the platform image: not found"),
        ("BadSourceType", "no such type"),
    ],
    "bad-managed-image": [("BadManagedImageSource", "The image 'i' was not found")],
    "bad-gallery-version": [("BadSharedImageVersionSource", "The version 1.0.0 was not found")],
    "bad-customizer": [
        ("UnsupportedCustomizerType", "PowerShell is not for Linux"),
        ("NoCustomizerScript", "neither inline nor scriptUri"),
    ],
    "bad-validator": [("BadValidatorType", "no such type")],
    "bad-distribution": [("BadSharedImageDistribute", "The definition 'demo' does not exist")],
    "bad-staging-group": [("BadStagingResourceGroup", "The staging group is not empty")],
    "service-failed": [("ServerError", "please try later")],
    "run-under-way": [
        (
            "OperationNotAllowed",
            (
                "Operation Microsoft.VirtualMachineImages/imageTemplates/delete is not allowed in"
                " provisioning state: provisioned or run state: running."
            ),
        ),
    ],
    "template-not-provisioned": [
        (
            "OperationNotAllowed",
            (
                "Operation Microsoft.VirtualMachineImages/imageTemplates/run/action is not allowed in"
                " provisioning state: failed or run state: ."
            ),
        ),
    ],
    "containers-not-registered": [
        ("", "Azure Container Instances provider not registered for your subscription."),
    ],
    "containers-quota": [("", "Azure Container Instances quota exceeded")],
    "containers-too-fast": [
        ("", "Too many Azure Container Instances deployed within a period of time."),
    ],
    # Builds
    "distribution-timeout": [
        (
            "",
            (
                "Deployment failed. Correlation ID: X. Failed in distributing 1 images out of total 1:"
                f" {{[Error 0] [Distribute 0] Error publishing MDI to Azure Compute Gallery:{_GALLERY}"
                "/images/demo, Location:eastus. Error: Error returned from SIG client while publishing"
                " MDI to Azure Compute Gallery for dstImageLocation: eastus. Error: Error waiting on"
                " Azure Compute Gallery future for resource group: g, gallery name: shelf, gallery"
                " image name: demo.Error: Future#WaitForCompletion: context has been cancelled:"
                " StatusCode=200 -- Original Error: context deadline exceeded}"
            ),
        ),
    ],
    "build-timeout": [
        (
            "",
            (
                "Deployment failed. Correlation ID: x. Failed in building/customizing image:"
                f" {_RUN}Timeout waiting for microservice to complete: 'context deadline exceeded'"
            ),
        ),
        ("BuildTimeout", "The image build took too long."),
    ],
    "source-image-unreadable": [
        (
            "",
            (
                "Build (Managed Image) step failed: Error getting Managed Image '/subscriptions/…':"
                ' Status=403 Code="AuthorizationFailed" Message="The client has no authorization"'
            ),
        ),
    ],
    "source-version-missing": [
        (
            "",
            (
                f"Build (Shared Image Version) step failed for Image Version '{_GALLERY}': Error"
                f" getting Image Version '{_GALLERY}': StatusCode=404 -- Original Error: autorest/azure"
                ': Service returned an error. Status=404 Code="ResourceNotFound" Message="The'
                ' Resource was not found."'
            ),
        ),
    ],
    "download-failed": [
        (
            "",
            (
                "Downloading external file (https://x.example/f) to local file (x.0.customizer.fp)"
                " [attempt 1 of 10] failed: Error downloading 'https://x.example/f' to 'x.0.fp'.."
            ),
        ),
    ],
    "proxy-machine-forbidden": [
        (
            "AuthorizationFailed",
            (
                "The client 'c' with object id 'o' does not have authorization to perform action"
                " 'Microsoft.Compute/disks/write' over scope '/subscriptions/s/resourceGroups/g"
                "/providers/Microsoft.Compute/disks/proxyVmDiskWin_1' or the scope is invalid."
            ),
        ),
    ],
    "policy-blocks-staging": [
        (
            "InvalidTemplateDeployment",
            (
                "The template deployment failed because of policy violation. Please see details for"
                " more information."
            ),
        ),
    ],
    "network-interface-gone": [
        (
            "",
            (
                "network.InterfacesClient#UpdateTags: Failure responding to request: StatusCode=404 --"
                ' Original Error: Code="ResourceNotFound" Message="The Resource was not found."'
            ),
        ),
    ],
    "restart-timeout": [("", "--> azure-arm: Timeout waiting for machine to restart.")],
    "sysprep-stuck": [("", "PACKER OUT     azure-arm: IMAGE_STATE_UNDEPLOYABLE")],
    "machine-exhausted": [("", "PACKER OUT Build 'azure-arm' errored: unexpected EOF")],
    "connection-lost": [
        ("", "plugin: [ERROR] Remote command exited without exit status or exit signal."),
    ],
    "build-cancelled": [
        ("", "Cancelling builder after context cancellation context canceled"),
        ("Canceled", "The image build was canceled."),
    ],
    "timeout-below-minimum": [
        ("", "* client_jwt will expire within 5 minutes, please use a JWT that is valid for at"),
    ],
    "staging-network-in-use": [
        ("", 'Failure sending request: StatusCode=400 -- Code="NicInUseWithPrivateEndpoint"'),
    ],
    "package-lock-held": [
        ("", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 512"),
        ("", "E: Could not get lock /var/lib/apt/lists/lock - open (11: Resource temporarily"),
    ],
    "disk-full": [("", "dpkg: error: failed to write: No space left on device")],
    "wrong-bytes": [
        ("", "E: Failed to fetch file:/m/a.deb Hash Sum mismatch"),
        ("ChecksumMismatch", "step: f has another digest"),
    ],
    "builder-died": [
        ("InternalOperationError", "The process that ran the build ended before the build did."),
    ],
    "step-failed": [
        (
            "",
            (
                f"{_RUN}Microservice has failed: Failed while processing request: Error when executing"
                " packerizer: Packer build command has failed: exit status 1. During the image build,"
                " a failure has occurred, please review the build log to identify which build step"
            ),
        ),
        ("PackerBuildFailed", "greet ended with exit code 3"),
        ("", "Script exited with non-zero exit status: 1. Allowed exit codes are: [0]"),
    ],
    # Galleries
    "gallery-name": [
        (
            "InvalidParameter",
            "Gallery name is invalid. Allowed characters are English alphanumeric",
        ),
    ],
    "name-ends-badly": [
        (
            "InvalidResourceName",
            (
                "The provided resource name shelf_ has these invalid trailing characters: _. The name"
                " can not end with characters: _"
            ),
        ),
    ],
    "definition-name": [
        (
            "InvalidParameter",
            "The entity name demo- is invalid according to its validation rule: ^",
        ),
    ],
    "gallery-not-unique": [
        ("Conflict", "The gallery name shelf is not unique within the subscription s. Please pick"),
    ],
    "resource-elsewhere": [
        (
            "InvalidResourceLocation",
            (
                "The resource 'shelf' already exists in location 'a' in resource group 'g'. A resource"
                " with the same name cannot be created in location 'b'. Please select a new name."
            ),
        ),
    ],
    "property-never-changes": [
        (
            "PropertyChangeNotAllowed",
            "Changing property 'galleryImage.properties.osType' is not allowed.",
        ),
    ],
    "version-source-never-changes": [
        (
            "PropertyChangeNotAllowed",
            (
                "Changing property 'galleryImageVersion.properties.storageProfile.osDiskImage.source.id'"
                " is not allowed."
            ),
        ),
    ],
    "not-empty": [
        ("CannotDeleteResource", "Can not delete resource before nested resources are deleted."),
    ],
    "identifier-taken": [
        (
            "Conflict",
            (
                "Gallery image: demo identified by (publisher:a, offer:b, sku:c) already exists."
                " Choose a different publisher, offer, sku combination."
            ),
        ),
    ],
    "identifier-invalid": [
        (
            "InvalidParameter",
            "Asset name galleryImage.properties.identifier.sku is not valid. It cannot be empty.",
        ),
    ],
    "version-name": [
        (
            "InvalidParameter",
            (
                "The image version name is invalid. The image version name should follow"
                " Major(int).Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc"
            ),
        ),
    ],
    "home-region-missing": [
        (
            "InvalidParameter",
            (
                "Gallery image version publishing profile regions 'a' must contain the location of"
                " image version 'b'."
            ),
        ),
    ],
    "region-twice": [
        ("InvalidParameter", "Duplicate regions are not allowed in target publishing regions."),
    ],
    "value-out-of-range": [
        (
            "InvalidParameter",
            (
                "The value '0' of parameter 'regionalReplicaCount' is out of range. The value must be"
                " between '1' and '100', inclusive."
            ),
        ),
    ],
    "zone-redundancy": [
        ("InvalidParameter", "ZRS storage account type is not supported in this region."),
    ],
    "source-not-found": [
        (
            "NotFound",
            (
                f"Source {_GALLERY}/x is not found. Please check source exists, and is in the same"
                " region as gallery image version being created"
            ),
        ),
        ("NotFound", "Source was not found: x. Please make sure the source exists"),
    ],
    "source-throttled": [
        ("Conflict", "Too many requests on source 'x'. Please reduce the number of requests"),
    ],
    "generation-differs": [
        (
            "InvalidParameter",
            (
                "The resource with id 'x' has a different Hypervisor generation ['V1'] than the parent"
                " gallery image Hypervisor generation ['V2']."
            ),
        ),
    ],
    "system-differs": [
        (
            "InvalidParameter",
            (
                "The resource with id 'x' has a different OS type ['Linux'] than the parent gallery"
                " image OS type generation ['Windows']."
            ),
        ),
    ],
    "state-differs": [
        (
            "InvalidParameter",
            (
                "Cannot create Gallery Image Version from: x since the OS State in the parent gallery"
                " image (Specialized) is not Generalized"
            ),
        ),
    ],
    "size-exceeded": [
        (
            "",
            (
                "Replication failed in this region due to 'The GalleryImageVersion source resource size"
                " 2520 exceeds the max size 2048 supported"
            ),
        ),
    ],
    "version-leaving": [
        (
            "Conflict",
            (
                "Operation 'Update Gallery Image Version' is not on allowed on 1.0.0; since it is marked"
                " for deletion. You can only retry the Delete operation"
            ),
        ),
    ],
    "version-protected": [
        (
            "DeleteGalleryImageVersionBlockedBeforeEndOfLife",
            (
                "Deletion of Gallery image version is not allowed because the image is enabled for"
                " blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet"
            ),
        ),
    ],
    "end-of-life-past": [("InvalidParameter", "EndOfLifeDate must be set to a future date.")],
    "no-latest-version": [
        ("NotFound", f'There is no latest image version exists for "{_GALLERY}/images/demo"'),
    ],
    "not-in-region": [
        (
            "GalleryImageNotFound",
            (
                f"The gallery image {_GALLERY}/images/demo/versions/1.0.0 is not available in uksouth"
                " region. Please contact image owner to replicate to this region"
            ),
        ),
    ],
    "plan-differs": [
        (
            "InvalidParameter",
            (
                'The resource with id x has a different plan [\'{"name":"n"}\'] than the parent'
                " gallery image plan ['null']."
            ),
        ),
    ],
    "os-profile": [
        ("InvalidParameter", "Parameter 'osProfile' is not allowed"),
        ("InvalidParameter", "Required parameter 'osProfile' is missing (null)."),
    ],
    "other-tenant": [
        (
            "LinkedAuthorizationFailed",
            (
                "The client has permission to perform action 'Microsoft.Compute/galleries/images"
                "/versions/read' on scope x, however the current tenant t is not authorized to access"
                " linked subscription s"
            ),
        ),
    ],
    "gallery-quota": [
        (
            "OperationNotAllowed",
            (
                "Operation could not be completed as it results in exceeding approved"
                " GalleryImageVersions quota. Additional details - Current Limit: 10000"
            ),
        ),
    ],
    # Every request
    "forbidden": [
        (
            "AuthorizationFailed",
            (
                "The client 'c' with object id 'o' does not have authorization to perform action"
                " 'Microsoft.VirtualMachineImages/imageTemplates/write' over scope '/subscriptions/s'"
            ),
        ),
    ],
    "forbidden-linked": [
        (
            "LinkedAuthorizationFailed",
            (
                "The client has permission to perform action on scope x, however, it does not have"
                " permission to perform action 'Microsoft.ManagedIdentity/userAssignedIdentities/assign"
                "/action' on the linked scope(s) y"
            ),
        ),
    ],
    "token-refused": [
        ("InvalidAuthenticationToken", "The access token is invalid."),
        ("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now."),
        ("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer"),
    ],
    "federation-unknown": [
        (
            "AuthenticationFailed",
            (
                "AADSTS700213: No matching federated identity record found for presented assertion"
                " subject 'repo:o/r:ref:refs/heads/main'."
            ),
        ),
        ("AuthenticationFailed", "AADSTS70021: No matching federated identity record found"),
    ],
    "federation-late": [
        ("AuthenticationFailed", "AADSTS700024: Client assertion is not within its valid time"),
    ],
    "secret-wrong": [
        ("AuthenticationFailed", "AADSTS7000215: Invalid client secret provided."),
        ("AuthenticationFailed", "AADSTS7000222: The provided client secret keys are expired."),
    ],
    "application-unknown": [
        ("AuthenticationFailed", "AADSTS700016: Application with identifier 'a' was not found"),
    ],
    "subscription-unknown": [("SubscriptionNotFound", "The subscription 's' could not be found.")],
    "subscription-disabled": [
        ("ReadOnlyDisabledSubscription", "The subscription 's' is disabled and therefore marked"),
    ],
    "group-unknown": [("ResourceGroupNotFound", "Resource group 'g' could not be found.")],
    "group-leaving": [
        ("ResourceGroupBeingDeleted", "The resource group 'g' is in deprovisioning state"),
    ],
    "parent-unknown": [
        (
            "ParentResourceNotFound",
            (
                "Can not perform requested operation on nested resource. Parent resource 'shelf' not"
                " found."
            ),
        ),
    ],
    "provider-not-registered": [
        (
            "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace 'Microsoft.VirtualMachineImages'.",
        ),
    ],
    "api-not-there": [
        ("NoRegisteredProviderFound", "No registered resource provider found for location 'x' and"),
    ],
    "region-without-type": [
        (
            "LocationNotAvailableForResourceType",
            (
                "The provided location 'x' is not available for resource type"
                " 'Microsoft.Compute/galleries'. List of available regions is 'a,b'."
            ),
        ),
        (
            "InvalidParameter",
            (
                "The provided location 'x' is not available for resource type"
                " 'Microsoft.Compute/galleries'."
            ),
        ),
    ],
    "quota": [
        ("QuotaExceeded", "cores"),
        (
            "OperationNotAllowed",
            (
                "Operation could not be completed as it results in exceeding approved standardDSv5"
                "Family Cores quota. Additional details - Deployment Model: Resource Manager"
            ),
        ),
    ],
    "size-not-offered": [
        ("SkuNotAvailable", "The requested size for resource is currently not available in"),
    ],
    "no-capacity": [
        ("AllocationFailed", "Allocation failed. We do not have sufficient capacity for the"),
    ],
    "terms-not-accepted": [
        ("MarketplacePurchaseEligibilityFailed", "Marketplace purchase eligibilty check returned"),
    ],
    "plan-missing": [
        ("VMMarketplaceInvalidInput", "Creating a virtual machine from Marketplace image requires"),
    ],
    "image-withdrawn": [
        ("PlatformImageNotFound", "The platform image 'a:b:c:1.0.0' is not available. Verify that"),
    ],
    "policy": [
        ("RequestDisallowedByPolicy", "Resource 'x' was disallowed by policy. Policy identifiers"),
    ],
    "locked": [
        ("ScopeLocked", "The scope 'x' cannot perform delete operation because following scope(s)"),
    ],
    "throttled": [
        ("TooManyRequests", "The request was throttled"),
        ("SubscriptionRequestsThrottled", "Number of requests for subscription 's' exceeded"),
    ],
    "busy": [
        ("AnotherOperationInProgress", "Another operation on this or dependent resource is in"),
        ("OperationNotAllowed", "The server rejected the request: too many"),
    ],
    "overtaken": [("PreconditionFailed", "The condition '\"1\"' in the If-Match header failed")],
    "service-down": [
        ("ServiceUnavailable", "The service is unavailable in region 'x'. Please try again later."),
        ("GatewayTimeout", "The gateway did not receive a response within the time period."),
    ],
}
