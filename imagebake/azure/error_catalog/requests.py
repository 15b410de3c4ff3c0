"""Known errors of any request to Azure."""

from __future__ import annotations

from imagebake.azure.error_catalog.known_error import KnownError

ARM = (
    KnownError(
        "forbidden",
        r"^AuthorizationFailed: (?!.*proxyVm)",
        "the identity that asks has no role that allows this",
        "the identity lacks a role on the resource group; Contributor there and Managed Identity"
        " Operator on the build identity are enough",
    ),
    KnownError(
        "forbidden-linked",
        r"^LinkedAuthorizationFailed: (?!.*current tenant)",
        "the request names another resource, and the identity that asks may not use that one",
        "the identity may not use a resource that the request names; give it Managed Identity"
        " Operator on the build identity",
    ),
    KnownError(
        "token-refused",
        r"^(Invalid|Expired)AuthenticationToken(Tenant)?: ",
        "the token is of another tenant, too old, or for another audience",
        "log in again: az login",
    ),
    KnownError(
        "federation-unknown",
        r"AADSTS(70021|700213|700211|7002138)\b",
        "no federated credential of the identity fits the workflow: repository, branch or"
        " environment differ",
        "./inv bootstrap --plan shows the subjects; environments are part of them",
    ),
    KnownError(
        "federation-late",
        r"AADSTS700024\b",
        "the workflow's assertion is older than its five minutes",
        "imagebake asks for a fresh one each time; give the job id-token: write for all of its"
        " steps",
    ),
    KnownError(
        "secret-wrong",
        r"AADSTS(7000215|7000222)\b",
        "a client secret is wrong, or has expired",
        "use no secret: ./inv bootstrap sets up federated credentials",
    ),
    KnownError(
        "application-unknown",
        r"AADSTS700016\b",
        "the application is not in the tenant that was asked",
        "check AZURE_TENANT_ID and AZURE_CLIENT_ID",
    ),
    KnownError(
        "subscription-unknown",
        r"^(SubscriptionNotFound|InvalidSubscriptionId): ",
        "there is no such subscription, or the identity sees nothing in it",
        "check IMAGEBAKE_SUBSCRIPTION, and az account list",
    ),
    KnownError(
        "subscription-disabled",
        r"^ReadOnlyDisabledSubscription: |^SubscriptionDisabled: ",
        "the subscription is disabled, so that it can only be read",
        "its owner has to enable it again: az account show",
    ),
    KnownError(
        "group-unknown",
        r"^ResourceGroupNotFound: ",
        "there is no such resource group in the subscription",
        "az group create, or set IMAGEBAKE_RESOURCE_GROUP",
    ),
    KnownError(
        "group-leaving",
        r"^ResourceGroup(BeingDeleted|DeprovisioningState): ",
        "the resource group is being deleted",
        "wait until it is gone, or choose another group",
    ),
    KnownError(
        "parent-unknown",
        r"^ParentResourceNotFound: |requested operation on nested resource",
        "what is asked for is part of something that does not exist",
        "./inv bake makes gallery and definition; check gallery and resource_group in the settings",
    ),
    KnownError(
        "provider-not-registered",
        r"^MissingSubscriptionRegistration: ",
        "the subscription does not use this provider yet",
        "az provider register --namespace NAMESPACE; the setting register_providers: yes lets"
        " imagebake do it",
    ),
    KnownError(
        "api-not-there",
        r"^NoRegisteredProviderFound: ",
        "the provider has no such API version in this region",
        "choose a region that has image builder, in the setting location",
    ),
    KnownError(
        "region-without-type",
        r"^LocationNotAvailableForResourceType: |The provided location \S+ is not available for",
        "the region is misspelt, closed to the subscription, or does not have this kind of"
        " resource",
        "az account list-locations; some regions are opened on request only",
    ),
    KnownError(
        "quota",
        r"^QuotaExceeded: |exceeding approved (?!Galler).* quota",
        "the cores of this family are used up in the region",
        "ask for more quota in the region, or choose another vm_size",
    ),
    KnownError(
        "size-not-offered",
        r"^SkuNotAvailable: ",
        "the region does not have machines of that size for the subscription, for now or for good",
        "choose another vm_size in the spec's build section",
    ),
    KnownError(
        "no-capacity",
        r"^(AllocationFailed|ZonalAllocationFailed|OverconstrainedAllocationRequest): ",
        "the region has no room for a machine of that size at the moment",
        "bake again later, or choose another vm_size or region",
    ),
    KnownError(
        "terms-not-accepted",
        r"^(MarketplacePurchaseEligibilityFailed|ResourcePurchaseValidationFailed): ",
        "the source image has a plan whose terms the subscription has not accepted",
        "az vm image terms accept --urn PUBLISHER:OFFER:SKU:VERSION",
    ),
    KnownError(
        "plan-missing",
        r"^VMMarketplaceInvalidInput: ",
        "the source image has a purchase plan, and the template does not name it",
        "give source.plan in the spec",
    ),
    KnownError(
        "image-withdrawn",
        r"^(PlatformImageNotFound|ImageNotFound|NotFound): .*[Ii]mage\b.*(not available|not found)",
        "the marketplace does not have that version, or no longer",
        "./inv outdated IMAGE names what it has; ./inv bump IMAGE moves the pin",
    ),
    KnownError(
        "policy",
        r"^RequestDisallowedByPolicy: ",
        "an Azure Policy forbids it",
        "an Azure Policy forbids it; the message names the assignment",
    ),
    KnownError(
        "locked",
        r"^ScopeLocked: ",
        "a lock on the resource, its group or the subscription forbids it",
        "a lock on the resource group forbids it: az lock list",
    ),
    KnownError(
        "throttled",
        r"^(TooManyRequests|SubscriptionRequestsThrottled|OperationThrottled|429): ",
        "more was asked than the subscription may in that time",
        "the subscription is throttled; try again in a few minutes",
    ),
    KnownError(
        "busy",
        r"^(AnotherOperationInProgress|OperationNotAllowed): (?!.*(run state|approved .* quota))",
        "something else is being done with the resource",
        "something else holds the resource; see what runs, then try again",
    ),
    KnownError(
        "overtaken",
        r"^(PreconditionFailed|OperationPreempted): ",
        "another client changed the resource between our read and our write",
        "try again: what is there now is read first",
    ),
    KnownError(
        "service-down",
        r"^(ServiceUnavailable|GatewayTimeout|ServerTimeout|502|503|504): ",
        "Azure does not answer properly at the moment",
        "try again; nothing is lost, a bake picks up where it was: ./inv bake IMAGE --resume",
    ),
)
"""In order of lookup, after the other chapters."""
