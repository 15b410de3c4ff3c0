"""The resource providers that a build needs, registered in the subscription or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imagebake.cloud.clients import Clients
from imagebake.errors import CloudError

NEEDED = (
    "Microsoft.Compute",
    "Microsoft.ContainerInstance",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Storage",
    "Microsoft.VirtualMachineImages",
)
"""What Azure Image Builder uses in the subscription of its template."""

_API = "2021-04-01"
_REGISTERED = "Registered"
_LIMIT = 900.0


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers of the endpoint's subscription."""

    clients: Clients

    def missing(self) -> tuple[str, ...]:
        """Those of `NEEDED` that are not registered."""
        return tuple(name for name in NEEDED if self._state(name) != _REGISTERED)

    def require(self, *, register: bool, note: Callable[[str], None]) -> None:
        """Have all of `NEEDED` before a build is started; *register* does what is missing.

        Raises `CloudError` with the command. Who may not look is told so and let through:
        Azure says it again when it matters.
        """
        try:
            missing = self.missing()
        except CloudError as error:
            if error.code != "AuthorizationFailed":
                raise
            note("whether the resource providers are registered may not be read: going on")
            return
        if not missing:
            return
        if not register:
            raise CloudError(
                f"the subscription is not registered to use {', '.join(missing)}",
                code="MissingSubscriptionRegistration",
                cause="a build makes resources of these providers, and would fail minutes later",
                hint=" && ".join(
                    f"az provider register --wait --namespace {one}" for one in missing
                )
                + "; or set register_providers: yes",
            )
        for name in missing:
            note(f"registering {name} in the subscription")
            self._ask(f"register {name}", "POST", f"{name}/register")
        for name in missing:
            self._await(name)

    def _await(self, name: str) -> None:
        patience = self.clients.patience
        deadline = patience.clock() + _LIMIT
        while (state := self._state(name)) != _REGISTERED:
            if patience.clock() >= deadline:
                raise CloudError(
                    f"{name} is still {state} after {_LIMIT / 60:.0f} minutes",
                    code="RegistrationSlow",
                    hint="it goes on by itself; the same command looks again",
                )
            patience.sleep(self.clients.endpoint.polling_seconds)

    def _state(self, name: str) -> str:
        found = self._ask(f"read whether {name} is registered", "GET", name)
        return str(found["registrationState"])

    def _ask(self, doing: str, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
        scope = f"/subscriptions/{self.clients.endpoint.subscription}/providers"
        return self.clients.send(doing, method, f"{scope}/{path}?api-version={_API}")
