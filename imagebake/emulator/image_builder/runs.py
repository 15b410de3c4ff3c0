"""Runs of image templates: one thread each, known to every process, never running for ever.

A run holds a lock on a file of its own for as long as its thread lives. The kernel drops the
lock with the process, so whoever finds a run unfinished and can take its lock knows that
nobody is working on it any more, and says so.
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
from imagebake.emulator.image_builder.distribution import distribute, late_distribution
from imagebake.emulator.image_builder.template_lookups import (
    Source,
    Unprovisionable,
    find_destination,
)
from imagebake.emulator.store import Resource, Session, Store
from imagebake.kernel.host.files import locked

NEVER = "0001-01-01T00:00:00Z"
"""What the service writes for the end of a run that has not ended."""

UNDER_WAY = ("Running", "Canceling")
_DEFAULT_MINUTES = 240

Start = Callable[[str, Callable[[], None]], None]
"""Begins a piece of work, which has a name, beside what runs already."""
_LOGS_KEPT = 100
_LOG = logging.getLogger(__name__)


def in_a_thread(name: str, work: Callable[[], None]) -> None:
    """Begin *work* in a thread of its own, which does not keep the process alive."""
    threading.Thread(target=work, name=name, daemon=True).start()


@dataclass(frozen=True, slots=True)
class _Run:
    id: str
    template_id: str
    log: Path
    lock: Path
    deadline: dt.datetime


@dataclass(frozen=True, slots=True)
class _End:
    """How a run ended: *code* is None when nothing went wrong."""

    state: str
    message: str = ""
    code: str | None = None
    record: Mapping[str, Any] | None = None


class Runs:
    """The runs of one emulator folder; this process's are what it has begun with *start*."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        builder: Builder,
        now: Callable[[], dt.datetime],
        pace: Callable[[], Pace],
        start: Start,
    ) -> None:
        self._start = start
        self._folder = folder
        self._store = store
        self._builder = builder
        self._now = now
        self._pace = pace
        self._closing = threading.Event()
        self._ours: dict[str, threading.Event] = {}

    def begin(self, call: Call, template: Resource) -> tuple[str, Callable[[], None]]:
        """Note the run of *template* that the second result starts; the first is its operation.

        Start it once the note is on the disk, and not otherwise.
        """
        return self.start(call.session, template, call.now)

    def start(
        self, session: Session, template: Resource, now: dt.datetime
    ) -> tuple[str, Callable[[], None]]:
        """As `begin`, for a run that no request asked for."""
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
        run = _Run(
            operation,
            template.id,
            self._log(operation),
            self._lock(operation),
            now + dt.timedelta(minutes=minutes),
        )
        held = contextlib.ExitStack()
        held.enter_context(locked(run.lock, wait=False))
        return operation, lambda: self._launch(run, template, held)

    def _log(self, operation: str) -> Path:
        return self._folder / "packerlogs" / operation / "customization.log"

    def _lock(self, operation: str) -> Path:
        return self._folder / "runs" / f"{operation}.lock"

    def _launch(self, run: _Run, template: Resource, held: contextlib.ExitStack) -> None:
        self._forget_old_logs()
        run.log.parent.mkdir(parents=True, exist_ok=True)
        run.log.touch()
        body = template.body

        ended = self._ours[run.id] = threading.Event()

        def work() -> None:
            try:
                with held:
                    self._finish(run, self._build(run, body))
                    run.lock.unlink(missing_ok=True)
            finally:
                self._ours.pop(run.id, None)
                ended.set()

        self._start(f"run {run.id}", work)

    def _forget_old_logs(self) -> None:
        logs = sorted(self._folder.glob("packerlogs/*"), key=_modified)
        for folder in logs[:-_LOGS_KEPT]:
            shutil.rmtree(folder, ignore_errors=True)

    def _build(self, run: _Run, body: Mapping[str, Any]) -> _End:
        try:
            self._look_before(body)
            record = self._builder.build(
                body,
                log=run.log,
                on_state=lambda state: self._note(run, state),
                cancelled=lambda: self._cancelled(run),
            )
            self._note(run, "Distributing")
        except (BuildFailed, Unprovisionable) as error:
            kept = error.record if isinstance(error, BuildFailed) else None
            goes_on = (body["properties"].get("validate") or {}).get("continueDistributeOnFailure")
            return _End("Failed", error.message, error.code, kept if goes_on else None)
        except Exception as error:  # noqa: BLE001 - whatever breaks a build, its run must end
            _LOG.warning("the builder failed unexpectedly", exc_info=True)
            return _End("Failed", f"{type(error).__name__}: {error}", "InternalOperationError")
        return _End("Succeeded", record=record)

    def _look_before(self, body: Mapping[str, Any]) -> None:
        """Do not build for a destination that has gone, or a version that exists by now."""
        exact = body["properties"]["source"].get("exactVersion", "")
        with self._store.reading() as session:
            for distributor in body["properties"]["distribute"]:
                if distributor["type"] == "SharedImage":
                    find_destination(distributor, Source(exact), session)

    def _note(self, run: _Run, sub_state: str) -> None:
        with self._store.writing() as session:
            template = session.find(run.template_id)
            if template and template.properties["lastRunStatus"]["runState"] == "Running":
                template.properties["lastRunStatus"]["runSubState"] = sub_state
                session.put(template)

    def _cancelled(self, run: _Run) -> bool:
        if self._closing.is_set() or self._now() > run.deadline:
            return True
        with self._store.reading() as session:
            return _is_cancelled(session, run.id)

    def _finish(self, run: _Run, end: _End) -> None:
        """Put down how the run ended and what it made, all in one transaction."""
        time = self._now().timestamp()
        with self._store.writing() as session:
            template = session.find(run.template_id)
            if _is_cancelled(session, run.id) or self._closing.is_set():
                end = _End("Canceled", "The image build was canceled.", "Canceled")
            elif self._now() > run.deadline:
                end = _End("Failed", "The image build took too long.", "BuildTimeout")
            if template and end.record is not None:
                failures = distribute(template, end.record, session, time=time, pace=self._pace())
                if failures and end.code is None:
                    partly = len(failures) < len(template.properties["distribute"])
                    state = "PartiallySucceeded" if partly else "Failed"
                    end = _End(state, failures[0].message, failures[0].code)
                elif end.code is None and self._is_late(run):
                    end = _End("Failed", late_distribution(template), "DistributionTimeout")
            self._put_down(session, run.id, template, end, time)

    def _is_late(self, run: _Run) -> bool:
        """Whether the build's time is over before the last region has its copy.

        The service waits until then, and copies on afterwards; here the end is told at once.
        """
        return self._now() + dt.timedelta(seconds=self._pace().replication) > run.deadline

    def _put_down(
        self, session: Session, operation: str, template: Resource | None, end: _End, time: float
    ) -> None:
        message = end.message
        if end.state == "Failed":
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
        """Ask for the end of the template's run, whichever process it is in."""
        call.session.sql.execute(
            "UPDATE runs SET cancelled = 1 WHERE template = ? AND finished = 0", (template.key,)
        )
        template.properties["lastRunStatus"].update(
            runState="Canceling", message="Canceling image build"
        )
        call.session.put(template)

    def bury(self) -> None:
        """Report as failed every run whose process has died."""
        with self._store.reading() as session:
            rows = session.sql.execute("SELECT id, template FROM runs WHERE finished = 0")
            unfinished = [row for row in rows.fetchall() if row[0] not in self._ours]
        for operation, key in unfinished:
            with locked(self._lock(operation), wait=False) as orphaned:
                if orphaned:
                    self._bury(operation, key)

    def _bury(self, operation: str, key: str) -> None:
        with self._store.writing() as session:
            (finished,) = session.sql.execute(
                "SELECT finished FROM runs WHERE id = ?", (operation,)
            ).fetchone()
            if not finished:
                message = "The process that ran the build ended before the build did."
                end = _End("Failed", message, "InternalOperationError")
                time = self._now().timestamp()
                self._put_down(session, operation, session.find(key), end, time)
        self._lock(operation).unlink(missing_ok=True)

    def log(self, template_id: str) -> Path | None:
        """The log of the template's last run, even when the template has gone since."""
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
        for ended in list(self._ours.values()):
            ended.wait()


def _modified(folder: Path) -> float:
    """When a log's folder was made; another process may be removing it meanwhile."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_cancelled(session: Session, operation: str) -> bool:
    row = session.sql.execute("SELECT cancelled FROM runs WHERE id = ?", (operation,)).fetchone()
    return bool(row and row[0])
