"""The mirror in the cloud is filled, refuses to be changed, and is read again."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

import pytest

from imagebake.azure.blob.containers import BlobContainer
from imagebake.azure.blob.uploads import merged
from imagebake.build.workspace_bake import push_artifacts
from imagebake.kernel.errors import ArtifactError, CloudError
from imagebake.mirror import remote
from tests.azurite.conftest import Stock
from tests.support.azurite import ACCOUNT, Azurite
from tests.support.bake_services import Tape
from tests.support.plans import a_plan
from tests.support.storage_relay import Relay

pytestmark = pytest.mark.azurite

Connect = Callable[..., BlobContainer]
Fill = Callable[..., Stock]


def push(stock: Stock, container: BlobContainer) -> remote.PushResult:
    return remote.push(stock.upload_plan, container=container, progress=Tape())


def inspect(container: BlobContainer) -> remote.RemoteMirrorCheck:
    return remote.inspect(container, progress=Tape())


def name_of(stock: Stock, end: str) -> str:
    return next(one.name for one in stock.upload_plan.items if one.name.endswith(end))


def test_a_pushed_mirror_is_whole_and_closed(container: BlobContainer, stock: Fill) -> None:
    filled = stock()

    done = push(filled, container)

    assert done.new == done.files == len(container.listed()) == 6
    found = inspect(container)
    assert found.is_good
    assert (found.checked, found.unfinished, found.foreign) == (6, (), ())


def test_a_base_is_not_pushed_because_the_marketplace_has_it(stock: Fill) -> None:
    assert not [one for one in stock().upload_plan.items if "base-files" in one.name]


def test_a_second_push_sends_nothing(container: BlobContainer, stock: Fill) -> None:
    filled = stock()
    push(filled, container)

    again = push(filled, container)

    assert (again.new, again.sent) == (0, 0)


def test_what_two_images_share_is_pushed_once(stock: Fill) -> None:
    shipment = stock().upload_plan

    assert merged([shipment, shipment]) == shipment


def test_indexes_come_last_so_nobody_reads_half_a_bundle(
    connect: Connect, relay: Relay, stock: Fill
) -> None:
    filled = stock()
    with connect(through=relay.url) as container:
        push(filled, container)

    order = [one for one in relay.asked if one.startswith("PUT")]
    assert [one.endswith("/index") for one in order] == [False] * 4 + [True] * 2


def test_a_push_that_breaks_leaves_no_index_and_is_taken_up_again(
    connect: Connect, relay: Relay, stock: Fill
) -> None:
    filled = stock()
    with connect(through=relay.url) as container:
        relay.fail("PUT .*jq", "status", times=6)

        with pytest.raises(CloudError, match="ServerBusy"):
            push(filled, container)

        assert not [name for name in container.listed() if name.endswith("index")]
        unfinished = inspect(container)
        assert unfinished.is_good
        assert unfinished.unfinished
        push(filled, container)
        assert inspect(container).unfinished == ()


def test_who_may_not_write_hears_what_is_missing(
    connect: Connect, relay: Relay, stock: Fill
) -> None:
    with connect(through=relay.url) as container:
        relay.fail("PUT", "status", number=403, code="AuthorizationPermissionMismatch", times=9)

        with pytest.raises(CloudError, match="the mirror lacks:\n  bundles/") as refused:
            push(stock(), container)

    assert "/index\n" in refused.value.message
    assert refused.value.hint
    assert "Storage Blob Data Contributor" in refused.value.hint


def test_who_may_only_read_bakes_from_what_is_there(
    connect: Connect, relay: Relay, stock: Fill
) -> None:
    filled = stock()
    with connect() as container:
        push(filled, container)
        with connect(container.address.url, through=relay.url) as reader:
            relay.fail("PUT", "status", number=403, code="AuthorizationPermissionMismatch")

            assert push(filled, reader).new == 0


def test_a_mirror_that_is_not_there_is_named_with_the_way_to_make_it(
    connect: Connect, stock: Fill, storage: object
) -> None:
    with connect() as container:
        container.client.delete_container()

        with pytest.raises(CloudError, match="ContainerNotFound") as refused:
            push(stock(), container)

    assert refused.value.hint == "create it, private: ./inv bootstrap --apply"


def test_two_pushes_at_once_agree(connect: Connect, stock: Fill) -> None:
    filled = stock()
    shipment = filled.upload_plan
    with connect() as first, connect(first.address.url) as second:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            done = list(
                pool.map(
                    lambda one: remote.push(shipment, container=one, progress=Tape()),
                    [first, second],
                )
            )

        assert [one.files for one in done] == [6, 6]
        assert inspect(first).is_good


def test_something_else_stops_a_push_before_it_sends(container: BlobContainer, stock: Fill) -> None:
    filled = stock()
    name = name_of(filled, "jq_1.6-2.1+deb12u1_amd64.deb")
    container.client.upload_blob(name, b"not jq")

    with pytest.raises(ArtifactError, match="has something else") as refused:
        push(filled, container)

    assert name in refused.value.message
    assert list(container.listed()) == [name]


def test_a_list_of_packages_may_say_the_same_in_other_words(
    container: BlobContainer, stock: Fill
) -> None:
    filled = stock()
    push(filled, container)
    name = name_of(filled, "/Packages")
    content = b"".join(container.pieces(name))
    container.client.upload_blob(name, b"X-Made-By: another\n" + content, overwrite=True)

    assert push(filled, container).new == 0
    container.client.upload_blob(name, content.replace(b"SHA256: ", b"SHA256: 0"), overwrite=True)
    with pytest.raises(ArtifactError, match="Packages"):
        push(filled, container)


def test_an_inspection_names_what_is_wrong_missing_and_foreign(
    container: BlobContainer, stock: Fill
) -> None:
    filled = stock()
    push(filled, container)
    wrong, gone = (
        name_of(filled, "jq_1.6-2.1+deb12u1_amd64.deb"),
        name_of(filled, "waagent_2.7.3.0-4.1_amd64.deb"),
    )
    size = container.listed()[wrong].size
    listing = name_of(filled, "/Packages")
    container.client.upload_blob(wrong, b"x" * size, overwrite=True)
    container.client.delete_blob(gone)
    container.client.upload_blob(listing, b"Package: evil\n", overwrite=True)
    container.client.upload_blob("readme.txt", b"hello")

    found = inspect(container)

    assert set(found.wrong) == {wrong, listing}
    assert found.missing == (gone,)
    assert found.foreign == ("readme.txt",)
    assert not found.is_good


def test_a_changed_index_is_wrong_and_promises_nothing(
    container: BlobContainer, stock: Fill
) -> None:
    filled = stock()
    push(filled, container)
    name = name_of(filled, "/index")
    container.client.upload_blob(name, b"nonsense", overwrite=True)

    found = inspect(container)

    assert list(found.wrong) == [name]
    assert found.missing == ()


def test_whoever_opens_the_mirror_to_everybody_is_found_out(connect: Connect, stock: Fill) -> None:
    with connect(public="container") as container:
        push(stock(), container)

        found = inspect(container)

    assert found.open
    assert "" in found.open
    assert not found.is_good


def test_withdrawn_public_access_cannot_hurt_it(
    connect: Connect, stock: Fill, storage: Azurite
) -> None:
    filled = stock()
    with connect(public="container") as container:
        push(filled, container)

        _withdraw(container, storage)

        assert container.anonymously_readable([name_of(filled, "/index")]) == ()
        assert inspect(container).is_good
        assert push(filled, container).new == 0


def _withdraw(container: BlobContainer, storage: Azurite) -> None:
    """What an owner, or a job of theirs, does to every account at once."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - as the code it tests

    with ContainerClient.from_container_url(
        container.address.url,
        credential={"account_name": ACCOUNT, "account_key": storage.key},
        connection_verify=str(storage.ca),
    ) as owner:
        owner.set_container_access_policy({}, public_access=None)


def test_a_bake_in_azure_ships_what_its_build_fetches_and_one_here_does_not(
    connect: Connect, stock: Fill
) -> None:
    filled = stock()
    plan = a_plan(filled.spec, filled.lock)
    with connect() as container:
        for mirror in (None, lambda: connect(container.address.url)):
            assert container.listed() == {}
            push_artifacts(mirror, filled.mirror, Tape(), plan)

        assert container.listed().keys() == {one.name for one in filled.upload_plan.items}
