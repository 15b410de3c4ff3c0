"""The schema tables equal the SDK's models, so that they cannot drift from the API."""

from __future__ import annotations

import enum
import typing
from typing import Any

from azure.mgmt.imagebuilder import models

from imagebake.emulator.image_builder.template_schema import ENUMS, SHAPES, VARIANTS

_SCALARS = {str: "str", int: "int", bool: "bool"}


class Published:
    """The schema tables as derived from the SDK's models."""

    def __init__(self, *roots: type[Any]) -> None:
        self.shapes: dict[str, dict[str, str]] = {}
        self.variants: dict[str, tuple[str, dict[str, str]]] = {}
        self.enums: dict[str, tuple[str, ...]] = {}
        for root in roots:
            self._shape(root)

    def _shape(self, model: Any) -> str:  # noqa: ANN401 - a class of Azure's
        name = str(model.__name__)
        if name in self.shapes:
            return name
        self.shapes[name] = {}
        fields = model({})._attr_to_rest_field  # noqa: SLF001 - nothing public says it
        self.shapes[name] = {
            field._rest_name: self._field(model, attribute, field)  # noqa: SLF001
            for attribute, field in fields.items()
        }
        if kinds := model.__dict__.get("__mapping__"):
            key = next(f._rest_name for f in fields.values() if f._is_discriminator)  # noqa: SLF001
            named = {kind: self._shape(variant) for kind, variant in kinds.items()}
            self.variants[name] = (key, named)
        return name

    def _field(self, model: Any, attribute: str, field: Any) -> str:  # noqa: ANN401
        if field._visibility == ["read"]:  # noqa: SLF001
            return "any read-only"
        annotation = next(
            base.__annotations__[attribute]
            for base in model.__mro__
            if attribute in getattr(base, "__annotations__", {})
        )
        return self._word(annotation) + ("" if _is_optional(annotation) else " required")

    def _word(self, annotation: Any) -> str:  # noqa: ANN401
        if isinstance(annotation, typing.ForwardRef):
            annotation = annotation.__forward_arg__
        if isinstance(annotation, str):
            return self._named(getattr(models, annotation.split(".")[-1]))
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Union:
            words = [self._word(each) for each in arguments if each is not type(None)]
            return next((word for word in words if word != "str"), "str")
        if origin is typing.Literal:
            return "str"
        if origin is list:
            return f"[{self._word(arguments[0])}]"
        if origin is dict:
            return f"{{{self._word(arguments[1])}}}"
        return _SCALARS[annotation]

    def _named(self, found: Any) -> str:  # noqa: ANN401
        if issubclass(found, enum.Enum):
            self.enums[found.__name__] = tuple(member.value for member in found)
            return f"enum {found.__name__}"
        return self._shape(found)


def _is_optional(annotation: Any) -> bool:  # noqa: ANN401
    return typing.get_origin(annotation) is typing.Union and type(None) in typing.get_args(
        annotation
    )


PUBLISHED = Published(models.ImageTemplate, models.ImageTemplateUpdateParameters)


def test_every_field_is_the_published_one() -> None:
    assert PUBLISHED.shapes == SHAPES


def test_every_kind_is_a_published_one() -> None:
    assert PUBLISHED.variants == VARIANTS


def test_every_choice_is_a_published_one() -> None:
    assert PUBLISHED.enums == ENUMS


def test_our_provisioning_errors_are_published_codes() -> None:
    ours = {
        "BadPIRSource", "BadSharedImageVersionSource", "BadSharedImageDistribute",
        "NoCustomizerScript", "NoValidatorScript", "BadStagingResourceGroup",
    }  # fmt: skip

    assert ours <= {code.value for code in models.ProvisioningErrorCode}
