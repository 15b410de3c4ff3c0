"""Preflight checks of capacity: providers, VM sizes, cores, and gallery limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import pages
from imagebake.azure.client.serialize import region_name
from imagebake.azure.model.preflight_finding import PreflightFinding, SubscriptionRequirements
from imagebake.azure.resources.providers import PROVIDERS, Providers
from imagebake.kernel.errors import CloudError

CONTAINER_CORES = 4
"""Cores of the container that runs each build."""
_NEARLY = 0.9
_LIMITS = {"galleries": 100, "definitions": 1_000, "versions": 10_000}
_PORTAL = "in the portal: Quotas, or az quota update"


def check_providers(
    clients: Clients, needs: SubscriptionRequirements
) -> Iterator[PreflightFinding]:
    """Find unregistered resource providers, and a region without Image Builder."""
    known = Providers(clients)
    for name, state in known.missing().items():
        yield PreflightFinding(
            check="provider",
            what=f"the provider {name} is {state}",
            why=PROVIDERS[name],
            command=f"az provider register --namespace {name} --wait",
        )
    builder = known.listed().get("microsoft.virtualmachineimages") or {}
    places = {
        region_name(str(place))
        for kind in builder.get("resourceTypes") or ()
        if str(kind.get("resourceType")).lower() == "imagetemplates"
        for place in kind.get("locations") or ()
    }
    # Without listed locations there is nothing to judge by.
    if places and needs.location not in places:
        yield PreflightFinding(
            check="region",
            what=f"Image Builder is not in {needs.location}",
            why="templates, builds and the gallery are made there",
            command=f"set location in imagebake.yaml to one of {', '.join(sorted(places)[:8])} …",
        )


def check_sizes(clients: Clients, needs: SubscriptionRequirements) -> Iterator[PreflightFinding]:
    """Find VM sizes that are not offered or restricted in a region, and exhausted core quotas."""
    for region, wanted in needs.sizes.items():
        query = f"api-version=2021-07-01&$filter=location eq '{region}'"
        path = f"{_here(clients)}/providers/Microsoft.Compute/skus?{query}"
        offered = {
            str(sku["name"]).lower(): sku
            for sku in pages(clients, f"list the sizes in {region}", path)
            if str(sku.get("resourceType")).lower() == "virtualmachines"
        }
        usages = _usages(clients, "Microsoft.Compute", region, "2024-07-01")
        cores: Counter[str] = Counter()
        for size, count in wanted.items():
            sku = offered.get(size.lower())
            if complaint := _size(size, region, sku):
                yield complaint
            elif sku:
                cores[str(sku.get("family"))] += _vcpus(sku) * count
        yield from _cores(region, cores, usages)


def _size(size: str, region: str, sku: Mapping[str, Any] | None) -> PreflightFinding | None:
    restrictions = [
        str(restriction.get("reasonCode")) for restriction in (sku or {}).get("restrictions") or ()
    ]
    if sku and not restrictions:
        return None
    how = f"is restricted ({', '.join(restrictions)})" if restrictions else "is not offered"
    return PreflightFinding(
        check="size",
        what=f"the size {size} {how} in {region}",
        why="builds and heartbeats there use that size",
        command=f"choose another build.vm_size: az vm list-skus -l {region} -r virtualMachines",
    )


def _vcpus(sku: Mapping[str, Any]) -> int:
    capabilities = {
        str(capability["name"]): str(capability["value"])
        for capability in sku.get("capabilities") or ()
    }
    return int(capabilities.get("vCPUs") or 0)


def _cores(
    region: str, cores: Mapping[str, int], usages: Mapping[str, tuple[int, int]]
) -> Iterator[PreflightFinding]:
    for family, wanted in (*cores.items(), ("cores", sum(cores.values()))):
        # A family without a reported usage cannot be judged, so it passes.
        used, limit = usages.get(family.lower(), (0, wanted))
        if used + wanted > limit:
            yield PreflightFinding(
                check="quota",
                what=f"{region} has {max(limit - used, 0)} of {limit} vCPUs of {family} left, and"
                f" {wanted} are needed",
                why="Azure refuses the build machine, after the bake has begun",
                command=f"ask for more ({_PORTAL}), or choose another build.vm_size",
            )


def check_container_cores(
    clients: Clients, needs: SubscriptionRequirements
) -> Iterator[PreflightFinding]:
    """Find an exhausted quota of container cores in the region of the builds."""
    usages = _usages(clients, "Microsoft.ContainerInstance", needs.location, "2023-05-01")
    used, limit = usages.get("standardcores", (0, CONTAINER_CORES))
    if used + CONTAINER_CORES > limit:
        yield PreflightFinding(
            check="quota",
            what=f"{needs.location} has {max(limit - used, 0)} of {limit} container cores left,"
            f" and a build takes {CONTAINER_CORES}",
            why="Image Builder runs each build from a container",
            command=f"ask for more StandardCores of Microsoft.ContainerInstance ({_PORTAL})",
        )


def check_galleries(
    clients: Clients, needs: SubscriptionRequirements
) -> Iterator[PreflightFinding]:
    """Find missing galleries, and regions that are close to a gallery limit."""
    compute = clients.compute
    there = clients.ask("list the galleries of the subscription", compute.galleries.list)
    known = {str(gallery["id"]).lower(): gallery for gallery in there}
    for group, name, location in needs.galleries:
        # Azure does not create galleries on demand, and the bake identity may not either.
        mine = (
            f"{_here(clients)}/resourceGroups/{group}/providers/Microsoft.Compute/galleries/{name}"
        )
        if mine.lower() not in known:
            yield PreflightFinding(
                check="gallery",
                what=f"there is no gallery {name} in {group}",
                why="the identity that bakes may create versions but no galleries",
                command="./inv bootstrap --plan",
            )
            continue
        counts = _counts(clients, group, name)
        near = [
            gallery for gallery in there if region_name(str(gallery.get("location"))) == location
        ]
        for what, used in (("galleries", len(near)), *counts.items()):
            if used >= _LIMITS[what] * _NEARLY:
                yield PreflightFinding(
                    check="quota",
                    what=f"{location} has {used:,} {what}, of {_LIMITS[what]:,} that Azure allows",
                    why="at the limit every bake fails when it distributes",
                    command="./inv retire --plan, or ask for more in the portal: Quotas",
                    sure=used >= _LIMITS[what],
                )


def _counts(clients: Clients, group: str, name: str) -> dict[str, int]:
    compute = clients.compute
    images = clients.ask(
        f"list the definitions of {name}", compute.gallery_images.list_by_gallery, group, name
    )
    listed = compute.gallery_image_versions.list_by_gallery_image
    versions = sum(
        len(
            clients.ask(f"list the versions of {image['name']}", listed, group, name, image["name"])
        )
        for image in images
    )
    return {"definitions": len(images), "versions": versions}


def _usages(clients: Clients, provider: str, region: str, api: str) -> dict[str, tuple[int, int]]:
    """Return used and allowed amounts of a region by lower-case name; empty if unavailable."""
    path = f"{_here(clients)}/providers/{provider}/locations/{region}/usages?api-version={api}"
    try:
        listed = pages(clients, f"list what {provider} allows in {region}", path)
    except CloudError:
        return {}
    return {
        str(usage["name"]["value"]).lower(): (int(usage["currentValue"]), int(usage["limit"]))
        for usage in listed
    }


def _here(clients: Clients) -> str:
    return f"/subscriptions/{clients.endpoint.subscription}"
