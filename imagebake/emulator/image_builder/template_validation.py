"""Validation of image templates that needs the template alone: parsing, then field rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import (
    TEMPLATE,
    image_id,
    is_managed_image,
    region,
    resource_group_id,
    version_numbers,
)
from imagebake.emulator.image_builder.template_schema import ENUMS, SHAPES, VARIANTS

# Documented: this api-version refuses unknown fields; the code `BadRequest` is assumed.
STRICT_SINCE = "2024-02-01"
_REFERENCE = "http://aka.ms/azvmimagebuildertmplref"
_SCALARS: Mapping[str, tuple[type, str]] = {
    "str": (str, "string"),
    "int": (int, "int32"),
    "bool": (bool, "bool"),
}
# Documented range of buildTimeoutInMinutes: 0, for the default, to 960.
_LONGEST_BUILD_MINUTES = 960
# Go's duration syntax: documented as `5m` or `2h`.
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.managedidentity"
    r"/userassignedidentities/[^/]+",
    re.IGNORECASE,
)
_PROPERTIES = "ImageTemplate.properties"


def missing_field(owner: str, field: str) -> ArmError:
    """Return 400 `ValidationFailed` for a missing required field."""
    return ArmError(
        400,
        "ValidationFailed",
        f"Validation failed: '{owner}': Missing field '{field}'. Please review {_REFERENCE} for"
        " details on fields required in the Image Builder Template.",
    )


def bad_field_value(owner: str, field: str, value: object) -> ArmError:
    """Return 400 `ValidationFailed` for an invalid value."""
    return ArmError(
        400,
        "ValidationFailed",
        f"Validation failed: '{owner}': Field '{field}' has a bad value: '{value}'. Please review"
        f" {_REFERENCE} for details on fields requirements in the Image Builder Template.",
    )


def read_template(document: Mapping[str, Any], shape: str, api_version: str) -> dict[str, Any]:
    """Parse *document* against the schema object *shape*; field names get their own spelling.

    From api-version 2024-02-01 on, an unknown or misspelled field is refused. Before that,
    spelling is corrected and unknown fields are dropped. Read-only fields and nulls are always
    dropped.
    """
    strict = api_version >= STRICT_SINCE
    # The service's messages name its Go package, one per api-version.
    package = "v" + api_version.replace("-", "_")
    return _TemplateReader(strict, package).read(
        document, shape, _JsonPosition("ImageTemplate", "", "")
    )


@dataclass(frozen=True, slots=True)
class _JsonPosition:
    """The parser's position, in the two forms that the service's messages contain."""

    owner: str
    prefix: str
    trail: str

    def field(self, name: str) -> str:
        return f"{self.prefix}{name}"


@dataclass(frozen=True, slots=True)
class _TemplateReader:
    strict: bool
    package: str

    def read(self, value: object, shape: str, place: _JsonPosition) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self._unmarshalling(place.trail, f"json: cannot unmarshal value into {shape}")
        shape, discriminator = self._variant(value, shape, place)
        fields, read = SHAPES[shape], dict[str, Any]()
        trail = f"{place.trail}unmarshalling type *{self.package}.{shape}: "
        for spelled, content in value.items():
            name = self._name(spelled, shape, trail)
            if name is None or content is None or fields[name].endswith(" read-only"):
                continue
            kind = fields[name].removesuffix(" required")
            inner = f"{trail}struct field {name[0].upper()}{name[1:]}: "
            read[name] = self._value(
                content, kind, name, _JsonPosition(place.owner, place.prefix, inner)
            )
        read |= discriminator
        for name, kind in fields.items():
            if kind.endswith(" required") and read.get(name) in (None, "", [], {}):
                raise missing_field(place.owner, place.field(name))
        return read

    def _variant(
        self, value: Mapping[str, Any], shape: str, place: _JsonPosition
    ) -> tuple[str, dict[str, str]]:
        """Return the variant of *shape*, and its discriminator in its own spelling."""
        if shape not in VARIANTS:
            return shape, {}
        field, kinds = VARIANTS[shape]
        discriminator = next((v for k, v in value.items() if self._same(str(k), field)), "")
        for kind, name in kinds.items():
            if self._same(str(discriminator), kind):
                return name, {field: kind}
        raise bad_field_value(place.owner, place.field(field), discriminator)

    def _same(self, given: str, wanted: str) -> bool:
        return given == wanted or (not self.strict and given.lower() == wanted.lower())

    def _name(self, spelled: str, shape: str, trail: str) -> str | None:
        for name in SHAPES[shape]:
            if self._same(spelled, name):
                return name
        if self.strict:
            detail = f'unmarshalling type *{self.package}.{shape}, unknown field "{spelled}"'
            raise self._unmarshalling(trail, detail)
        return None

    def _value(self, value: object, kind: str, name: str, place: _JsonPosition) -> object:
        if kind.startswith("["):
            return self._list(value, kind[1:-1], name, place)
        if kind.startswith("{"):
            return self._map(value, kind[1:-1], name, place)
        if kind in SHAPES:
            inner = _JsonPosition(f"{place.owner}.{place.field(name)}", "", place.trail)
            return self.read(value, kind, inner)
        if kind.startswith("enum "):
            return self._choice(value, kind.removeprefix("enum "), name, place)
        wanted, go_name = _SCALARS[kind]
        # In Python a bool is an int, in JSON it is not.
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise self._unmarshalling(
                place.trail,
                f"json: cannot unmarshal {_json_name(value)} into Go value of type {go_name}",
            )
        return value

    def _list(self, value: object, kind: str, name: str, place: _JsonPosition) -> list[Any]:
        if not isinstance(value, list):
            detail = f"json: cannot unmarshal {_json_name(value)} into a list"
            raise self._unmarshalling(place.trail, detail)
        read: list[Any] = []
        for index, item in enumerate(value):
            field = f"{place.field(name)}[{index}]"
            if kind in SHAPES:
                read.append(
                    self.read(item, kind, _JsonPosition(place.owner, field + ".", place.trail))
                )
            else:
                read.append(self._value(item, kind, f"{name}[{index}]", place))
        return read

    def _map(self, value: object, kind: str, name: str, place: _JsonPosition) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            detail = f"json: cannot unmarshal {_json_name(value)} into a map"
            raise self._unmarshalling(place.trail, detail)
        return {str(k): self._value(v, kind, f"{name}.{k}", place) for k, v in value.items()}

    def _choice(self, value: object, enum: str, name: str, place: _JsonPosition) -> str:
        for choice in ENUMS[enum]:
            if self._same(str(value), choice):
                return choice
        raise bad_field_value(place.owner, place.field(name), value)

    def _unmarshalling(self, trail: str, detail: str) -> ArmError:
        return ArmError(
            400,
            "BadRequest",
            f"Unmarshalling entity encountered error: {trail}{detail}. There is an issue with the"
            " syntax with the JSON template you are submitting. Please check the JSON template"
            " for syntax and grammar. For more information on the syntax and grammar of the JSON"
            f" template, visit {_REFERENCE}.",
        )


def _json_name(value: object) -> str:
    names = {bool: "bool", str: "string", int: "number", float: "number", list: "array"}
    return names.get(type(value), "object")


def check_name(name: str) -> None:
    """Validate a template's name: `^[A-Za-z0-9-_.]{1,64}$`."""
    if not TEMPLATE.fullmatch(name):
        raise ArmError(
            400,
            "InvalidResourceName",
            f"The entity name '{name}' is invalid according to its validation rule:"
            " ^[A-Za-z0-9-_.]{1,64}$.",
        )


def check_identity(identity: Mapping[str, Any]) -> None:
    """Require exactly one user-assigned identity, which the service acts as."""
    assigned = identity.get("userAssignedIdentities") or {}
    if identity.get("type", "UserAssigned") != "UserAssigned":
        raise bad_field_value("ImageTemplate", "identity.type", identity["type"])
    # Documented and reported: the service supports exactly one.
    if len(assigned) != 1:
        raise bad_field_value("ImageTemplate", "identity.userAssignedIdentities", list(assigned))
    (named,) = assigned
    if not _IDENTITY.fullmatch(named):
        raise bad_field_value("ImageTemplate", "identity.userAssignedIdentities", named)


def check_properties(properties: Mapping[str, Any]) -> None:
    """Validate a template's properties; raises the first `ArmError`."""
    minutes = properties.get("buildTimeoutInMinutes", 0)
    if not 0 <= minutes <= _LONGEST_BUILD_MINUTES:
        raise bad_field_value(_PROPERTIES, "buildTimeoutInMinutes", minutes)
    group = properties.get("stagingResourceGroup")
    if group and not resource_group_id(group):
        raise bad_field_value(_PROPERTIES, "stagingResourceGroup", group)
    _check_source(properties["source"])
    for index, step in enumerate(properties.get("customize") or ()):
        _check_step(step, f"customize[{index}]")
    validators = (properties.get("validate") or {}).get("inVMValidations") or ()
    for index, step in enumerate(validators):
        _check_step(step, f"validate.inVMValidations[{index}]")
    check_distribute(properties["distribute"])
    check_vm_profile(properties.get("vmProfile") or {})


def _check_source(source: Mapping[str, Any]) -> None:
    owner = f"{_PROPERTIES}.source"
    if source["type"] == "PlatformImage":
        for field in ("publisher", "offer", "sku", "version"):
            if not source.get(field):
                raise missing_field(owner, field)
    elif source["type"] == "ManagedImage":
        if not is_managed_image(source["imageId"]):
            raise bad_field_value(owner, "imageId", source["imageId"])
    else:
        named = image_id(source["imageVersionId"])
        exact = (
            named
            and named.version
            and (named.version == "latest" or version_numbers(named.version))
        )
        if not exact:
            raise bad_field_value(owner, "imageVersionId", source["imageVersionId"])


def _check_step(step: Mapping[str, Any], field: str) -> None:
    """Validate a customizer or validator; a missing script fails provisioning instead."""
    checksum = step.get("sha256Checksum")
    if checksum and not _SHA256.fullmatch(checksum):
        raise bad_field_value(_PROPERTIES, f"{field}.sha256Checksum", checksum)
    if step.get("scriptUri") and step.get("inline"):
        raise bad_field_value(_PROPERTIES, f"{field}.inline", "only one of scriptUri and inline")
    # Documented rules; that they are refused at once, not at provisioning, is assumed.
    if step.get("runAsSystem") and not step.get("runElevated"):
        raise bad_field_value(_PROPERTIES, f"{field}.runAsSystem", "true without runElevated")
    timeout = step.get("restartTimeout")
    if timeout and not _DURATION.fullmatch(timeout):
        raise bad_field_value(_PROPERTIES, f"{field}.restartTimeout", timeout)
    if step["type"] == "File":
        for name in ("sourceUri", "destination"):
            if not step.get(name):
                raise missing_field(_PROPERTIES, f"{field}.{name}")
        _check_destination(step["destination"], f"{field}.destination")


def _check_destination(destination: str, field: str) -> None:
    """Require a path below `/tmp` on Linux, or with a drive letter on Windows."""
    on_windows = re.match(r"[A-Za-z]:[\\/]", destination)
    below_tmp = re.fullmatch(r"/tmp/[^/]+(/[^/]+)*", destination)  # noqa: S108 - on the guest
    if not on_windows and not below_tmp:
        raise bad_field_value(_PROPERTIES, field, destination)


def check_distribute(distributors: Iterable[Mapping[str, Any]]) -> None:
    """Validate each distributor, and that run output names are unique."""
    seen: set[str] = set()
    for index, distributor in enumerate(distributors):
        field, name = f"distribute[{index}]", distributor["runOutputName"]
        if not TEMPLATE.fullmatch(name) or name.lower() in seen:
            raise bad_field_value(_PROPERTIES, f"{field}.runOutputName", name)
        seen.add(name.lower())
        if check := _DISTRIBUTORS.get(distributor["type"]):
            check(distributor, field)


def _check_managed_image(distributor: Mapping[str, Any], field: str) -> None:
    if not is_managed_image(distributor["imageId"]):
        raise bad_field_value(_PROPERTIES, f"{field}.imageId", distributor["imageId"])


def _check_gallery(distributor: Mapping[str, Any], field: str) -> None:
    named = image_id(distributor["galleryImageId"])
    if not named or (named.version is not None and not version_numbers(named.version)):
        raise bad_field_value(_PROPERTIES, f"{field}.galleryImageId", distributor["galleryImageId"])
    if distributor.get("targetRegions") and distributor.get("replicationRegions"):
        given = distributor["replicationRegions"]
        raise bad_field_value(_PROPERTIES, f"{field}.replicationRegions", given)
    for index, target in enumerate(distributor.get("targetRegions") or ()):
        count = target.get("replicaCount", 1)
        if count < 1:
            raise bad_field_value(
                _PROPERTIES, f"{field}.targetRegions[{index}].replicaCount", count
            )
    regions = regions_of(distributor)
    if len(set(regions)) != len(regions):
        raise bad_field_value(_PROPERTIES, f"{field}.targetRegions", ", ".join(regions))
    major = (distributor.get("versioning") or {}).get("major", 0)
    if major < -1:
        raise bad_field_value(_PROPERTIES, f"{field}.versioning.major", major)


_DISTRIBUTORS: Mapping[str, Callable[[Mapping[str, Any], str], None]] = {
    "ManagedImage": _check_managed_image,
    "SharedImage": _check_gallery,
}


def regions_of(distributor: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a gallery distributor's regions, from `targetRegions` or `replicationRegions`."""
    targets = [target["name"] for target in distributor.get("targetRegions") or ()]
    return tuple(region(name) for name in targets or distributor.get("replicationRegions") or ())


def check_vm_profile(profile: Mapping[str, Any]) -> None:
    """Validate the build VM's profile."""
    owner, network = f"{_PROPERTIES}.vmProfile", profile.get("vnetConfig") or {}
    if profile.get("osDiskSizeGB", 0) < 0:
        raise bad_field_value(owner, "osDiskSizeGB", profile["osDiskSizeGB"])
    containers = network.get("containerInstanceSubnetId")
    if not containers:
        return
    if not network.get("subnetId"):
        raise missing_field(f"{owner}.vnetConfig", "subnetId")
    networks = {
        subnet.lower().rpartition("/subnets/")[0] for subnet in (containers, network["subnetId"])
    }
    # Documented: another subnet of the same virtual network, and no proxy VM.
    if containers.lower() == network["subnetId"].lower() or len(networks) > 1:
        raise bad_field_value(f"{owner}.vnetConfig", "containerInstanceSubnetId", containers)
    if network.get("proxyVmSize"):
        raise bad_field_value(f"{owner}.vnetConfig", "proxyVmSize", network["proxyVmSize"])
