"""One request as a route sees it, and what the route answers."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Session

_KINDS = {
    "galleries": ("microsoft.compute/galleries", "Galleries"),
    "definitions": ("microsoft.compute/galleries/images", "GalleryImages"),
    "versions": ("microsoft.compute/galleries/images/versions", "GalleryImageVersions"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What Azure documents: so many for a subscription in each region."""

    galleries: int = 100
    definitions: int = 1_000
    versions: int = 10_000

    def require_room(self, session: Session, what: str, subscription: str, place: str) -> None:
        """Refuse one more of *what*, such as `versions`, in region *place*."""
        kind, name = _KINDS[what]
        most: int = getattr(self, what)
        used = session.count(kind, f"/subscriptions/{subscription}/", place)
        if used >= most:
            raise ArmError(
                409,
                "OperationNotAllowed",
                "Operation could not be completed as it results in exceeding approved"
                f" {name} quota. Additional details - Deployment Model: Resource Manager,"
                f" Location: {place}, Current Limit: {most}, Current Usage: {used}, Additional"
                f" Required: 1, (Minimum) New Limit Required: {used + 1}.",
            )


_FOR_EVER = 1e10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long what is asynchronous takes, in seconds of the emulator's clock.

    A version that is created, or gains a region, while that region is among
    *failing_regions* fails there. *provisioning* and *extension* are how long a machine is
    waited for; what is slower has failed. *instance* is how long one of a scale set takes to
    be made anew where nothing boots; it fails when its name, or `name@version`, matches one of
    the patterns in *failing_instances*. Image templates whose names match one of
    *stuck_templates* never end being created, or deleted. *quotas* hold for what is created;
    None lets all be.
    *token* is how long a token is good for. With *silent* clients are not told how soon to ask
    again, as Azure does not tell them; else they ask very soon.
    """

    operation: float = 0.0
    replication: float = 0.0
    instance: float = 0.0
    provisioning: float = 20 * 60.0
    extension: float = 90 * 60.0
    token: float = 86400.0
    silent: bool = False
    failing_regions: frozenset[str] = frozenset()
    failing_instances: frozenset[str] = frozenset()
    stuck_templates: frozenset[str] = frozenset()
    quotas: Quotas | None = None

    def of_template(self, name: str) -> float:
        """How long the template *name* is being created, or deleted."""
        stuck = any(fnmatch.fnmatchcase(name, pattern) for pattern in self.stuck_templates)
        return _FOR_EVER if stuck else self.operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose route is known, inside its transaction.

    *names* are the path's variables as the client spelled them, *query* and *headers* have
    lower-case keys, *body* is the parsed JSON and *form* a posted form.
    """

    method: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    form: Mapping[str, str]
    base: str
    now: dt.datetime
    session: Session
    pace: Pace

    @property
    def api_version(self) -> str:
        """The `api-version`, such as `2025-10-01`; versions compare as texts."""
        return self.query.get("api-version", "")

    @property
    def time(self) -> float:
        """Now, in seconds since the epoch."""
        return self.now.timestamp()

    @property
    def scope(self) -> str:
        """The id of the resource group that the request is about, as Compute spells it."""
        return f"/subscriptions/{self.names['subscription']}/resourceGroups/{self.names['group']}"

    def require_room(self, what: str, place: str) -> None:
        """Refuse one more of *what*, such as `versions`, where the quota in *place* is used up."""
        if self.pace.quotas:
            subscription = self.names["subscription"]
            self.pace.quotas.require_room(self.session, what, subscription, place)

    def document(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        if not isinstance(self.body, dict):
            raise ArmError(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: an object is"
                " expected.",
            )
        return self.body


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; *then* is done once the transaction is on the disk.

    A *body* of bytes is sent as it is, any other as JSON.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes; *rule* is Werkzeug's, its words in lower case."""

    method: str
    rule: str
    handler: Callable[[Call], Reply]
    open: bool = False


def stamp(moment: dt.datetime) -> str:
    """A moment as the services write it."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def stamp_of(time: float) -> str:
    """A moment in seconds since the epoch as the services write it."""
    return stamp(dt.datetime.fromtimestamp(time, dt.UTC))
