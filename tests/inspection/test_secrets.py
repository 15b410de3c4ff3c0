from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.inspection.secrets import LARGEST, SHAPES, find_secrets

PEM = "-----BEGIN {0}PRIVATE KEY-----\n" + ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 4 + "\n") * 3
SECRETS = {
    "shared access signature": [
        "https://x.blob.example/c?sv=2024-11-04&sp=r&sig=" + "aB%2F9" * 8 + "abcdefghi12%3D",
        "?sig=" + "a" * 43 + "=",
    ],
    "account key": [
        "AccountName=x;AccountKey=" + "aB3/" * 21 + "ab==;EndpointSuffix=core.example",
        "SharedAccessKey=" + "aB3/" * 10 + "abc=",
    ],
    "client secret": ["AZURE_CLIENT_SECRET=abc8Q~" + "aB.-_~9" * 4 + "aB3x5y"],
    "web token": ["eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + "aB-_" * 10],
    "private key": [
        PEM.format("") + "-----END PRIVATE KEY-----\n",
        PEM.format("RSA ") + "-----END RSA PRIVATE KEY-----\n",
        PEM.format("OPENSSH ") + "-----END OPENSSH PRIVATE KEY-----\n",
        '{"key": "'
        + (PEM.format("EC ") + "-----END EC PRIVATE KEY-----").replace("\n", "\\n")
        + '"}',
    ],
    "GitHub token": ["ghp_" + "aB3" * 12, "token: ghs_" + "aB3" * 12, "github_pat_" + "aB3_" * 16],
    "Azure DevOps token": ["aB3x" * 19 + "AZDOab12"],
    "registry token": [
        "//r.example/:_authToken=npm_" + "aB3" * 12,
        "pypi-AgEIcHlwaS5vcmc" + "aB3" * 20,
    ],
    "cloud access key": ["aws_access_key_id = AKIA" + "Q3EGWZ7X" * 2],
    "password in an address": ["https://ann:hunter2x@git.example/repo"],
}
INNOCENT = [
    "sig=short",
    "AccountKey=<your key>",
    "the prefix 8Q~ alone",
    "eyJhbGciOiJSUzI1NiJ9.not-a-token",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----\n" + "MIIE" * 40 + "\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n" + "MIIE" * 40 + "\n-----END PUBLIC KEY-----",
    "if header == '-----BEGIN RSA PRIVATE KEY-----': return True",
    "ghp_tooshort",
    "AKIAIOSFODNN7EXAMPLE",
    "https://user:password@proxy.example/",
    "https://user:${PASSWORD}@proxy.example/",
    "https://host.example:8443/@scope/package",
    "sha256 " + "0123456789abcdef" * 4,
]
PAIRS = [(kind, text) for kind, texts in SECRETS.items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), PAIRS, ids=[kind for kind, _ in PAIRS])
def test_a_secret_is_found_by_its_shape(kind: str, text: str) -> None:
    found = list(find_secrets("/x", b"first line\n" + text.encode()))

    assert [(leak.path, leak.line, leak.kind) for leak in found] == [("/x", 2, kind)]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_a_secret_is_none(text: str) -> None:
    assert list(find_secrets("/x", text.encode())) == []


def test_every_shape_is_tried() -> None:
    assert {shape.kind for shape in SHAPES} == set(SECRETS)


def test_a_secret_is_known_by_the_digest_of_itself_alone() -> None:
    token = "ghp_" + "aB3" * 12

    (leak,) = find_secrets("/x", f"TOKEN={token};\n".encode())

    assert leak.sha256 == hashlib.sha256(token.encode()).hexdigest()


def test_binary_and_large_content_is_not_searched() -> None:
    token = b"ghp_" + b"aB3" * 12

    assert list(find_secrets("/x", b"\0" + token)) == []
    assert list(find_secrets("/x", token + b" " * LARGEST)) == []


@given(st.binary(max_size=400))
def test_no_content_breaks_the_search(content: bytes) -> None:
    list(find_secrets("/x", content))


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN PRIVATE KEY-----" * 30_000,
        (b"-----BEGIN PRIVATE KEY-----" + b"A" * 100) * 8_000,
        b"-----BEGIN PRIVATE KEY-----" + b"A" * 900_000,
        b"://" * 300_000,
        b"eyJ" + b"a" * 1_000_000,
        b"sig=" * 250_000,
        b"Q~" * 500_000,
        b"a" * 500_000 + b"AZDO" + b"a" * 400_000,
    ],
    ids=["pem", "pems", "long-pem", "address", "token", "signature", "client", "devops"],
)
@pytest.mark.timeout(20)
def test_hostile_content_takes_no_longer_than_its_size(content: bytes) -> None:
    assert list(find_secrets("/x", content)) == []
