"""The long-running operation of an image template's run: start it, read its state.

A module of its own: `azure.mgmt.core` takes a while to import, and only a run needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.mgmt.core.polling.arm_polling import ARMPolling

from imagebake.azure.client.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that was accepted: *token* resumes polling, *run* is the operation's id."""

    token: str
    run: str


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """State of an operation: *state* in Azure's word, lower case, and the reason."""

    state: str
    code: str = ""
    message: str = ""


class _Unhurried(ARMPolling):
    """Polling on request; the SDK's own starts a thread at once."""

    def finished(self) -> bool:
        return True

    def ask(self) -> RunOutcome:
        self.update_status()
        document = self._pipeline_response.http_response.json()
        error = document.get("error") if isinstance(document, Mapping) else None
        error = error if isinstance(error, Mapping) else {}
        return RunOutcome(
            self.status().lower(), str(error.get("code", "")), str(error.get("message", ""))
        )

    def address(self) -> str:
        return str(self._operation.get_polling_url())


def start(operations: Any, group: str, template: str) -> StartedRun:  # noqa: ANN401 - as in Clients
    """Start a run without waiting for it."""
    method = _Unhurried()
    operations.begin_run(group, template, polling=method)
    run = method.address().partition("?")[0].rpartition("/")[2]
    return StartedRun(method.get_continuation_token(), run)


def outcome(
    operations: Any,  # noqa: ANN401 - as in Clients
    endpoint: Endpoint,
    template: str,
    token: str,
) -> RunOutcome | None:
    """Read the state of the operation of *token*; None for a token of another endpoint."""
    method = _Unhurried()
    try:
        operations.begin_run(
            endpoint.resource_group, template, continuation_token=token, polling=method
        )
    except ValueError:  # the format of a token changes between versions of the SDK
        return None
    return method.ask() if method.address().startswith(f"{endpoint.base_url}/") else None
