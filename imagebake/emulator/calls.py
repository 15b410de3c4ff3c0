"""A request as a route receives it, the reply, and how long asynchronous work takes."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.routing import Map, Rule

from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Session

_KINDS = {
    "galleries": ("microsoft.compute/galleries", "Galleries"),
    "definitions": ("microsoft.compute/galleries/images", "GalleryImages"),
    "versions": ("microsoft.compute/galleries/images/versions", "GalleryImageVersions"),
}
_FOREVER = 1e10


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Gallery quotas of a subscription per region; the defaults are Azure's documented ones."""

    # Documented limits of Azure Compute Gallery, per subscription and region.
    galleries: int = 100
    definitions: int = 1_000
    versions: int = 10_000

    def require_room(self, session: Session, resource: str, subscription: str, place: str) -> None:
        """Refuse to create another of *resource*, such as `versions`, in region *place*: 409."""
        kind, name = _KINDS[resource]
        limit: int = getattr(self, resource)
        used = session.count(kind, f"/subscriptions/{subscription}/", place)
        if used >= limit:
            raise ArmError(
                409,
                "OperationNotAllowed",
                "Operation could not be completed as it results in exceeding approved"
                f" {name} quota. Additional details - Deployment Model: Resource Manager,"
                f" Location: {place}, Current Limit: {limit}, Current Usage: {used}, Additional"
                f" Required: 1, (Minimum) New Limit Required: {used + 1}.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Durations of asynchronous operations, in seconds of the emulator's clock.

    Replication to a region among *failing_regions* fails. *provisioning* and *extension* are the
    time limits after which a VM or an extension has failed. *instance* is how long creating or
    reimaging a scale set instance takes where nothing boots; it fails if its name, or
    `name@version`, matches a pattern of *failing_instances*. Templates whose names match a
    pattern of *stuck_templates* never leave `Creating` or `Deleting`. *quotas* apply to new
    resources; None means no quota. *token* is a token's lifetime. With *silent* no reply carries
    a `Retry-After`, as on Azure; otherwise clients are asked to poll very soon.
    """

    operation: float = 0.0
    replication: float = 0.0
    instance: float = 0.0
    # Documented: Azure gives OS provisioning 20 minutes and an extension 90.
    provisioning: float = 20 * 60.0
    extension: float = 90 * 60.0
    token: float = 86400.0
    silent: bool = False
    failing_regions: frozenset[str] = frozenset()
    failing_instances: frozenset[str] = frozenset()
    stuck_templates: frozenset[str] = frozenset()
    quotas: Quotas | None = None

    def template_seconds(self, name: str) -> float:
        """Return how long creating or deleting the template *name* takes."""
        stuck = any(fnmatch.fnmatchcase(name, pattern) for pattern in self.stuck_templates)
        return _FOREVER if stuck else self.operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A routed request inside its transaction.

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
        """The `api-version`, such as `2025-10-01`; versions compare as strings."""
        return self.query.get("api-version", "")

    @property
    def time(self) -> float:
        """Now, in seconds since the epoch."""
        return self.now.timestamp()

    @property
    def scope(self) -> str:
        """The id of the addressed resource group, in Compute's spelling."""
        return f"/subscriptions/{self.names['subscription']}/resourceGroups/{self.names['group']}"

    def require_room(self, resource: str, place: str) -> None:
        """Refuse to create another of *resource*, such as `versions`, beyond its quota."""
        if self.pace.quotas:
            subscription = self.names["subscription"]
            self.pace.quotas.require_room(self.session, resource, subscription, place)

    def document(self) -> dict[str, Any]:
        """Return the body; 400 `InvalidRequestContent` unless it is a JSON object."""
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
    """A response; *then* is called after the transaction is committed.

    A *body* of bytes is sent unchanged, any other as JSON.
    """

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The handler of a method and a path; *rule* is Werkzeug's, its fixed segments in lower case.

    An *open* route needs neither a token nor an api-version.
    """

    method: str
    rule: str
    handler: Callable[[Call], Reply]
    open: bool = False


class _MatchOnlyRule(Rule):
    """A rule that matches paths and builds none."""

    # Werkzeug compiles two functions that build URLs for each rule: 88 % of the 0.2 s of processor
    # that a start of the emulator took, for functions that nothing here calls.
    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - as Werkzeug calls it
        del append_unknown
        return _build_no_url


def _build_no_url(rule: Rule, *_: object) -> tuple[str, str]:
    raise NotImplementedError(f"{rule} is matched, never built")


def route_map(routes: Iterable[Route]) -> Map:
    """Return a map that finds the route of a path and a method; its endpoints are the routes."""
    rules = [_MatchOnlyRule(route.rule, methods=[route.method], endpoint=route) for route in routes]
    # Doubled slashes are merged in `canonical_path`, where Werkzeug would redirect.
    return Map(rules, merge_slashes=False, strict_slashes=False)


def stamp(moment: dt.datetime) -> str:
    """Format a point in time as the services do."""
    # Azure writes UTC as `Z`, which `isoformat` does not.
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def stamp_of(time: float) -> str:
    """Format a time in seconds since the epoch as the services do."""
    return stamp(dt.datetime.fromtimestamp(time, dt.UTC))
