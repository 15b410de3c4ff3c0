"""The emulator's state: a SQLite file that several processes may share."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.kernel.errors import CloudError

# Longer than any transaction of another process that shares the file.
_BUSY_SECONDS = 30.0
_NEXT, _LAST = "\x01", "\U0010ffff"
"""Sort before and after every possible continuation of an id."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
  key TEXT PRIMARY KEY,      -- the ARM id in lower case
  kind TEXT NOT NULL,        -- the resource type in lower case
  body TEXT NOT NULL,        -- what clients see, without the provisioning state
  private TEXT NOT NULL,     -- what they do not see
  settles REAL NOT NULL,     -- when the provisioning state becomes final
  settling TEXT NOT NULL,    -- the provisioning state until then
  state TEXT NOT NULL        -- and the final one
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS resources_by_kind ON resources (kind, key);
CREATE INDEX IF NOT EXISTS resources_leaving ON resources (settles)
  WHERE settling = 'Deleting';
CREATE INDEX IF NOT EXISTS resources_rolling ON resources (settles)
  WHERE settling = 'RollingForward';
CREATE TABLE IF NOT EXISTS operations (
  id TEXT PRIMARY KEY,
  resource TEXT NOT NULL,
  started REAL NOT NULL,
  ended REAL,                -- NULL while a run is under way; may lie in the future
  status TEXT NOT NULL,      -- the final one
  error TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY,       -- of the operation
  template TEXT NOT NULL,
  cancelled INTEGER NOT NULL DEFAULT 0,
  finished INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_unfinished ON runs (finished) WHERE finished = 0;
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
"""

_WAITING = {
    settling: f"SELECT key FROM resources WHERE settling = '{settling}' AND settles <= ? LIMIT ?"  # noqa: S608
    for settling in ("Deleting", "RollingForward")
}
"""One statement per state, because SQLite uses a partial index only for a literal predicate."""


@dataclass(slots=True)
class Resource:
    """An ARM resource; *body* is its rendering without the provisioning state.

    *private* never leaves the emulator. The provisioning state is *settling* until *settles*, in
    seconds since the epoch, and *state* from then on.
    """

    kind: str
    body: dict[str, Any]
    private: dict[str, Any] = field(default_factory=dict)
    settles: float = 0.0
    settling: str = "Succeeded"
    state: str = "Succeeded"

    @property
    def id(self) -> str:
        """The ARM id as its creator spelled it."""
        return str(self.body["id"])

    @property
    def key(self) -> str:
        """The id in lower case: ARM ids ignore case."""
        return self.id.lower()

    @property
    def name(self) -> str:
        """The last segment of the id."""
        return str(self.body["name"])

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` of the body."""
        properties: dict[str, Any] = self.body.setdefault("properties", {})
        return properties

    def provisioning_state(self, now: float) -> str:
        """Return the provisioning state at *now*."""
        return self.settling if now < self.settles else self.state


class Session:
    """A transaction: it sees one consistent state, and is committed whole or not at all."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.sql = connection

    def find(self, resource_id: str) -> Resource | None:
        """Return the resource with that id, whatever its case."""
        row = self.sql.execute(
            "SELECT kind, body, private, settles, settling, state FROM resources WHERE key = ?",
            (resource_id.lower(),),
        ).fetchone()
        return _resource(row) if row else None

    def list(self, kind: str, prefix: str, *, after: str = "", limit: int = -1) -> list[Resource]:
        """Return resources of *kind* whose id begins with *prefix*, sorted, from after *after*."""
        prefix = prefix.lower()
        # A range over the primary key instead of LIKE, which could not use the index.
        first = max(after + _NEXT if after else "", prefix)
        rows = self.sql.execute(
            "SELECT kind, body, private, settles, settling, state FROM resources"
            " WHERE kind = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
            (kind.lower(), first, prefix + _LAST, limit),
        )
        return [_resource(row) for row in rows]

    def count(self, kind: str, prefix: str, place: str) -> int:
        """Count the resources of *kind* in region *place* whose id begins with *prefix*."""
        prefix = prefix.lower()
        row = self.sql.execute(
            "SELECT count(*) FROM resources WHERE kind = ? AND key >= ? AND key < ?"
            " AND settling != 'Deleting' AND json_extract(body, '$.location') = ?",
            (kind, prefix, prefix + _LAST, place),
        ).fetchone()
        return int(row[0])

    def put(self, resource: Resource) -> None:
        """Insert *resource*, or replace the one with its id."""
        self.sql.execute(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                resource.key,
                resource.kind.lower(),
                json.dumps(resource.body),
                json.dumps(resource.private),
                resource.settles,
                resource.settling,
                resource.state,
            ),
        )

    def remove(self, resource_id: str) -> None:
        """Delete a resource and everything below it, image records included."""
        key = resource_id.lower()
        for table in ("resources", "records"):
            self.sql.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608
            self.sql.execute(
                f"DELETE FROM {table} WHERE key >= ? AND key < ?",  # noqa: S608
                # With the slash, so that `…/web` does not take `…/web2` along.
                (f"{key}/", f"{key}/{_LAST}"),
            )

    def has_due(self, now: float) -> bool:
        """Return whether a deletion, or a step of a rolling upgrade, is due by *now*."""
        return any(self.due(settling, now, limit=1) for settling in _WAITING)

    def due(self, settling: str, now: float, *, limit: int = -1) -> tuple[str, ...]:
        """Return the keys of resources that are `Deleting` or `RollingForward` and due by *now*."""
        rows = self.sql.execute(_WAITING[settling], (now, limit))
        return tuple(key for (key,) in rows)

    def remove_settled(self, now: float) -> None:
        """Remove the resources whose deletion has finished by *now*."""
        for key in self.due("Deleting", now):
            self.remove(key)

    def record(self, version_id: str) -> dict[str, Any] | None:
        """Return the image record of a gallery version."""
        row = self.sql.execute(
            "SELECT record FROM records WHERE key = ?", (version_id.lower(),)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def records(self) -> tuple[dict[str, Any], ...]:
        """Return the image records of all gallery versions."""
        rows = self.sql.execute("SELECT record FROM records ORDER BY key")
        return tuple(json.loads(text) for (text,) in rows)

    def keep_record(self, version_id: str, record: dict[str, Any]) -> None:
        """Store *record* until the gallery version is removed."""
        self.sql.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?)",
            (version_id.lower(), json.dumps(record)),
        )


def _resource(row: tuple[str, str, str, float, str, str]) -> Resource:
    kind, body, private, settles, settling, state = row
    return Resource(kind, json.loads(body), json.loads(private), settles, settling, state)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # Readers of other processes must not block on a writer.
        connection.execute("PRAGMA journal_mode = WAL")
        # Survives `kill -9`; only a power failure could lose the last transactions.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


class Store:
    """The state file, opened once per process; its transactions are serialised.

    A transaction is committed before the response is sent. A `kill -9` at any moment leaves all
    of it or nothing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One connection per process: its threads take turns instead of waiting on SQLite's lock.
        self._turn = threading.RLock()
        try:
            self._connection = _open(path)
        except sqlite3.Error as error:
            raise CloudError(
                f"the emulator's state in {path} cannot be used: {error}",
                code="EmulatorState",
                hint="free some space, or remove the file and bake again",
            ) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a read-only transaction."""
        with self._transaction("BEGIN") as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that excludes the writes of all other processes."""
        # Takes the write lock at once: upgrading a read transaction could fail with SQLITE_BUSY.
        with self._transaction("BEGIN IMMEDIATE") as session:
            yield session

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Session]:
        with self._turn:
            self._connection.execute(begin)
            try:
                yield Session(self._connection)
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._turn:
            self._connection.close()


def snapshot(path: Path, to: Path) -> None:
    """Copy the state as of one moment, even while other processes write to it."""
    with (
        contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as source,
        contextlib.closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)
