"""How a token service is asked: with our retries, a credential made anew each time."""

# ruff: noqa: PLC0415 - azure-identity takes 0.4 s to import

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from imagebake.cloud.endpoint import Credential
from imagebake.cloud.retry import RETRYABLE, Patience, Retries
from imagebake.kernel.errors import CloudError
from imagebake.kernel.redaction import redact

Policies = Callable[[], list[Any]]
"""Makes the pipeline policies for one client of a token service."""

TIMEOUTS = {"connection_timeout": 10, "read_timeout": 20}
"""A token service that hangs is given up on long before the SDK's five minutes."""

_STEPS = ("See the troubleshooting guide", "To mitigate this issue", "Visit https://")


def token_patience(patience: Patience) -> Patience:
    """How long to try for a token: nothing can be done without one, so a minute or two."""
    return replace(patience, attempts=8, base=2.0)


@dataclass(slots=True)
class TokenSource:
    """Asks with what *make* makes of policies, which remembers nothing: the cache does.

    The SDK's credentials keep tokens of their own and hand them out again until five minutes
    before their end, when there may be no time left. *remedy* is the hint for whoever is
    refused. All that ask share a budget of retries and a circuit.
    """

    make: Callable[[Policies], Credential]
    patience: Patience
    remedy: str
    _patient: Retries = field(init=False)
    _passing: bool = False

    def __post_init__(self) -> None:
        self._patient = Retries(self.patience)

    def fetch(self, *scopes: str, patient: bool, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        """A new token; raises `NoToken` with the reason and the way out."""
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
        from imagebake.cloud.no_token import NoToken

        lines = [line for line in str(error).splitlines() if line.strip()]
        said = lines[0] if lines else type(error).__name__
        for step in _STEPS:
            said = said.partition(step)[0]
        hint = getattr(error, "hint", None) or self.remedy
        if self._passing:
            hint = "the token service may be down; nothing is lost, try again later"
        return NoToken(redact(said.strip().rstrip(".")), passing=self._passing, hint=hint)

    def _policies(self, retries: Retries) -> list[Any]:
        from azure.core.pipeline.policies import (
            ContentDecodePolicy,
            HeadersPolicy,
            UserAgentPolicy,
        )

        from imagebake.cloud.pipeline import JitteredRetry, Witness

        return [
            HeadersPolicy(),
            UserAgentPolicy(base_user_agent="imagebake"),
            ContentDecodePolicy(),
            JitteredRetry(retries),
            Witness(self._witness),
        ]

    def _witness(self, status: int | None) -> None:
        """Hear of an answer's status, or None for silence: the last one says what is wrong."""
        self._passing = status is None or status in RETRYABLE
