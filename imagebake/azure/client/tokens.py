"""Tokens shared by all clients: fetched once, refreshed early, served until they expire."""

# ruff: noqa: PLC0415 - azure.core takes a while to import, and most commands need no token

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.retry import RETRYABLE, Retries, RetryClock
from imagebake.kernel.errors import CloudError
from imagebake.kernel.text.redaction import redact

# Shares of a token's life; the refresh is drawn between them.
_EARLIEST, _LATEST = 0.5, 0.75
_BEFORE_THE_END = 300.0
_LEAST_REST = 30.0


class Source(Protocol):
    """Source of new tokens."""

    def fetch(self, *scopes: str, patient: bool, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """Fetch a token: in a single attempt, or with retries when *patient*.

        Raises `NoToken`.
        """


@dataclass(slots=True)
class _Kept:
    """The token of one scope; *asking* is held by the thread that fetches a new one."""

    token: Any = None
    again: float = 0.0
    flights: int = 0
    failure: Exception | None = None
    asking: threading.Lock = field(default_factory=threading.Lock)

    def good(self, now: float) -> bool:
        return self.token is not None and now < self.token.expires_on


@dataclass(slots=True)
class CachedCredential:
    """Cache of one token per scope; one thread at a time fetches, the others use the last one.

    A token is refreshed at a moment drawn from the second half of its life, because machines
    that got theirs together, after an outage, would refresh together again. When a refresh
    fails the old token is still served, and *note* is called once; only an expired token
    makes a failure an error. *clock* counts seconds since the epoch, as tokens do; *jitter*
    draws from [0, 1).
    """

    source: Source
    clock: Callable[[], float]
    jitter: Callable[[], float]
    note: Callable[[str], None] = lambda _: None
    _kept: dict[tuple[str, ...], _Kept] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """Return a token for *scopes*; a challenge with claims always fetches a new one."""
        with self._guard:
            kept = self._kept.setdefault(scopes, _Kept())
        if kept.good(self.clock()) and not options.get("claims"):
            if self.clock() >= kept.again and kept.asking.acquire(blocking=False):
                try:
                    self._refresh(kept, scopes, options)
                finally:
                    kept.asking.release()
            return kept.token
        return self._fetch(kept, scopes, options)

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:  # noqa: ANN401 - as above
        """Return a token as `get_token` does, marked as due for refresh at once.

        So the SDK's client keeps it for one request only and this cache stays the only one.
        """
        from azure.core.credentials import AccessTokenInfo

        token = self.get_token(*scopes, **(options or {}))
        return AccessTokenInfo(token.token, int(token.expires_on), refresh_on=1)

    def _fetch(self, kept: _Kept, scopes: tuple[str, ...], options: dict[str, Any]) -> Any:  # noqa: ANN401
        """Fetch with retries, or share the result of a thread that is fetching already."""
        flight = kept.flights
        with kept.asking:
            if kept.flights != flight and not options.get("claims"):
                if kept.failure:
                    raise kept.failure
                return kept.token
            try:
                token = self.source.fetch(*scopes, patient=True, **options)
                kept.failure = None
            except Exception as error:
                kept.failure = error
                raise
            finally:
                kept.flights += 1
            self._keep(kept, token)
            return token

    def _refresh(self, kept: _Kept, scopes: tuple[str, ...], options: dict[str, Any]) -> None:
        from imagebake.azure.client.error_text import NoToken

        now = self.clock()
        left = kept.token.expires_on - now
        try:
            token = self.source.fetch(*scopes, patient=False, **options)
        except NoToken as error:
            if kept.failure is None:
                about = f"the current token is valid for {left / 60:.0f} more minutes"
                self.note(f"could not get a new token ({error.message}): {about}")
            kept.failure = error
            token = kept.token
        if token.expires_on > kept.token.expires_on:
            self._keep(kept, token)
        else:  # a service with a cache of its own returns the same token for a while
            rest = left * (_EARLIEST + self.jitter() * (_LATEST - _EARLIEST)) / 2
            kept.again = now + max(_LEAST_REST, rest)

    def _keep(self, kept: _Kept, token: Any) -> None:  # noqa: ANN401 - as above
        now = self.clock()
        life = token.expires_on - now
        latest = max(life * _LATEST, life - _BEFORE_THE_END)
        kept.again = now + life * _EARLIEST + self.jitter() * (latest - life * _EARLIEST)
        kept.token, kept.failure = token, None


Policies = Callable[[], list[Any]]
"""Makes the pipeline policies of a client of a token service."""

TIMEOUTS = {"connection_timeout": 10, "read_timeout": 20}
"""Seconds; the SDK's default would wait five minutes for a token service that hangs."""

# The SDK appends these pointers to web pages; the hint of the refusal replaces them.
_STEPS = ("See the troubleshooting guide", "To mitigate this issue", "Visit https://")


def token_patience(patience: RetryClock) -> RetryClock:
    """Return the limits for fetching a token: a minute or two, as nothing works without it."""
    return replace(patience, attempts=8, base=2.0)


@dataclass(slots=True)
class TokenSource:
    """Fetches tokens with a new credential of *make* each time, so that nothing is cached.

    The SDK's credentials cache tokens and return them until five minutes before they expire,
    when there may be no time left. *remedy* is the hint of a refusal. All fetches share a
    retry budget and a circuit breaker.
    """

    make: Callable[[Policies], Credential]
    patience: RetryClock
    remedy: str
    _patient: Retries = field(init=False)
    _passing: bool = False

    def __post_init__(self) -> None:
        self._patient = Retries(self.patience)

    def fetch(self, *scopes: str, patient: bool, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """Fetch a token; raises `NoToken` with the reason and a hint."""
        from azure.core.exceptions import AzureError

        retries = self._patient if patient else Retries(replace(self.patience, attempts=1))
        self._passing = self._patient.open_for() > 0
        try:
            credential: Any = self.make(lambda: self._policies(retries))
            try:
                return credential.get_token(*scopes, **options)
            finally:
                credential.close()
        except (AzureError, CloudError, OSError, ValueError) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> Exception:
        from imagebake.azure.client.error_text import NoToken

        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        for step in _STEPS:
            reason = reason.partition(step)[0]
        hint = getattr(error, "hint", None) or self.remedy
        if self._passing:
            hint = "the token service may be down; nothing is lost, try again later"
        return NoToken(redact(reason.strip().rstrip(".")), passing=self._passing, hint=hint)

    def _policies(self, retries: Retries) -> list[Any]:
        from azure.core.pipeline.policies import (
            ContentDecodePolicy,
            HeadersPolicy,
            UserAgentPolicy,
        )

        from imagebake.azure.client.pipeline import JitteredRetry, StatusObserver

        return [
            HeadersPolicy(),
            UserAgentPolicy(base_user_agent="imagebake"),
            ContentDecodePolicy(),
            JitteredRetry(retries),
            StatusObserver(self._witness),
        ]

    def _witness(self, status: int | None) -> None:
        """Record whether the last answer (None for silence) is a failure that may pass."""
        self._passing = status is None or status in RETRYABLE
