"""The SDK's real credentials, against an emulator with a scripted token endpoint."""

from __future__ import annotations

import datetime as dt
import json
import time as clocks
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from werkzeug.wrappers import Request, Response

from imagebake.azure.client.error_text import NoToken, refusal
from imagebake.azure.client.errors import OutcomeUnknown
from imagebake.azure.client.identity import LoopbackCredential, azure_credential
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.client.tokens import CachedCredential
from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import CloudError
from tests.azure.conftest import Time
from tests.support.bake_services import quick
from tests.support.faulty_network import Network, Way, late
from tests.support.in_process import InProcess

TENANT = "00000000-0000-0000-0000-000000000001"
CLIENT = "00000000-0000-0000-0000-000000000002"
WHO = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
GITHUB = {
    **WHO,
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://github.example/token?version=2",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "r3quest",
}
SECRET = {**WHO, "AZURE_CLIENT_SECRET": "s3cret"}
NAMED = (
    "AzureCliCredential",
    "EnvironmentCredential",
    "ManagedIdentityCredential",
    "WorkloadIdentityCredential",
)
LACKING = (
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH",
)
TOKENS = "*/oauth2/v2.0/token"


@dataclass(slots=True)
class Place:
    """Where tokens are had: the emulator's endpoint, and GitHub's."""

    emulator: Emulator
    time: Time
    patience: RetryClock
    network: Network
    assertions: list[str] = field(default_factory=list)
    ahead: float = 0.0
    github_says: tuple[int, str] | None = None

    def github(self, request: Request) -> Response:
        assert request.headers["Authorization"] == "bearer r3quest"
        assert request.args["audience"] == "api://AzureADTokenExchange"
        self.assertions.append(f"assertion {len(self.assertions)}")
        status, text = self.github_says or (200, json.dumps({"value": self.assertions[-1]}))
        return Response(text, status, content_type="application/json")

    def credential(self, environment: dict[str, str]) -> CachedCredential:
        session = self.network.session()
        session.mount("https://github.example", InProcess(self.github))
        return azure_credential(
            {**environment, "AZURE_AUTHORITY_HOST": self.emulator.url},
            lambda: clocks.time() + self.ahead,
            self.patience,
            transport=_Shared(session, self.time),
            disable_instance_discovery=True,
        )


class _Shared(RequestsTransport):  # type: ignore[misc] # azure-core exports it lazily
    def __init__(self, session: requests.Session, time: Time) -> None:
        super().__init__(session=session, session_owner=False)
        self._time = time

    def sleep(self, duration: float) -> None:
        self._time.sleep(duration)


@pytest.fixture
def place(emulator: Emulator, time: Time, patience: RetryClock) -> Place:
    emulator.pace = Pace(token=3600.0)
    return Place(emulator, time, patience, Network(emulator.respond, time.sleep))


def a_certificate(folder: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "demo.example")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    pem = serialization.Encoding.PEM
    text = made.sign(key, hashes.SHA256()).public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "client.pem"
    path.write_bytes(text)
    return path


@pytest.mark.parametrize("kind", ["github", "workload", "secret", "certificate"])
def test_every_identity_gets_a_token(place: Place, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "service-account"
    file.write_text("assertion\n")
    environment = {
        "github": GITHUB,
        "workload": {**WHO, "AZURE_FEDERATED_TOKEN_FILE": str(file)},
        "secret": SECRET,
        "certificate": {**WHO, "AZURE_CLIENT_CERTIFICATE_PATH": str(a_certificate(tmp_path))},
    }[kind]

    token = place.credential(environment).get_token("https://x.test/.default")

    assert token.token.endswith(".unsigned")
    assert token.expires_on == pytest.approx(clocks.time() + 3600, abs=5)


def test_every_refresh_shows_a_new_assertion(place: Place) -> None:
    credential = place.credential(GITHUB)
    credential.get_token("a")

    place.ahead = 3500.0
    credential.get_token("a")

    assert place.assertions == ["assertion 0", "assertion 1"]
    assert len(place.network.seen) == 2


def test_a_workloads_file_is_read_anew(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "token"
    credential = place.credential({**WHO, "AZURE_FEDERATED_TOKEN_FILE": str(file)})
    with pytest.raises(NoToken) as caught:
        credential.get_token("a")
    file.write_text("there now")

    assert "No such file" in caught.value.message
    assert not caught.value.passing
    assert credential.get_token("a").token


@pytest.mark.parametrize("environment", [GITHUB, SECRET], ids=["github", "secret"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_endpoint_that_is_busy_is_asked_again(
    place: Place, environment: dict[str, str], status: int
) -> None:
    struck = place.emulator.fail("POST", TOKENS, status=status, code="server_busy", times=3)

    assert place.credential(environment).get_token("a").token
    assert struck.hits == 3
    assert sum(place.time.rests) == pytest.approx(1.0 + 2.0 + 4.0)


def test_a_wait_that_the_endpoint_asks_for_is_waited(place: Place) -> None:
    place.emulator.fail("POST", TOKENS, status=429, headers={"Retry-After": "17"})

    place.credential(GITHUB).get_token("a")

    assert place.time.rests == [18.0]


def test_a_token_endpoint_that_hangs_is_left_after_seconds(place: Place) -> None:
    hangs = late(60.0, patience=20.0)

    def twice(number: int) -> Way | None:
        return hangs if number < 2 else None

    place.network.way = twice

    assert place.credential(GITHUB).get_token("a").token
    assert sum(place.time.rests) < 60


def test_who_is_refused_is_not_asked_again_and_told_why(place: Place) -> None:
    message = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1\r\nCorrelation ID: 2"
    struck = place.emulator.fail(
        "POST", TOKENS, status=401, code="invalid_client", message=message, times=9
    )

    with pytest.raises(NoToken) as caught:
        place.credential(SECRET).get_token("a")
    error = refusal(caught.value, "bake")

    assert struck.hits == 1
    assert type(error) is CloudError
    assert error.message == (
        "cannot bake: could not get a token: Authentication failed:"
        " AADSTS7000215: Invalid client secret provided"
    )
    assert error.hint == (
        "has the secret or certificate expired? "
        "identities without are better: docs/concepts/identity.md"
    )


def test_a_token_endpoint_that_is_down_is_left_alone_after_a_while(place: Place) -> None:
    struck = place.emulator.fail("POST", TOKENS, status=503, code="server_busy", times=999)
    credential = place.credential(SECRET)

    for _ in range(6):
        with pytest.raises(NoToken) as caught:
            credential.get_token("a")
        place.time.now += 5

    assert isinstance(refusal(caught.value, "bake"), OutcomeUnknown)
    assert caught.value.hint == "the token service may be down; nothing is lost, try again later"
    assert struck.hits < 30


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((403, "no"), "it answers with status 403"),
        ((200, "[]"), "there is none in its answer"),
        ((200, "<html>"), "there is none in its answer"),
    ],
)
def test_a_job_that_may_not_ask_github_is_told_what_it_lacks(
    place: Place, answer: tuple[int, str], why: str
) -> None:
    place.github_says = answer

    with pytest.raises(NoToken) as caught:
        place.credential(GITHUB).get_token("a")

    assert caught.value.message == f"GitHub gives no identity token: {why}"
    assert caught.value.hint == "does the job have permissions: id-token: write?"


def test_the_loopback_token_never_expires() -> None:
    assert LoopbackCredential().get_token("any").expires_on > 2**32


@pytest.mark.parametrize(
    ("environment", "message", "hint"),
    [
        (
            {"AZURE_TOKEN_CREDENTIALS": "dev"},
            "AZURE_TOKEN_CREDENTIALS is 'dev'",
            f"it is one of {', '.join(NAMED)}",
        ),
        (
            {"AZURE_CLIENT_SECRET": "x", "AZURE_CLIENT_ID": CLIENT},
            "EnvironmentCredential needs AZURE_TENANT_ID",
            "set it in the environment, or name another in AZURE_TOKEN_CREDENTIALS",
        ),
        (
            {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"},
            f"EnvironmentCredential needs {', '.join(LACKING)}",
            "set it in the environment, or name another in AZURE_TOKEN_CREDENTIALS",
        ),
    ],
)
def test_an_identity_that_cannot_be_is_refused_at_once(
    environment: dict[str, str], message: str, hint: str, time: Time
) -> None:
    with pytest.raises(CloudError) as caught:
        azure_credential(environment, time.clock, quick())

    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, "AzureCliCredential"),
        ({**GITHUB, "AZURE_CLIENT_ID": ""}, "AzureCliCredential"),
        (GITHUB, "ClientAssertionCredential"),
        ({**WHO, "AZURE_FEDERATED_TOKEN_FILE": "/f"}, "ClientAssertionCredential"),
        (SECRET, "ClientSecretCredential"),
        (
            {**GITHUB, "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"},
            "ManagedIdentityCredential",
        ),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_the_environment_decides_who_we_are(
    environment: dict[str, str], kind: str, time: Time
) -> None:
    credential = azure_credential(environment, time.clock, quick(), disable_instance_discovery=True)

    made = credential.source.make(list)  # type: ignore[attr-defined] # it is a TokenSource
    made.close()

    assert type(made).__name__ == kind
