"""Registration of the resource providers that a build needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import pages
from imagebake.kernel.errors import CloudError

PROVIDERS: Mapping[str, str] = {
    "Microsoft.Compute": "galleries, versions and machines are its resources",
    "Microsoft.ContainerInstance": "Image Builder runs every build from a container of its own",
    "Microsoft.KeyVault": "Image Builder keeps the keys of a build in a vault",
    "Microsoft.ManagedIdentity": "templates and workflows run as its identities",
    "Microsoft.Network": "the build machine is put into a network",
    "Microsoft.Storage": "Image Builder's logs and the mirror are kept there",
    "Microsoft.VirtualMachineImages": "image templates are its resources",
}
"""Providers that must be registered, and what each is for."""

_API = "2021-04-01"
_REGISTERED = "Registered"
_LIMIT = 900.0


@dataclass(frozen=True, slots=True)
class Providers:
    """The resource providers of the endpoint's subscription."""

    clients: Clients

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return every provider by its lower-case namespace."""
        listed = pages(self.clients, "list the providers", f"{self._scope}?api-version={_API}")
        return {str(provider["namespace"]).lower(): provider for provider in listed}

    def missing(self) -> dict[str, str]:
        """Return those of `PROVIDERS` that are not registered, with their states."""
        found = self.listed()
        states = {
            name: str((found.get(name.lower()) or {}).get("registrationState") or "NotRegistered")
            for name in PROVIDERS
        }
        return {name: state for name, state in states.items() if state != _REGISTERED}

    def register(self, names: Collection[str]) -> None:
        """Register *names* and wait until all are; raises `CloudError` after 15 minutes."""
        patience = self.clients.patience
        deadline = patience.clock() + _LIMIT
        for name in names:
            path = f"{self._scope}/{name}/register?api-version={_API}"
            self.clients.send(f"register {name}", "POST", path)
        while left := self.missing().keys() & set(names):
            if patience.clock() >= deadline:
                raise CloudError(
                    f"not registered after {_LIMIT / 60:.0f} minutes: {', '.join(sorted(left))}",
                    code="RegistrationSlow",
                    hint="it goes on by itself; the same command looks again",
                )
            patience.sleep(self.clients.endpoint.polling_seconds)

    def require(self, *, register: bool, note: Callable[[str], None]) -> None:
        """Check that all of `PROVIDERS` are registered; *register* those that are not.

        Raises `CloudError` with the command. An identity that may not read the registrations
        gets a note and goes on: Azure refuses the build itself where one is missing.
        """
        try:
            missing = self.missing()
        except CloudError as error:
            if error.code != "AuthorizationFailed":
                raise
            note("whether the resource providers are registered may not be read: going on")
            return
        if missing and not register:
            commands = (
                f"az provider register --wait --namespace {namespace}" for namespace in missing
            )
            raise CloudError(
                f"the subscription is not registered to use {', '.join(missing)}",
                code="MissingSubscriptionRegistration",
                cause="a build makes resources of these providers, and would fail minutes later",
                hint=" && ".join(commands) + "; or set register_providers: yes",
            )
        for name in missing:
            note(f"registering {name} in the subscription")
        if missing:
            self.register(missing)

    @property
    def _scope(self) -> str:
        return f"/subscriptions/{self.clients.endpoint.subscription}/providers"
