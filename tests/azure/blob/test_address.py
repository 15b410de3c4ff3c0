"""The mirror's address is a container of Blob storage, and nothing more."""

from __future__ import annotations

import pytest

from imagebake.azure.blob.address import mirror_address
from imagebake.kernel.errors import UsageError

HINT = "it is https://ACCOUNT.blob.core.windows.net/CONTAINER"


@pytest.mark.parametrize(
    ("text", "account", "container"),
    [
        ("https://acme.blob.core.windows.net/mirror", "acme", "mirror"),
        ("https://acme.blob.core.windows.net/mirror/", "acme", "mirror"),
        ("https://acme.z12.blob.storage.azure.net/my-mirror", "acme", "my-mirror"),
        ("https://acme.blob.core.usgovcloudapi.net/mirror", "acme", "mirror"),
        ("https://127.0.0.1:10000/devstoreaccount1/mirror", "devstoreaccount1", "mirror"),
    ],
)
def test_an_address_tells_its_account_and_its_container(
    text: str, account: str, container: str
) -> None:
    address = mirror_address(text)

    assert (address.account, address.container) == (account, container)
    assert not address.url.endswith("/")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://acme.blob.core.windows.net/mirror", "is not an https address"),
        ("file:///run/imagebake/mirror", "is not an https address"),
        ("https://acme.blob.core.windows.net/mirror?sig=secret", "has more than an address"),
        ("https://user:secret@acme.blob.core.windows.net/mirror", "has more than an address"),
        ("https://mirror.example/mirror", "names 'mirror.example', which is not Blob storage"),
        ("https://acme.blob.core.windows.net", "does not end with the name of a container"),
        ("https://acme.blob.core.windows.net/a/b", "does not end with the name of a container"),
        ("https://acme.blob.core.windows.net/No_Name", "does not end with the name of a"),
        ("https://acme.blob.core.windows.net:port/mirror", "is not an address"),
        ("https://127.0.0.1/mirror", "does not end with the name of a container"),
    ],
)
def test_what_is_no_address_of_a_mirror_gets_no_token(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        mirror_address(text)

    assert why in refused.value.message
    assert "secret" not in refused.value.message
    assert refused.value.hint == HINT


def test_a_mirror_that_nobody_named_is_asked_for() -> None:
    with pytest.raises(UsageError, match="no mirror is named"):
        mirror_address("")
