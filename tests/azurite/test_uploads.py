"""A container is filled side by side, once, and never over what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from imagebake.azure.blob.containers import BlobContainer, BlobDigests
from imagebake.azure.blob.uploads import Upload, UploadItem, blocks_of
from imagebake.kernel.errors import ArtifactError, CloudError
from tests.support.bake_services import Tape
from tests.support.storage_relay import Relay

pytestmark = pytest.mark.azurite

Make = Callable[..., UploadItem]
Connect = Callable[..., BlobContainer]
BLOCK = 1000


def upload(container: BlobContainer, *parcels: UploadItem) -> Upload:
    made = Upload(container=container, step=Tape(), block=BLOCK)
    made.fill(made.missing(parcels))
    return made


def read(container: BlobContainer, name: str) -> bytes:
    return b"".join(container.pieces(name))


def content(parcel: UploadItem) -> bytes:
    assert not isinstance(parcel.content, bytes)
    return parcel.content.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 3500])
def test_what_arrives_is_what_was_sent(container: BlobContainer, parcel: Make, size: int) -> None:
    sent = parcel("a/file", size)

    done = upload(container, sent)

    assert read(container, "a/file") == content(sent)
    assert done.sent == size
    assert container.listed()["a/file"].sha256 == sent.sha256
    assert container.listed()["a/file"].md5 is not None


def test_what_is_there_is_not_sent_again(container: BlobContainer, parcel: Make) -> None:
    parcels = [parcel("a/small"), parcel("a/large", 3500)]
    upload(container, *parcels)

    again = upload(container, *parcels)

    assert (again.sent, again.wrong) == (0, {})


def test_something_else_is_named_and_never_overwritten(
    container: BlobContainer, parcel: Make
) -> None:
    names = ("a/small", "a/large")
    upload(container, parcel("a/small", seed="other"), parcel("a/large", 3500, seed="other"))
    before = [read(container, name) for name in names]

    done = upload(container, parcel("a/small"), parcel("a/large", 3500))

    assert set(done.wrong) == set(names)
    assert all("has the sha256" in why for why in done.wrong.values())
    assert [read(container, name) for name in names] == before


def test_what_says_nothing_of_itself_is_not_trusted(container: BlobContainer, parcel: Make) -> None:
    sent = parcel("a/file")
    container.client.upload_blob("a/file", content(sent))

    done = upload(container, sent)

    assert done.wrong == {"a/file": "does not say what it is: it was not we who wrote it"}


def test_a_lie_about_the_digest_is_found_by_the_services_own(
    container: BlobContainer, parcel: Make
) -> None:
    sent = parcel("a/file")
    container.client.upload_blob("a/file", b"x" * 1000, metadata={"sha256": sent.sha256})

    done = upload(container, sent)

    assert "has the md5" in done.wrong["a/file"]


def test_a_wrong_file_here_is_not_sent(container: BlobContainer, parcel: Make) -> None:
    for size in (1000, 3500):
        sent = parcel("a/file", size)
        assert not isinstance(sent.content, bytes)
        sent.content.write_bytes(b"y" * size)

        with pytest.raises(ArtifactError, match="not what its name says"):
            upload(container, sent)

    assert container.listed() == {}


def test_an_upload_goes_on_where_another_was_cut(container: BlobContainer, parcel: Make) -> None:
    sent = parcel("a/large", 3500)
    first, second, *_ = blocks_of(sent, BLOCK)
    for block in (first, second):
        at = slice(block.offset, block.offset + block.size)
        container.put_block(sent.name, block.id, content(sent)[at])
    assert container.listed() == {}

    done = upload(container, sent)

    assert done.sent == 1500
    assert read(container, "a/large") == content(sent)


def test_blocks_that_are_all_there_only_need_to_be_joined(
    container: BlobContainer, parcel: Make
) -> None:
    sent = parcel("a/large", 2000)
    for block in blocks_of(sent, BLOCK):
        at = slice(block.offset, block.offset + block.size)
        container.put_block(sent.name, block.id, content(sent)[at])

    done = upload(container, sent)

    assert done.sent == 0
    assert read(container, "a/large") == content(sent)


def test_who_comes_second_finds_the_same_and_is_content(
    container: BlobContainer, parcel: Make
) -> None:
    parcels = [parcel("a/small"), parcel("a/large", 3500)]
    slow = Upload(container=container, step=Tape(), block=BLOCK)
    missing = slow.missing(parcels)
    upload(container, *parcels)

    slow.fill(missing)

    assert slow.wrong == {}
    assert read(container, "a/large") == content(parcels[1])


def test_who_comes_second_with_something_else_hears_of_it(
    container: BlobContainer, parcel: Make
) -> None:
    slow = Upload(container=container, step=Tape(), block=BLOCK)
    missing = slow.missing([parcel("a/small"), parcel("a/large", 3500)])
    upload(container, parcel("a/small", seed="b"), parcel("a/large", 3500, seed="b"))

    slow.fill(missing)

    assert set(slow.wrong) == {"a/small", "a/large"}


def test_nothing_is_created_twice(container: BlobContainer) -> None:
    stamp = BlobDigests("0" * 64, hashlib.md5(b"second", usedforsecurity=False).digest())
    container.client.upload_blob("a/file", b"first")

    assert container.create("a/file", b"second", stamp) is False
    assert read(container, "a/file") == b"first"


REQUESTS = ("comp=list", "PUT .*a/small", "comp=block&", "comp=blocklist")


@pytest.mark.parametrize("kind", ["status", "drop", "lose"])
def test_every_kind_of_request_may_fail_once(
    connect: Connect, relay: Relay, parcel: Make, kind: str
) -> None:
    parcels = [parcel("a/small"), parcel("a/large", 2500)]
    with connect(through=relay.url) as container:
        for pattern in REQUESTS:
            relay.fail(pattern, kind)

        done = upload(container, *parcels)

        assert [fault.times for fault in relay.faults] == [0] * len(REQUESTS)
        assert done.wrong == {}
        for one in parcels:
            assert read(container, one.name) == content(one)


def test_a_cut_answer_is_read_again(connect: Connect, relay: Relay, parcel: Make) -> None:
    sent = parcel("a/file", 1000)
    with connect(through=relay.url) as container:
        upload(container, sent)
        relay.fail("GET .*a/file", "truncate")

        assert read(container, "a/file") == content(sent)


def test_storage_that_stays_away_is_one_clear_message(
    connect: Connect, relay: Relay, parcel: Make
) -> None:
    with connect(through=relay.url) as container:
        relay.fail("PUT .*a/file", "status", times=100)

        with pytest.raises(
            CloudError, match=r"cannot write a/file at https://.*: ServerBusy"
        ) as no:
            upload(container, parcel("a/file"))

    assert no.value.hint
    assert "skipped" in no.value.hint


def test_storage_that_is_gone_for_a_moment_stops_nobody(
    connect: Connect, relay: Relay, parcel: Make
) -> None:
    parcels = [parcel(f"a/{number}") for number in range(16)]
    with connect(through=relay.url) as container:
        relay.fail("PUT", "drop", times=24)

        done = upload(container, *parcels)

        assert done.sent == 16 * 1000
        assert relay.faults[0].times == 0
