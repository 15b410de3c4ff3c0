"""Specs that ask Azure for something that it refuses, or that harms."""

from __future__ import annotations

from typing import Any

from imagebake.spec.model.image_spec import ImageSpec
from tests.policy.spec_cases import GALLERY, Case
from tests.support.builders import a_spec, a_spec_document
from tests.support.full_spec import DIGEST, FETCHED, GROUP
from tests.support.windows import a_windows_spec

_WHY = {"reason": "it is the vendor's"}
_SUBNETS = f"{GROUP}/Microsoft.Network/virtualNetworks/build/subnets"
_STAGING = GROUP.replace("/providers", "-staging")
_OWN = GROUP.removesuffix("/providers")
_PUT = FETCHED | {"destination": "/tmp/setup.conf"}  # noqa: S108 - on the guest
_IDENTITY = f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
_MANAGED = {"managed_image": f"{GROUP}/Microsoft.Compute/images/golden"}


def windows(*steps: dict[str, Any], **changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A Windows spec with *steps*, as far as the rules of this page look at it."""
    return a_windows_spec(customizers=steps, **changes)


def distributed(*outputs: dict[str, Any], **changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    return a_spec(distribute=outputs, **changes)


def a_copy(name: str = "copy", definition: str = "elsewhere", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    output = {
        "name": name,
        "gallery": f"{GALLERY}/images/{definition}",
        "regions": ({"name": "westeurope"},),
    }
    return output | changes


def built(**build: Any) -> ImageSpec:  # noqa: ANN401 - any field
    return a_spec(build=build)


def shallow(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    return a_spec(gallery=a_spec_document()["gallery"] | {"replication": "Shallow"}, **changes)


CASES = (
    Case(
        "P130",
        "restart",
        a_spec(customizers=({"name": "again", "restart": {}},)),
        "again",
        "'restart' is for Windows, and the image is Linux",
    ),
    Case(
        "P130",
        "elevated",
        a_spec(validators=({"name": "look", "inline": ("true",), "elevated": True},)),
        "look",
        "'elevated' and its like are for Windows, the image is Linux",
    ),
    Case(
        "P131",
        "system",
        windows({"name": "set", "inline": ("exit 0",), "as_system": True}),
        "set",
        "it has 'as_system' without 'elevated'",
    ),
    Case(
        "P132",
        "linux",
        a_spec(customizers=({"name": "put", "upload": _PUT | {"destination": "/etc/a"}, **_WHY},)),
        "put",
        "Azure cannot put a file at /etc/a on Linux",
    ),
    Case(
        "P132",
        "windows",
        windows({"name": "put", "upload": _PUT, **_WHY}),
        "put",
        "Azure cannot put a file at /tmp/setup.conf on Windows",
    ),
    Case(
        "P133",
        "alone",
        windows({"name": "update", "update": {}, **_WHY}),
        "update",
        "no restart stands before or after it",
    ),
    Case(
        "P133",
        "not-after",
        windows({"name": "again", "restart": {}}, {"name": "update", "update": {}, **_WHY}),
        "update",
        "no restart stands after it",
    ),
    Case(
        "P134",
        "2016",
        windows(
            {"name": "again", "restart": {}},
            source={
                "publisher": "MicrosoftWindowsServer",
                "offer": "WindowsServer",
                "sku": "2016-datacenter-gensecond",
                "version": "14393.7336.240905",
            },
            build={"os_disk_gb": 127},
        ),
        "again",
        "it has 5m",
    ),
    Case(
        "P135",
        "script",
        a_spec(customizers=({"name": "run", "script": FETCHED},)),
        "run",
        "Azure fetches https://files.example/setup, and nothing says why",
    ),
    Case(
        "P136",
        "update",
        windows(
            {"name": "again", "restart": {}},
            {"name": "update", "update": {}},
            {"name": "and-again", "restart": {}},
        ),
        "update",
        "it installs updates, and nothing says why",
    ),
    *(
        Case(
            "P137",
            label,
            windows({"name": "tidy", "inline": (line,)}),
            "tidy, line 1",
            "it endangers the builder's own files",
        )
        for label, line in (
            ("drive", "Remove-Item -Recurse -Force C:\\*"),
            ("variable", "rm -r $env:SystemDrive\\*"),
            ("script", "Remove-Item C:\\DeprovisioningScript.ps1"),
        )
    ),
    Case(
        "P138",
        "goes-on",
        a_spec(validation={"continue_distribute_on_failure": True}),
        "demo",
        "what fails its validators is distributed",
    ),
    Case(
        "P139",
        "source",
        a_spec(validation={"source_only": True}),
        "demo",
        "only its source is validated, and nothing is built",
    ),
    Case(
        "P141",
        "own",
        distributed(a_copy(definition="Demo")),
        "copy",
        "it goes where the image's own versions go",
    ),
    Case(
        "P142",
        "image",
        distributed(a_copy("Demo")),
        "Demo",
        "another run output has that name",
    ),
    Case(
        "P142",
        "case",
        distributed(a_copy("Copy"), a_copy("copy", "third")),
        "copy",
        "another run output has that name",
    ),
    Case(
        "P143",
        "own",
        a_spec(regions=({"name": "westeurope", "storage": "PremiumV2_LRS"},)),
        "westeurope",
        "it is kept in PremiumV2_LRS",
    ),
    Case(
        "P144",
        "both",
        distributed(
            a_copy(gallery=f"{GALLERY}/images/other/versions/1.2.3", versioning={"major": 1})
        ),
        "copy",
        "it names a version and how versions are numbered",
        also=frozenset({"P145"}),
    ),
    Case(
        "P145",
        "once",
        distributed(a_copy(gallery=f"{GALLERY}/images/other/versions/1.2.3")),
        "copy",
        "it makes version 1.2.3, once",
    ),
    Case(
        "P146",
        "major",
        distributed(a_copy(versioning={"scheme": "source", "major": 1})),
        "copy",
        "'major' is for 'scheme: latest'",
    ),
    Case(
        "P146",
        "managed",
        distributed(a_copy(versioning={"scheme": "source"}), source=_MANAGED),
        "copy",
        "the source is a managed image, which has no version",
    ),
    Case(
        "P147",
        "regions",
        shallow(regions=({"name": "westeurope"}, {"name": "northeurope"})),
        "demo",
        "it is shallow, and gets 2 replicas",
    ),
    Case(
        "P148",
        "production",
        shallow(tags={"environment": "Production"}),
        "demo",
        "it is shallow, and for production",
        also=frozenset({"P151"}),
    ),
    Case(
        "P149",
        "own",
        a_spec(trigger={"definition": f"{GALLERY}/images/demo"}),
        "demo",
        "candidates would go where other versions are",
    ),
    Case(
        "P149",
        "managed",
        a_spec(source=_MANAGED, trigger={"definition": f"{GALLERY}/images/candidates"}),
        "demo",
        "its source is a managed image, which never has a newer version",
    ),
    Case(
        "P160",
        "alone",
        built(container_subnet=f"{_SUBNETS}/containers"),
        "demo",
        "'container_subnet' stands without 'subnet'",
    ),
    Case(
        "P160",
        "same",
        built(subnet=f"{_SUBNETS}/one", container_subnet=f"{_SUBNETS}/One"),
        "demo",
        "'container_subnet' is the build machine's own",
    ),
    Case(
        "P160",
        "apart",
        built(
            subnet=f"{_SUBNETS}/one",
            container_subnet=f"{_SUBNETS.replace('/build/', '/other/')}/two",
        ),
        "demo",
        "'subnet' and 'container_subnet' are in two networks",
    ),
    Case(
        "P161",
        "no-subnet",
        built(proxy_vm_size="Standard_A1_v2"),
        "demo",
        "'proxy_vm_size' stands without 'subnet'",
    ),
    Case(
        "P161",
        "containers",
        built(
            subnet=f"{_SUBNETS}/one",
            container_subnet=f"{_SUBNETS}/two",
            proxy_vm_size="Standard_A1_v2",
        ),
        "demo",
        "'proxy_vm_size' stands beside 'container_subnet'",
    ),
    Case(
        "P162",
        "own",
        built(
            staging_resource_group=GROUP.removesuffix("/providers").replace(
                "imagebake", "ImageBake"
            )
        ),
        "demo",
        "'staging_resource_group' is the gallery's own group",
    ),
    Case(
        "P162",
        "elsewhere",
        built(staging_resource_group=_STAGING.replace("00000000-0", "11111111-0")),
        "demo",
        "'staging_resource_group' is of another subscription",
    ),
    Case(
        "P163",
        "shared",
        built(staging_resource_group=_STAGING),
        "demo",
        "other builds in that group, too",
        others=(
            a_spec(
                name="other",
                build={"staging_resource_group": _STAGING},
                gallery=a_spec_document()["gallery"]
                | {
                    "definition": "other",
                    "identifier": {"publisher": "imagebake", "offer": "other", "sku": "base"},
                },
            ),
        ),
    ),
    Case(
        "P164",
        "short",
        windows(build={"timeout_minutes": 45}),
        "demo",
        "it has 45 minutes",
    ),
    Case(
        "P165",
        "abort",
        built(on_customizer_error="abort"),
        "demo",
        "'on_customizer_error' is 'abort'",
    ),
    Case(
        "P166",
        "twice",
        built(identities=(_IDENTITY, _IDENTITY.replace("reader", "Reader"))),
        "demo",
        "reader is named twice",
    ),
)
"""A breach of every rule about steps and resources of Azure's."""

GOOD = (
    windows(
        {"name": "set", "inline": ("Write-Output 1",), "elevated": True, "as_system": True},
        {"name": "put", "upload": _PUT | {"destination": "C:\\setup.conf"}, **_WHY},
        {"name": "again", "restart": {"timeout": "30m"}},
        {"name": "update", "update": {"limit": 40}, **_WHY},
        {"name": "and-again", "restart": {}},
    ),
    distributed(
        a_copy(versioning={"scheme": "latest", "major": 2}),
        {"name": "disk", "vhd": {}},
        {"name": "managed", "location": "westeurope", **_MANAGED},
    ),
    built(
        subnet=f"{_SUBNETS}/one",
        container_subnet=f"{_SUBNETS}/two",
        staging_resource_group=_STAGING,
        data_disks=(64,),
        identities=(_IDENTITY,),
        managed_tags={"cost-centre": "42"},
        optimize_boot=True,
        optimize_workload={"file": "https://files.example/load.sh", "sha256": DIGEST},
    ),
    built(subnet=f"{_SUBNETS}/one", proxy_vm_size="Standard_A1_v2"),
    shallow(),
    a_spec(trigger={"definition": f"{GALLERY}/images/demo-candidates"}),
    a_spec(customizers=({"name": "put", "upload": _PUT, **_WHY},)),
)
"""Specs that ask much of Azure, and nothing wrong."""
