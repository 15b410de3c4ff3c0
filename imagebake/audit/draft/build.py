"""Read the build machine of a template, its network, disks and tags, as a spec's `build`."""

from __future__ import annotations

import itertools
import re
from typing import Any

from imagebake.audit.draft.distribution import read_tags
from imagebake.audit.draft.template import ImportNotes, read_resource_id
from imagebake.audit.languages.nodes import Node, ObjectValue, items_of, lookup, text_of
from imagebake.audit.languages.values import as_bool
from imagebake.kernel.text import constrained

# Limits of Azure Image Builder's buildTimeoutInMinutes, and its default.
_MINUTES_MIN, _MINUTES_MAX, _MINUTES_DEFAULT = 6, 960, 240
_DISK_GB_MAX, _DATA_DISK_GB_MAX, _DISKS_MAX = 2048, 32767, 16
_SIZE = re.compile(r"[A-Z][A-Za-z0-9_-]{1,60}")
_ADDRESS = re.compile(r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9_.~!$&'()*+,;=:%-]+)*/[A-Za-z0-9_.+~-]+")


def read_build(properties: Node | None, notes: ImportNotes) -> dict[str, Any]:
    """Return the fields of a spec's `build`."""
    profile = lookup(properties, "vmProfile")
    return {
        **_minutes(lookup(properties, "buildTimeoutInMinutes"), notes),
        **_machine(profile, notes),
        **_network(lookup(profile, "vnetConfig"), notes),
        **_disks(lookup(properties, "additionalDataDisks"), notes),
        **_optimized(lookup(properties, "optimize"), notes),
        **_failures(lookup(properties, "errorHandling"), notes),
        **_staging(properties, notes),
    }


def read_validation(node: Node | None) -> dict[str, bool]:
    """Return the fields of a spec's `validation`."""
    flags = {
        "continue_distribute_on_failure": "continueDistributeOnFailure",
        "source_only": "sourceValidationOnly",
    }
    return {
        key: True
        for key, field in flags.items()
        if (flag := lookup(node, field)) is not None and as_bool(flag)
    }


def _minutes(place: Node | None, notes: ImportNotes) -> dict[str, Any]:
    minutes = notes.read_number(place, "the build's time")
    if minutes is None or place is None:
        return {}
    if minutes and not _MINUTES_MIN <= minutes <= _MINUTES_MAX:
        hint = f"{_MINUTES_MIN} to {_MINUTES_MAX}; the draft has the default"
        notes.add_finding("I114", place, f"{minutes} minutes are not possible", hint)
        return {}
    # Azure Image Builder takes 0 for its own default.
    return {"timeout_minutes": minutes or _MINUTES_DEFAULT}


def _machine(profile: Node | None, notes: ImportNotes) -> dict[str, Any]:
    build: dict[str, Any] = {}
    size = notes.read_text(lookup(profile, "vmSize"), "the build machine's size")
    if size and _SIZE.fullmatch(size):
        build["vm_size"] = size
    disk = notes.read_number(lookup(profile, "osDiskSizeGB"), "the disk's size")
    if disk is not None and 1 <= disk <= _DISK_GB_MAX:
        build["os_disk_gb"] = disk
    what = "an identity of the build machine"
    identities = [
        found
        for identity in items_of(lookup(profile, "userAssignedIdentities"))
        if (found := read_resource_id(identity, constrained.IDENTITY_ID, what, notes))
    ]
    return build | ({"identities": identities} if identities else {})


def _network(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    build: dict[str, Any] = {}
    for key, field in (("subnet", "subnetId"), ("container_subnet", "containerInstanceSubnetId")):
        if found := read_resource_id(
            lookup(node, field), constrained.SUBNET_ID, f"the {field}", notes
        ):
            build[key] = found
    size = notes.read_text(lookup(node, "proxyVmSize"), "the proxy's size")
    return build | ({"proxy_vm_size": size} if size and _SIZE.fullmatch(size) else {})


def _disks(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    sizes = []
    for disk in itertools.islice(items_of(node), _DISKS_MAX):
        size = notes.read_number(lookup(disk, "sizeGB"), "a disk's size")
        if size is not None and 1 <= size <= _DATA_DISK_GB_MAX:
            sizes.append(size)
        elif size is not None:
            notes.add_finding(
                "I114", disk, f"a disk of {size} GB is not possible", "1 to 32767 are"
            )
    return {"data_disks": sizes} if sizes else {}


def _optimized(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    build: dict[str, Any] = {}
    if _is(lookup(node, "vmBoot", "state"), "enabled"):
        build["optimize_boot"] = True
    workload = lookup(node, "workload")
    if _is(lookup(workload, "state"), "enabled") and workload is not None:
        address = notes.read_text(lookup(workload, "scriptUri"), "the workload's script") or ""
        digest = (text_of(lookup(workload, "sha256Checksum")) or "").lower()
        if _ADDRESS.fullmatch(address) and constrained.SHA256.fullmatch(digest):
            build["optimize_workload"] = {"file": address, "sha256": digest}
        else:
            hint = "a spec has its https address without query, and its sha256"
            notes.add_finding("I103", workload, "the workload's script cannot be pinned", hint)
    return build


def _is(node: Node | None, word: str) -> bool:
    return (text_of(node) or "").lower() == word


def _failures(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    build: dict[str, Any] = {}
    fields = {
        "on_customizer_error": "onCustomizerError",
        "on_validation_error": "onValidationError",
    }
    for key, field in fields.items():
        action = (notes.read_text(lookup(node, field), field) or "").lower()
        if action in ("cleanup", "abort"):
            build[key] = action
    return build


def _staging(properties: Node | None, notes: ImportNotes) -> dict[str, Any]:
    build: dict[str, Any] = {}
    group = lookup(properties, "stagingResourceGroup")
    if group is not None and text_of(group) != "":
        found = read_resource_id(group, constrained.RESOURCE_GROUP_ID, "the staging group", notes)
        build |= {"staging_resource_group": found} if found else {}
    tags = lookup(properties, "managedResourceTags")
    if isinstance(tags, ObjectValue):
        build |= {"managed_tags": read_tags(tags, notes)} if tags.entries else {}
    return build
