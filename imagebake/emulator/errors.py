"""The errors of Azure Resource Manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ArmError(Exception):
    """An error response, in the body format that ARM clients parse."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    @property
    def error(self) -> dict[str, str]:
        """The `code` and `message` alone, as a long-running operation carries them."""
        return {"code": self.code, "message": self.message}

    @property
    def body(self) -> dict[str, Any]:
        """The response body."""
        return {"error": self.error}


class ReplyLost(Exception):
    """The request was carried out, but its connection is dropped without a response."""


def resource_not_found(kind: str, names: str, group: str) -> ArmError:
    """Return 404 for a resource that does not exist."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{names}' under resource group '{group}' was not found. For more"
        " details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def parent_not_found(parent: str) -> ArmError:
    """Return 404 for a nested resource whose parent does not exist."""
    return ArmError(
        404,
        "ParentResourceNotFound",
        "Can not perform requested operation on nested resource. Parent resource"
        f" '{parent}' not found.",
    )


def nested_resources_remain() -> ArmError:
    """Return 409 for the deletion of a gallery or definition that is not empty."""
    return ArmError(
        409,
        "CannotDeleteResource",
        "Can not delete resource before nested resources are deleted.",
    )


def change_not_allowed(field: str) -> ArmError:
    """Return 409 for a change of an immutable property."""
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{field}' is not allowed.")


def invalid_parameter(message: str) -> ArmError:
    """Return Microsoft.Compute's 400 for an invalid value."""
    return ArmError(400, "InvalidParameter", message)
