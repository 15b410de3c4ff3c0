"""The answers of Azure that mean something to us, apart from its other refusals."""

from __future__ import annotations

from imagebake.kernel.errors import CloudError


class NotFound(CloudError):
    """The resource, or something above it, does not exist."""


class Conflict(CloudError):
    """The resource is not in a state in which it can be had, or somebody was faster."""


class ChangedMeanwhile(Conflict):
    """The resource is not as it was when it was read: somebody else has written it."""


class Unanswered(CloudError):
    """Nobody knows whether the request was carried out: no answer, or a broken one."""
