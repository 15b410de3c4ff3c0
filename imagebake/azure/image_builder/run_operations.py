"""The long-running operation behind a run of an image template: start it, and ask for its state.

A module of its own, because `azure.mgmt.core` takes a while to import: only a run needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.mgmt.core.polling.arm_polling import ARMPolling

from imagebake.azure.client.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was accepted: *token* finds its operation again, *run* is the operation's id."""

    token: str
    run: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation says of itself: *state* in Azure's word, lower case, and the reason."""

    state: str
    code: str = ""
    said: str = ""


class _Unhurried(ARMPolling):
    """Polling that asks when it is told to; the SDK's own starts a thread at once."""

    def finished(self) -> bool:
        return True

    def ask(self) -> Outcome:
        self.update_status()
        document = self._pipeline_response.http_response.json()
        error = document.get("error") if isinstance(document, Mapping) else None
        error = error if isinstance(error, Mapping) else {}
        return Outcome(
            self.status().lower(), str(error.get("code", "")), str(error.get("message", ""))
        )

    def address(self) -> str:
        return str(self._operation.get_polling_url())


def start(operations: Any, group: str, template: str) -> Started:  # noqa: ANN401 - as in Clients
    """Start a run, and do not wait for it."""
    method = _Unhurried()
    operations.begin_run(group, template, polling=method)
    run = method.address().partition("?")[0].rpartition("/")[2]
    return Started(method.get_continuation_token(), run)


def outcome(
    operations: Any,  # noqa: ANN401 - as in Clients
    endpoint: Endpoint,
    template: str,
    token: str,
) -> Outcome | None:
    """Ask the operation of *token* how it is doing; None for a token that is not *endpoint*'s."""
    method = _Unhurried()
    try:
        operations.begin_run(
            endpoint.resource_group, template, continuation_token=token, polling=method
        )
    except ValueError:  # what a token holds is the SDK's business, from version to version
        return None
    return method.ask() if method.address().startswith(f"{endpoint.base_url}/") else None
