"""The loopback certificate is strict enough for every client, reused and renewed."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from pathlib import Path

import pytest

from imagebake.emulator.certificate import Certificate, loopback_certificate

NOW = dt.datetime.now(dt.UTC)


def _shake(certificate: Certificate, name: str) -> None:
    """Perform a handshake with the checks that Python 3.13 makes by default."""
    client = ssl.create_default_context(cafile=str(certificate.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    here, there = socket.socketpair()

    def serve() -> None:
        with certificate.context().wrap_socket(there, server_side=True) as server:
            server.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(here, server_hostname=name) as connection:
        connection.send(b"x")
    thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strict_client_accepts_it(tmp_path: Path, name: str) -> None:
    _shake(loopback_certificate(tmp_path, NOW), name)


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    certificate = loopback_certificate(tmp_path, NOW)

    assert certificate.server.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in certificate.ca.read_bytes()


def test_it_is_made_once(tmp_path: Path) -> None:
    first = loopback_certificate(tmp_path, NOW).server.read_bytes()

    assert loopback_certificate(tmp_path, NOW + dt.timedelta(days=300)).server.read_bytes() == first


@pytest.mark.parametrize("days", [340, 400, -10])
def test_it_is_renewed_when_its_time_is_up_or_has_not_come(tmp_path: Path, days: int) -> None:
    first = loopback_certificate(tmp_path, NOW).server.read_bytes()

    then = NOW + dt.timedelta(days=days)

    assert loopback_certificate(tmp_path, then).server.read_bytes() != first


@pytest.mark.parametrize("damage", ["truncate", "foreign", "remove"])
def test_a_damaged_one_is_replaced(tmp_path: Path, damage: str) -> None:
    certificate = loopback_certificate(tmp_path, NOW)
    if damage == "truncate":
        certificate.server.write_bytes(certificate.server.read_bytes()[:100])
    elif damage == "foreign":
        other = loopback_certificate(tmp_path / "other", NOW)
        certificate.ca.write_bytes(other.ca.read_bytes())
    else:
        certificate.ca.unlink()

    _shake(loopback_certificate(tmp_path, NOW), "localhost")


def test_two_that_start_together_agree(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    found: list[bytes] = []

    def start() -> None:
        barrier.wait()
        found.append(loopback_certificate(tmp_path, NOW).server.read_bytes())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
