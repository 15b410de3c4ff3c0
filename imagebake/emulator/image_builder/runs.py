"""Runs of image templates: a thread each, visible to every process, each with an end.

A run holds a file lock for as long as its thread lives. The kernel releases the lock with the
process, so a process that finds an unfinished run and can take its lock knows that the run was
orphaned, and records it as failed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.calls import Call, Pace, stamp, stamp_of
from imagebake.emulator.image_builder.builder import Builder, BuildFailed
from imagebake.emulator.image_builder.distribution import distribute, distribution_timeout_message
from imagebake.emulator.image_builder.template_references import (
    ProvisioningFailed,
    SourceImage,
    find_destination,
)
from imagebake.emulator.store import Resource, Session, Store
from imagebake.kernel.host.files import file_lock

# Recorded: year 1, where other services would omit the field.
NEVER = "0001-01-01T00:00:00Z"
"""The service's `endTime` of a run that has not ended."""

UNDER_WAY = ("Running", "Canceling")
# Documented default of buildTimeoutInMinutes.
_DEFAULT_MINUTES = 240

StartThread = Callable[[str, Callable[[], None]], None]
"""Starts work under a name, in parallel to the caller."""
# Bounds the folder: logs outlive their templates.
_LOGS_KEPT = 100
_LOG = logging.getLogger(__name__)


def start_thread(name: str, work: Callable[[], None]) -> None:
    """Start *work* in a daemon thread."""
    threading.Thread(target=work, name=name, daemon=True).start()


@dataclass(frozen=True, slots=True)
class _TemplateRun:
    id: str
    template_id: str
    log: Path
    lock: Path
    deadline: dt.datetime


@dataclass(frozen=True, slots=True)
class _RunOutcome:
    """The outcome of a run; *code* is None if nothing failed."""

    state: str
    message: str = ""
    code: str | None = None
    record: Mapping[str, Any] | None = None


class ImageTemplateRuns:
    """The runs of an emulator's folder; this process executes those that it started."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        builder: Builder,
        now: Callable[[], dt.datetime],
        pace: Callable[[], Pace],
        start: StartThread,
    ) -> None:
        self._start = start
        self._folder = folder
        self._store = store
        self._builder = builder
        self._now = now
        self._pace = pace
        self._closing = threading.Event()
        self._own_runs: dict[str, threading.Event] = {}

    def begin(self, call: Call, template: Resource) -> tuple[str, Callable[[], None]]:
        """Record a run of *template*; return its operation id and the callback that starts it.

        Call the callback after the transaction is committed, and not otherwise.
        """
        return self.start(call.session, template, call.now)

    def start(
        self, session: Session, template: Resource, now: dt.datetime
    ) -> tuple[str, Callable[[], None]]:
        """Record a run like `begin`, without a request: a trigger fired."""
        operation = operations.begin(session, template.id, started=now.timestamp(), ended=None)
        session.sql.execute(
            "INSERT INTO runs (id, template) VALUES (?, ?)", (operation, template.key)
        )
        template.properties["lastRunStatus"] = {
            "startTime": stamp(now),
            "endTime": NEVER,
            "runState": "Running",
            "runSubState": "Queued",
            "message": "",
        }
        session.put(template)
        minutes = template.properties.get("buildTimeoutInMinutes") or _DEFAULT_MINUTES
        run = _TemplateRun(
            operation,
            template.id,
            self._log(operation),
            self._lock(operation),
            now + dt.timedelta(minutes=minutes),
        )
        # Locked inside the caller's transaction, so that no process sees the run without its
        # lock.
        lock = contextlib.ExitStack()
        lock.enter_context(file_lock(run.lock, wait=False))
        return operation, lambda: self._launch(run, template, lock)

    def _log(self, operation: str) -> Path:
        return self._folder / "packerlogs" / operation / "customization.log"

    def _lock(self, operation: str) -> Path:
        return self._folder / "runs" / f"{operation}.lock"

    def _launch(self, run: _TemplateRun, template: Resource, lock: contextlib.ExitStack) -> None:
        self._forget_old_logs()
        run.log.parent.mkdir(parents=True, exist_ok=True)
        run.log.touch()
        body = template.body

        ended = self._own_runs[run.id] = threading.Event()

        def work() -> None:
            try:
                with lock:
                    self._finish(run, self._build(run, body))
                    # Only after the outcome is recorded: a free lock means an orphan.
                    run.lock.unlink(missing_ok=True)
            finally:
                self._own_runs.pop(run.id, None)
                ended.set()

        self._start(f"run {run.id}", work)

    def _forget_old_logs(self) -> None:
        logs = sorted(self._folder.glob("packerlogs/*"), key=_modified)
        for folder in logs[:-_LOGS_KEPT]:
            shutil.rmtree(folder, ignore_errors=True)

    def _build(self, run: _TemplateRun, body: Mapping[str, Any]) -> _RunOutcome:
        try:
            self._check_destinations(body)
            record = self._builder.build(
                body,
                log=run.log,
                on_state=lambda state: self._set_sub_state(run, state),
                cancelled=lambda: self._cancelled(run),
            )
            self._set_sub_state(run, "Distributing")
        except (BuildFailed, ProvisioningFailed) as error:
            built = error.record if isinstance(error, BuildFailed) else None
            continues = (body["properties"].get("validate") or {}).get(
                "continueDistributeOnFailure"
            )
            return _RunOutcome("Failed", error.message, error.code, built if continues else None)
        except Exception as error:  # noqa: BLE001 - whatever breaks a build, its run must end
            _LOG.warning("the builder failed unexpectedly", exc_info=True)
            return _RunOutcome(
                "Failed", f"{type(error).__name__}: {error}", "InternalOperationError"
            )
        return _RunOutcome("Succeeded", record=record)

    def _check_destinations(self, body: Mapping[str, Any]) -> None:
        """Fail before building if a destination was deleted, or its version exists meanwhile."""
        exact = body["properties"]["source"].get("exactVersion", "")
        with self._store.reading() as session:
            for distributor in body["properties"]["distribute"]:
                if distributor["type"] == "SharedImage":
                    find_destination(distributor, SourceImage(exact), session)

    def _set_sub_state(self, run: _TemplateRun, sub_state: str) -> None:
        with self._store.writing() as session:
            template = session.find(run.template_id)
            # A run that is being cancelled keeps its state.
            if template and template.properties["lastRunStatus"]["runState"] == "Running":
                template.properties["lastRunStatus"]["runSubState"] = sub_state
                session.put(template)

    def _cancelled(self, run: _TemplateRun) -> bool:
        if self._closing.is_set() or self._now() > run.deadline:
            return True
        with self._store.reading() as session:
            return _is_cancelled(session, run.id)

    def _finish(self, run: _TemplateRun, end: _RunOutcome) -> None:
        """Record the outcome and distribute the image, in one transaction."""
        time = self._now().timestamp()
        with self._store.writing() as session:
            template = session.find(run.template_id)
            # Cancellation wins over any other outcome, as it may have caused it.
            if _is_cancelled(session, run.id) or self._closing.is_set():
                end = _RunOutcome("Canceled", "The image build was canceled.", "Canceled")
            elif self._now() > run.deadline:
                end = _RunOutcome("Failed", "The image build took too long.", "BuildTimeout")
            if template and end.record is not None:
                failures = distribute(template, end.record, session, time=time, pace=self._pace())
                if failures and end.code is None:
                    # Documented state; assumed: the operation itself has failed.
                    partly = len(failures) < len(template.properties["distribute"])
                    state = "PartiallySucceeded" if partly else "Failed"
                    end = _RunOutcome(state, failures[0].message, failures[0].code)
                elif end.code is None and self._is_late(run):
                    end = _RunOutcome(
                        "Failed", distribution_timeout_message(template), "DistributionTimeout"
                    )
            self._record_outcome(session, run.id, template, end, time)

    def _is_late(self, run: _TemplateRun) -> bool:
        """Return whether `buildTimeoutInMinutes` expires before replication completes.

        Azure reports the failure when the time is up, and replication goes on; here it is
        reported at once.
        """
        return self._now() + dt.timedelta(seconds=self._pace().replication) > run.deadline

    def _record_outcome(
        self,
        session: Session,
        operation: str,
        template: Resource | None,
        end: _RunOutcome,
        time: float,
    ) -> None:
        message = end.message
        if end.state == "Failed":
            # Recorded format; Azure names a blob, here it is a path of this machine.
            message = f"{message} Build log: {self._log(operation)}. OperationId: {operation}."
        error = {"code": end.code, "message": message} if end.code else None
        status = {"Canceled": "Canceled", "Succeeded": "Succeeded"}.get(end.state, "Failed")
        operations.finish(session, operation, ended=time, status=status, error=error)
        session.sql.execute("UPDATE runs SET finished = 1 WHERE id = ?", (operation,))
        if template:
            last = template.properties["lastRunStatus"]
            last.pop("runSubState", None)
            last.update(endTime=stamp_of(time), runState=end.state, message=message)
            session.put(template)

    def cancel(self, call: Call, template: Resource) -> None:
        """Request cancellation of the template's run, whichever process executes it."""
        call.session.sql.execute(
            "UPDATE runs SET cancelled = 1 WHERE template = ? AND finished = 0", (template.key,)
        )
        template.properties["lastRunStatus"].update(
            # Recorded: the cancel action replies at once, and the state passes through Canceling.
            runState="Canceling",
            message="Canceling image build",
        )
        call.session.put(template)

    def fail_orphans(self) -> None:
        """Record as failed every run whose process has died."""
        with self._store.reading() as session:
            rows = session.sql.execute("SELECT id, template FROM runs WHERE finished = 0")
            unfinished = [row for row in rows.fetchall() if row[0] not in self._own_runs]
        for operation, key in unfinished:
            with file_lock(self._lock(operation), wait=False) as orphaned:
                if orphaned:
                    self._fail_orphan(operation, key)

    def _fail_orphan(self, operation: str, key: str) -> None:
        with self._store.writing() as session:
            (finished,) = session.sql.execute(
                "SELECT finished FROM runs WHERE id = ?", (operation,)
            ).fetchone()
            if not finished:
                message = "The process that ran the build ended before the build did."
                end = _RunOutcome("Failed", message, "InternalOperationError")
                time = self._now().timestamp()
                self._record_outcome(session, operation, session.find(key), end, time)
        self._lock(operation).unlink(missing_ok=True)

    def log(self, template_id: str) -> Path | None:
        """Return the log of the template's last run, even if the template was deleted."""
        with self._store.reading() as session:
            row = session.sql.execute(
                "SELECT runs.id FROM runs JOIN operations USING (id) WHERE template = ?"
                " ORDER BY started DESC LIMIT 1",
                (template_id.lower(),),
            ).fetchone()
        return self._log(row[0]) if row else None

    def close(self) -> None:
        """Cancel this process's runs and wait for them to end."""
        self._closing.set()
        for ended in list(self._own_runs.values()):
            ended.wait()


def _modified(folder: Path) -> float:
    """Return a log folder's modification time; 0 if another process removed it."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_cancelled(session: Session, operation: str) -> bool:
    row = session.sql.execute("SELECT cancelled FROM runs WHERE id = ?", (operation,)).fetchone()
    return bool(row and row[0])
