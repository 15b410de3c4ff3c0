"""The encrypted documents, opened by the commands that the agent opens them with."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from imagebake.lab.fabric.certificates import Tenant, make_tenant
from tests.lab.fabric.conftest import NOW


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    return make_tenant(NOW)


@pytest.fixture
def transport(tmp_path: Path) -> str:
    """A transport certificate made as the agent makes it; its header's value."""
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=LinuxTransport", "-days", "730",
         "-newkey", "rsa:2048", "-keyout", tmp_path / "prv.pem", "-out", tmp_path / "crt.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    lines = (tmp_path / "crt.pem").read_text().splitlines()
    return "".join(line for line in lines if not line.startswith("-----"))


def delivered(tenant: Tenant, transport: str, folder: Path) -> Path:
    """What the agent makes of the certificates document: the tenant's key as PEM."""
    message = folder / "Certificates.p7m"
    message.write_text(
        "MIME-Version:1.0\nContent-Disposition: attachment\n"
        "Content-Type: application/x-pkcs7-mime\nContent-Transfer-Encoding: base64\n\n"
        + tenant.delivered(transport)
    )
    bundle = subprocess.run(
        ["openssl", "cms", "-decrypt", "-in", message, "-inkey", folder / "prv.pem",
         "-recip", folder / "crt.pem"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    subprocess.run(
        ["openssl", "pkcs12", "-nodes", "-password", "pass:", "-out", folder / "all.pem"],
        input=bundle, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "all.pem"


def test_the_tenants_key_reaches_the_machine_and_opens_its_settings(
    tenant: Tenant, transport: str, tmp_path: Path
) -> None:
    key = delivered(tenant, transport, tmp_path)

    opened = subprocess.run(
        ["openssl", "cms", "-decrypt", "-inform", "DER", "-inkey", key],
        input=base64.b64decode(tenant.sealed({"password": "hush"})),
        check=True, capture_output=True,
    ).stdout  # fmt: skip

    assert json.loads(opened) == {"password": "hush"}


def test_the_thumbprint_is_the_one_openssl_prints(
    tenant: Tenant, transport: str, tmp_path: Path
) -> None:
    key = delivered(tenant, transport, tmp_path)

    output = subprocess.run(
        ["openssl", "x509", "-in", key, "-fingerprint", "-noout"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert output.strip().split("=")[1].replace(":", "") == tenant.thumbprint


def test_nothing_secret_is_readable_without_the_key(tenant: Tenant, transport: str) -> None:
    sealed = tenant.sealed({"password": "hush"})

    assert b"hush" not in base64.b64decode(sealed)
    assert b"PRIVATE" not in base64.b64decode(tenant.delivered(transport))


def test_what_is_no_certificate_gets_no_key(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match=r"."):
        tenant.delivered("bm90IGEgY2VydGlmaWNhdGU=")
