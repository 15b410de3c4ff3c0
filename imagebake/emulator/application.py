"""Request handling: faults, throttling, the checks that all providers share, routing."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from imagebake.emulator.calls import Call, Pace, Reply, Route, route_map
from imagebake.emulator.errors import ArmError, ReplyLost
from imagebake.emulator.fault_injection import FaultInjector
from imagebake.emulator.identifiers import canonical_path
from imagebake.emulator.management import login
from imagebake.emulator.management.locks import require_unlocked
from imagebake.emulator.management.roles import RequiredPermission, require_permission
from imagebake.emulator.management.subscriptions import require_registration
from imagebake.emulator.outages import require_region
from imagebake.emulator.store import Session, Store
from imagebake.emulator.throttling import Admission, RequestThrottler, ThrottlingPolicy

_LOG = logging.getLogger(__name__)
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|\d+\.\d+")
# Registering a provider must work while it is unregistered.
_PROVIDER = re.compile(r"/subscriptions/([^/]+)/(?:.*/)?providers/([^/]+)/(?!(?:un)?register$)")
_BYTES = "application/octet-stream"
_MISSING = (
    "AuthenticationFailed",
    "Authentication failed. The 'Authorization' header is missing.",
)
_EXPIRED = (
    "ExpiredAuthenticationToken",
    "The access token expiry UTC time is earlier than current UTC time.",
)
_READS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Handles requests; *settle* is called before each, so that due state changes are visible.

    Requests about a region in *lost* are refused.
    """

    routes: Iterable[Route]
    store: Store
    faults: FaultInjector
    base: str
    now: Callable[[], dt.datetime]
    pace: Callable[[], Pace]
    throttle: Callable[[], ThrottlingPolicy | None]
    settle: Callable[[dt.datetime], None]
    lost: Callable[[], frozenset[str]]
    meter: RequestThrottler
    url_map: Map
    exercised: dict[str, set[RequiredPermission]]

    @classmethod
    def of(
        cls,
        routes: Iterable[Route],
        *,
        store: Store,
        faults: FaultInjector,
        base: str,
        now: Callable[[], dt.datetime],
        pace: Callable[[], Pace],
        throttle: Callable[[], ThrottlingPolicy | None],
        settle: Callable[[dt.datetime], None],
        lost: Callable[[], frozenset[str]],
    ) -> Application:
        """Return an application for *routes*, which are fixed from here on."""
        return cls(
            routes=tuple(routes),
            store=store,
            faults=faults,
            base=base,
            now=now,
            pace=pace,
            throttle=throttle,
            settle=settle,
            lost=lost,
            meter=RequestThrottler(),
            url_map=route_map(routes),
            exercised={},
        )

    def respond(self, request: Request) -> Response:
        """Respond to *request*; raises `ReplyLost` when a fault drops the response."""
        path = canonical_path(request.path)
        time = self.now().timestamp()
        admission = self.meter.admit(request.method, path, time, self.throttle())
        # Throttling comes first: a refused request reaches neither faults nor a provider.
        if refused := admission.refusal:
            reply = Reply(refused.status, refused.body, refused.headers)
            return self._response(request, reply, admission)
        fault = self.faults.take(request.method, path)
        if fault:
            self.faults.delay_response(fault.delay)
        if fault and fault.status is not None and not fault.lose_reply:
            refusal = ArmError(fault.status, fault.code, fault.message)
            reply = Reply(refusal.status, login.refusal(path, refusal), fault.headers)
            return self._response(request, reply, admission)
        try:
            reply = self._handle(request, path)
        # An ArmError leaves the transaction by its context manager, which rolls back.
        except ArmError as error:
            reply = Reply(error.status, error.body, error.headers)
        except sqlite3.Error as error:
            reply = _unwritable(error)
        except Exception:  # noqa: BLE001 - a thread must answer; the traceback goes to the log
            _LOG.exception("%s %s", request.method, path)
            bug = ArmError(500, "InternalServerError", "The emulator has a bug; see its log.")
            reply = Reply(bug.status, bug.body)
        # The transaction is committed by now: the client cannot know, as after a broken
        # connection.
        if fault and fault.lose_reply:
            raise ReplyLost
        return self._response(request, reply, admission)

    def _handle(self, request: Request, path: str) -> Reply:
        now = self.now()
        # Due deletions, rolling upgrades and triggers first, as if they had happened on time.
        self.settle(now)
        route, names = self._match(request, path)
        query = {key.lower(): value for key, value in request.args.items()}
        if not route.open:
            _require_token(request, self.base, now.timestamp())
            _require_api_version(query)
        body = _json_body(request)
        begin = self.store.reading if request.method in _READS else self.store.writing
        with begin() as session:
            if not route.open:
                # What ARM checks before a resource provider sees the request.
                _require_provider(session, path, now.timestamp())
                require_unlocked(session, request.method, path)
                require_region(session, path, body, self.lost())
                token = request.headers.get("Authorization", "")
                identity, permissions = require_permission(
                    session, token, request.method, path, body
                )
                self.exercised.setdefault(identity, set()).update(permissions)
            reply = route.handler(
                Call(
                    method=request.method,
                    path=path,
                    names=names,
                    query=query,
                    headers={name.lower(): text for name, text in request.headers.items()},
                    body=body,
                    form=request.form if body is None else {},
                    base=self.base,
                    now=now,
                    session=session,
                    pace=self.pace(),
                )
            )
        if reply.then:
            reply.then()
        return reply

    def _match(self, request: Request, path: str) -> tuple[Route, Mapping[str, str]]:
        adapter = self.url_map.bind("", path_info=path, default_method=request.method)
        try:
            route, names = adapter.match()
        except NotFound:
            raise ArmError(
                404, "InvalidResourceType", f"The resource type of '{path}' is not emulated."
            ) from None
        except MethodNotAllowed:
            raise ArmError(
                405,
                "MethodNotAllowed",
                f"The requested resource does not support http method '{request.method}'.",
            ) from None
        return route, names

    def _response(self, request: Request, reply: Reply, admission: Admission) -> Response:
        given = request.headers
        headers = {
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-correlation-request-id": given.get("x-ms-correlation-request-id")
            or str(uuid.uuid4()),
            "Cache-Control": "no-cache",
        }
        headers |= admission.headers
        if given.get("x-ms-return-client-request-id", "").lower() == "true":
            # Echoed only on request, as ARM does.
            headers["x-ms-client-request-id"] = given.get("x-ms-client-request-id", "")
        if isinstance(reply.body, bytes):
            return Response(
                reply.body, reply.status, headers | dict(reply.headers), content_type=_BYTES
            )
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        kind = "application/json; charset=utf-8" if content else None
        return Response(content, reply.status, headers | dict(reply.headers), content_type=kind)


def _unwritable(error: sqlite3.Error) -> Reply:
    """Return 507: the disk is full or the file is gone, and no retry will help."""
    refusal = ArmError(507, "InsufficientStorage", f"The emulator cannot use its state: {error}.")
    return Reply(refusal.status, refusal.body)


def _require_token(request: Request, base: str, time: float) -> None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    expired = login.has_expired(token, time)
    if kind == "Bearer" and token and not expired:
        return
    code, words = _EXPIRED if expired else _MISSING
    # Clients discover the authority from this challenge; `adfs` avoids a tenant lookup.
    challenge = {"WWW-Authenticate": f'Bearer authorization_uri="{base}/adfs"'}
    raise ArmError(401, code, words, headers=challenge)


def _require_api_version(query: Mapping[str, str]) -> None:
    version = query.get("api-version")
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _API_VERSION.fullmatch(version):
        raise ArmError(
            400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid."
        )


def _require_provider(session: Session, path: str, now: float) -> None:
    if match := _PROVIDER.match(path):
        require_registration(session, match[1], match[2], now)


def _json_body(request: Request) -> Any:  # noqa: ANN401 - JSON is what it is
    if request.mimetype == "application/x-www-form-urlencoded":
        return None
    text = request.get_data()
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise ArmError(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: '{error}'.",
        ) from None
