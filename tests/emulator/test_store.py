"""The store commits whole transactions or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.emulator.store import Resource, Store
from imagebake.kernel.errors import CloudError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "arm.sqlite3")
    yield store
    store.close()


def _thing(name: str, **fields: object) -> Resource:
    resource = Resource("A.B/things", {"id": f"/Group/things/{name}", "name": name})
    for field, value in fields.items():
        setattr(resource, field, value)
    return resource


def _names(store: Store, prefix: str = "/group/", **options: object) -> list[str]:
    with store.reading() as session:
        return [found.name for found in session.list("a.b/Things", prefix, **options)]  # type: ignore[arg-type]


def test_what_was_put_is_found_by_any_spelling(store: Store) -> None:
    with store.writing() as session:
        session.put(_thing("One", private={"secret": 1}))

    with store.reading() as session:
        found = session.find("/GROUP/THINGS/one")

    assert found is not None
    assert (found.name, found.private) == ("One", {"secret": 1})


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.writing() as session:
            session.put(_thing("one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert _names(store) == []


def test_lists_are_in_order_and_go_on_where_they_stopped(store: Store) -> None:
    with store.writing() as session:
        for name in ("b", "a", "d", "c"):
            session.put(_thing(name))

    assert _names(store) == ["a", "b", "c", "d"]
    assert _names(store, limit=2) == ["a", "b"]
    assert _names(store, after="/group/things/b") == ["c", "d"]
    assert _names(store, prefix="/group/things/d") == ["d"]


def test_wild_cards_in_ids_are_nothing_special(store: Store) -> None:
    with store.writing() as session:
        for name in ("a_b", "axb", "a%b"):
            session.put(_thing(name))
        session.remove("/group/things/a_b")

    assert _names(store) == ["a%b", "axb"]


def test_removal_takes_what_is_below_and_its_records(store: Store) -> None:
    with store.writing() as session:
        session.put(_thing("one"))
        session.put(Resource("A.B/things/parts", {"id": "/Group/things/one/parts/p", "name": "p"}))
        session.put(_thing("one-more"))
        session.keep_record("/Group/things/one/parts/p", {"layers": []})
        session.remove("/group/THINGS/one")

    with store.reading() as session:
        assert session.find("/group/things/one/parts/p") is None
        assert session.records() == ()
    assert _names(store) == ["one-more"]


def test_what_is_being_deleted_is_gone_in_time(store: Store) -> None:
    with store.writing() as session:
        session.put(_thing("one", settling="Deleting", settles=100.0))
        session.remove_settled(99.0)
        assert not session.has_due(99.0)
        assert session.has_due(100.0)
        session.remove_settled(100.0)

    assert _names(store) == []


def test_the_provisioning_state_is_final_in_time() -> None:
    resource = _thing("one", settling="Creating", settles=100.0)

    assert resource.provisioning_state(99.9) == "Creating"
    assert resource.provisioning_state(100.0) == "Succeeded"


def test_two_stores_on_one_file_take_turns(tmp_path: Path) -> None:
    stores = [Store(tmp_path / "arm.sqlite3") for _ in range(2)]
    with stores[0].writing() as session:
        session.put(_thing("count", private={"n": 0}))

    def count(store: Store) -> None:
        for _ in range(50):
            with store.writing() as session:
                found = session.find("/group/things/count")
                assert found is not None
                found.private["n"] += 1
                session.put(found)

    threads = [threading.Thread(target=count, args=(store,)) for store in stores for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with stores[1].reading() as session:
        counted = session.find("/group/things/count")
    for store in stores:
        store.close()
    assert counted is not None
    assert counted.private["n"] == 200


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "arm.sqlite3"
    path.write_bytes(b"not a database, but long enough to look like one " * 100)

    with pytest.raises(CloudError) as caught:
        Store(path)

    assert caught.value.message == (
        f"the emulator's state in {path} cannot be used: file is not a database"
    )
    assert caught.value.hint == "free some space, or remove the file and bake again"


def test_lists_and_removals_search_and_do_not_scan(store: Store) -> None:
    asked: list[str] = []
    with store.writing() as session:
        session.sql.set_trace_callback(asked.append)
        session.list("kind", "/group/things/", after="/group/things/b", limit=3)
        session.count("kind", "/group/things/", "westeurope")
        session.remove("/group/things/a")
        session.has_due(100.0)
        session.sql.set_trace_callback(None)
        plans = [session.sql.execute(f"EXPLAIN QUERY PLAN {text}").fetchall() for text in asked]

    assert len(plans) > 6
    assert [row for plan in plans for row in plan if row[3].startswith("SCAN")] == []
