"""A run of an image template: started once, followed to its end, its failure explained."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import Conflict, NotFound, OutcomeUnknown
from imagebake.azure.error_catalog.lookup import known_error
from imagebake.azure.model.run_note import RunNote
from imagebake.kernel.errors import BakeFailed, CloudError

_GOING = frozenset({"Running", "Canceling"})
_STARTS = 4
# The status message of a failed run names the log in the staging account.
_LOG = re.compile(r"[^\s'\"]*/customization\.log")
_LOG_SENTENCE = re.compile(r"\s*Build log: \S*/customization\.log.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Run:
    """The run of the template *name*, which creates the image version *target* (an ARM id).

    *adopted* where another process had started it.
    """

    clients: Clients
    name: str
    target: str
    adopted: bool

    def finish(
        self,
        on_state: Callable[[str], None],
        *,
        limit: float,
        on_start: Callable[[str, str], None] | None = None,
    ) -> None:
        """Start the run, unless it has started, and follow it for at most *limit* seconds.

        *on_start* receives a token for `ended_how`, and the run's id. *on_state* receives each
        new run sub-state. Raises `BakeFailed` with the cause.
        A template that vanishes during the run was deleted by another bake of the same image,
        which saw the end first: whether the version exists tells how it ended.
        """
        if self._status() is None:
            self._start(on_start)
        with contextlib.suppress(NotFound):
            self._follow(on_state, limit)

    def _start(self, on_start: Callable[[str, str], None] | None) -> None:
        """Send the start request, which must not be carried out twice.

        When its answer is lost the template's status shows whether it runs; only if it does
        not is the request sent again.
        """
        from imagebake.azure.image_builder.run_operations import start  # noqa: PLC0415 - azure

        patience = self.clients.patience
        for attempt in range(1, _STARTS + 1):
            try:
                with self.clients.asking(f"run image template {self.name!r}"):
                    started = start(self._operations, self._group, self.name)
                if on_start:
                    on_start(started.token, started.run)
            except (OutcomeUnknown, Conflict):
                patience.sleep(patience.backoff(attempt))
                if self._status() is None and attempt < _STARTS:
                    continue
                if self._status() is None:
                    raise
            return

    def _follow(self, on_state: Callable[[str], None], limit: float) -> None:
        patience = self.clients.patience
        began, reported = patience.clock(), ""
        while (now := patience.clock()) < began + limit:
            status = self._patient_status(until=began + limit) or {}
            sub_state = str(status.get("runSubState") or "")
            if sub_state not in ("", reported):
                on_state(sub_state)
                reported = sub_state
            state = str(status.get("runState") or "Running")
            if state == "Succeeded":
                return
            if state not in _GOING:
                raise _failure(state, status)
            path = self.clients.endpoint.template_id(self.name)
            patience.sleep(self.clients.poll_interval(path, now - began))
        raise BakeFailed(
            f"the run of {self.name} has not ended after {limit / 60:.0f} minutes",
            run_state="Running",
            hint="raise build.timeout_minutes in the spec, or see what the build waits for",
        )

    def _patient_status(self, until: float) -> dict[str, Any] | None:
        """Return the status; answers that are missing do not end the wait, as the build goes on."""
        patience = self.clients.patience
        while True:
            try:
                return self._status()
            except OutcomeUnknown:
                if patience.clock() >= until:
                    raise
                patience.sleep(self.clients.endpoint.polling_seconds)

    def _status(self) -> dict[str, Any] | None:
        """Return the last run's status, or None when the template never ran."""
        template = self.clients.ask(
            f"read image template {self.name!r}", self._operations.get, self._group, self.name
        )
        status = template["properties"].get("lastRunStatus") or {}
        return status if status.get("runState") else None

    @property
    def _operations(self) -> Any:  # noqa: ANN401 - as in Clients
        return self.clients.image_builder.virtual_machine_image_templates

    @property
    def _group(self) -> str:
        return self.clients.endpoint.resource_group


def ended_how(clients: Clients, note: RunNote) -> str | None:
    """Return a clause on how the operation of *note*'s run ended, or None where it is unknown.

    A token contains an address; ours are sent to no other host than the endpoint's.
    """
    from imagebake.azure.image_builder.run_operations import outcome  # noqa: PLC0415 - azure

    if not note.token or note.base_url != clients.endpoint.base_url:
        return None
    operations = clients.image_builder.virtual_machine_image_templates
    try:
        with clients.asking(f"ask how run {note.run} ended"):
            found = outcome(operations, clients.endpoint, note.template, note.token)
    except CloudError:
        return None
    if found is None:
        return None
    text = _LOG_SENTENCE.sub("", found.message)
    reason = f": {found.code}: {text}" if found.code else ""
    return f"and its operation says {found.state}{reason}"


def _failure(state: str, status: Mapping[str, Any]) -> BakeFailed:
    """Return the error for a run that did not succeed."""
    message = str(status.get("message") or "the service gives no reason").strip()
    found = _LOG.search(message)
    log = Path(found.group()) if found else None
    known = known_error("", message)
    hints = [known.hint] if known else []
    hints += [f"the whole output: {found.group()}"] if found else []
    return BakeFailed(
        f"the run ended {state}: {_LOG_SENTENCE.sub('', message)}",
        run_state=state,
        log=log if log and log.is_absolute() else None,
        cause=known.cause if known else None,
        hint="; ".join(hints) or None,
    )
