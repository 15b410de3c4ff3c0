"""Errors for the answers of Azure that callers handle apart from its other refusals."""

from __future__ import annotations

from imagebake.kernel.errors import CloudError


class NotFound(CloudError):
    """The resource, or its parent, does not exist (404)."""


class Conflict(CloudError):
    """The resource is in a state that forbids the request, or another client wrote first (409)."""


class ChangedMeanwhile(Conflict):
    """The resource was modified since it was read: its etag no longer matches (412)."""


class OutcomeUnknown(CloudError):
    """No usable answer (5xx, timeout, broken body): the request may have been carried out."""
