from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from imagebake.cloud.identity import CachedCredential, LoopbackCredential, azure_credential
from imagebake.errors import CloudError
from tests.cloud.conftest import Time
from tests.support.cloud import quick


@dataclass
class TokenService:
    """Gives tokens that live an hour, and is down when it is told to be."""

    time: Time
    down: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        del options
        self.asked.append(scopes)
        if self.down:
            raise ClientAuthenticationError("down")
        return AccessToken(f"token {len(self.asked)}", int(self.time.now) + 3600)


def test_a_token_is_fetched_once_and_refreshed_before_it_ends(time: Time) -> None:
    service = TokenService(time)
    credential = CachedCredential(service, time.clock)

    first = [credential.get_token("a").token for _ in range(3)]
    time.now = 3001.0
    later = credential.get_token("a").token

    assert first == ["token 1"] * 3
    assert later == "token 2"


def test_every_scope_has_its_own_token(time: Time) -> None:
    credential = CachedCredential(TokenService(time), time.clock)

    assert credential.get_token("a") != credential.get_token("b")


def test_a_good_token_outlives_the_token_service(time: Time) -> None:
    service = TokenService(time)
    credential = CachedCredential(service, time.clock)
    credential.get_token("a")
    service.down = True

    time.now = 3599.0
    assert credential.get_token("a").token == "token 1"  # noqa: S105
    time.now = 3601.0
    with pytest.raises(ClientAuthenticationError):
        credential.get_token("a")


def test_a_challenge_asks_anew(time: Time) -> None:
    credential = CachedCredential(TokenService(time), time.clock)
    credential.get_token("a")

    assert credential.get_token("a", claims="revoked").token == "token 2"  # noqa: S105


def test_many_threads_ask_the_token_service_once(time: Time) -> None:
    service = TokenService(time)
    credential = CachedCredential(service, time.clock)
    threads = [threading.Thread(target=credential.get_token, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert service.asked == [("a",)]


def test_the_loopback_token_never_expires() -> None:
    assert LoopbackCredential().get_token("any").expires_on > 2**32


def test_an_unknown_kind_of_credential_is_refused(time: Time) -> None:
    with pytest.raises(CloudError) as caught:
        azure_credential({"AZURE_TOKEN_CREDENTIALS": "dev"}, time.clock, quick())

    assert caught.value.message == "AZURE_TOKEN_CREDENTIALS is 'dev'"
    assert caught.value.hint == "it is 'AzureCliCredential' or 'ManagedIdentityCredential'"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, "AzureCliCredential"),
        ({"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}, "ManagedIdentityCredential"),
        (
            {
                "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.test/?a=1",
                "AZURE_TENANT_ID": "00000000-0000-0000-0000-000000000001",
                "AZURE_CLIENT_ID": "00000000-0000-0000-0000-000000000002",
            },
            "ClientAssertionCredential",
        ),
    ],
)
def test_the_environment_decides_who_we_are(
    environment: dict[str, str], kind: str, time: Time
) -> None:
    credential = azure_credential(environment, time.clock, quick())

    assert isinstance(credential, CachedCredential)
    assert type(credential.inner).__name__ == kind
