"""Known errors of galleries, definitions and versions, and of machines created from them."""

from __future__ import annotations

from imagebake.azure.error_catalog.known_error import KnownError

_NAMES = "letters, digits, underscores and periods, up to 80, with a letter or digit at both ends"

GALLERIES = (
    KnownError(
        "gallery-name",
        r"Gallery name is invalid",
        "the gallery's name has a character that galleries cannot have, such as a dash",
        f"the setting gallery: {_NAMES}",
    ),
    KnownError(
        "name-ends-badly",
        r"has these invalid trailing characters",
        "the name of a gallery or a definition ends with a period or an underscore",
        _NAMES,
    ),
    KnownError(
        "definition-name",
        r"entity name \S+ is invalid according to its validation rule",
        "the name of an image definition has a character, or an end, that it cannot have",
        f"gallery.definition: {_NAMES}, and dashes",
    ),
    KnownError(
        "gallery-not-unique",
        r"gallery name \S+ is not unique within the subscription",
        "a gallery of that name is in another resource group of the subscription",
        "choose another name in the setting gallery, or the resource_group that it is in",
    ),
    KnownError(
        "resource-elsewhere",
        r"already exists in location .* cannot be created in location",
        "what should be made exists already, in another region",
        "set the location to the region that it is in, or choose another name",
    ),
    KnownError(
        "property-never-changes",
        r"Changing property '(?!galleryImageVersion)\S+' is not allowed",
        "the definition exists, and its type, generation, state, publisher, offer and SKU never"
        " change",
        "give the spec another gallery.definition",
    ),
    KnownError(
        "version-source-never-changes",
        r"Changing property 'galleryImageVersion\.\S+' is not allowed",
        "a version of that number exists, and what it was made from never changes",
        "./inv bake IMAGE takes the next number",
    ),
    KnownError(
        "not-empty",
        r"[Cc]an not delete resource before nested resources are deleted",
        "a gallery with definitions, or a definition with versions, cannot be deleted",
        "./inv retire IMAGE shows which versions may go",
    ),
    KnownError(
        "identifier-taken",
        r"Gallery image: .* identified by .* already exists",
        "another definition of the gallery has the same publisher, offer and SKU",
        "change gallery.identifier in the spec",
    ),
    KnownError(
        "identifier-invalid",
        r"Asset name galleryImage\.properties\.identifier\.\w+ is not valid",
        "publisher (128 characters), offer or SKU (64) has a character that it cannot have, or ends"
        " with a period",
        "letters, digits, dashes, underscores and periods in gallery.identifier",
    ),
    KnownError(
        "version-name",
        r"image version name should follow Major\(int\)\.Minor\(int\)\.Patch\(int\)",
        "a version is three whole numbers",
        "such as 2026.1122.0; imagebake numbers by the day",
    ),
    KnownError(
        "home-region-missing",
        r"publishing profile regions .* must contain the location of image version",
        "the regions of the version lack the region of the definition",
        "add it to regions in the spec",
    ),
    KnownError(
        "region-twice",
        r"Duplicate regions are not allowed in target publishing regions",
        "a region is named twice",
        "name each once in the spec's regions",
    ),
    KnownError(
        "value-out-of-range",
        r"of parameter \S+ is out of range",
        "a number is too small or too large; a region takes 1 to 100 replicas",
        "the message names the parameter and its bounds",
    ),
    KnownError(
        "zone-redundancy",
        r"ZRS storage account type is not supported in this region",
        "the region has no zone-redundant storage for images",
        "storage: Standard_LRS for that region in the spec",
    ),
    KnownError(
        "source-not-found",
        r"Source \S+ is not found|Source was not found",
        "what the version is to be made from does not exist, or is in another region",
        "bake again; a template that was deleted meanwhile takes its output along",
    ),
    KnownError(
        "source-throttled",
        r"Too many requests on source",
        "one image is being copied too often at the same time",
        "bake again in some minutes",
    ),
    KnownError(
        "generation-differs",
        r"has a different Hypervisor generation",
        "source image and definition are of different Hyper-V generations",
        "set gallery.generation as the source has it, in a new gallery.definition",
    ),
    KnownError(
        "system-differs",
        r"has a different OS type",
        "source image and definition are of different systems",
        "set gallery.os as the source has it, in a new gallery.definition",
    ),
    KnownError(
        "state-differs",
        r"since the OS State in the parent gallery image",
        "one of image and definition is generalised and the other specialised",
        "imagebake makes generalised images: take a new gallery.definition",
    ),
    KnownError(
        "size-exceeded",
        r"source resource size \d+ exceeds the max size",
        "a disk is larger than what a region can be given",
        "make build.disk_gb smaller",
    ),
    KnownError(
        "version-leaving",
        r"since it is marked for deletion",
        "the version is being deleted, and nothing else can be done with it",
        "./inv bake IMAGE makes another",
    ),
    KnownError(
        "version-protected",
        r"DeleteGalleryImageVersionBlockedBeforeEndOfLife",
        "the version is guarded until its end of life",
        "./inv status and ./inv hold say why; ./inv retire deletes it when its time has come",
    ),
    KnownError(
        "end-of-life-past",
        r"EndOfLifeDate must be set to a future date",
        "the end of life lies in the past",
        "set a day that is yet to come",
    ),
    KnownError(
        "no-latest-version",
        r"no latest image version exists for",
        "every version is hidden from latest: none was promoted yet, or all were retired",
        "./inv status IMAGE, then ./inv promote IMAGE",
    ),
    KnownError(
        "not-in-region",
        r"gallery image \S+ is not available in \S+ region",
        "the version has no replica in the region of the machine",
        "add the region to regions in the spec and bake, or ./inv dr use second",
    ),
    KnownError(
        "plan-differs",
        r"has a different plan .* than the parent gallery image plan",
        "the source image has a purchase plan, and the definition has not, or another",
        "give the source's plan in the spec, with a new gallery.definition",
    ),
    KnownError(
        "os-profile",
        r"[Pp]arameter 'osProfile' is (not allowed|missing)",
        "a machine from a generalised image needs a user and a key; one from a specialised image"
        " takes none",
        "correct the machine's template; imagebake's images are generalised",
    ),
    KnownError(
        "other-tenant",
        r"current tenant \S+ is not authorized to access linked subscription",
        "the gallery is in a subscription of another tenant",
        "its owner has to grant Reader on the version",
    ),
    KnownError(
        "gallery-quota",
        r"exceeding approved Galler\w+ quota",
        "the subscription has its 100 galleries, 1,000 definitions or 10,000 versions there",
        "./inv retire --apply lets go of versions that nothing needs; ./inv status shows the count",
    ),
)
"""In order of lookup."""
