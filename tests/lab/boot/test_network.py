"""The book that a network keeps: everything is counted, named, and nothing is let out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.ledger import DNS, OTHER, LedgerEntry, RequestKind
from tests.lab.boot.conftest import NOW, a_machine

pytestmark = pytest.mark.root

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)"
SEND = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s"
    ".sendto(b'x', (sys.argv[1], 123)); sys.stdin.read()"
)
QUESTION = "12340100000100000000000005706c616e74076578616d706c650000010001"


def program(network: VmNetwork, code: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = ["nsenter", f"--net={network.vm.path}", sys.executable, "-c", code, *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(network: VmNetwork, code: str, *arguments: str) -> bytes:
    with program(network, code, *arguments) as running:
        return running.communicate()[0]


def only(entries: tuple[LedgerEntry, ...]) -> LedgerEntry:
    assert len(entries) == 1, entries
    return entries[0]


def test_a_network_that_nobody_uses_stays_clean(network: VmNetwork) -> None:
    assert network.ledger().clean


def test_a_name_that_is_asked_for_is_written_down_with_its_asker(network: VmNetwork) -> None:
    ask = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        f"s.sendto(bytes.fromhex('{QUESTION}'), ('168.63.129.16', 53)); print(s.recv(512).hex())"
    )

    answer = run(network, ask)

    ledger = network.ledger()
    entry = only(ledger.entries)
    assert (entry.kind, entry.host, entry.answer) == (
        RequestKind.DNS,
        "plant.example",
        "198.51.100.1",
    )
    assert "plant" not in entry.unit
    assert sys.executable in entry.process
    assert ledger.counters[DNS] == 1
    assert answer.strip().endswith(b"c6336401")


def test_a_question_by_tcp_is_refused_and_written_down(network: VmNetwork) -> None:
    ask = (
        "import socket; s = socket.create_connection(('168.63.129.16', 53));"
        f"q = bytes.fromhex('{QUESTION}'); s.sendall(len(q).to_bytes(2, 'big') + q);"
        "print(s.recv(512)[5] & 15)"
    )

    assert run(network, ask).strip() == b"5"
    assert only(network.ledger().entries).answer == "refused"


def test_a_question_that_cannot_be_read_is_refused(network: VmNetwork) -> None:
    ask = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.sendto(b'abc', ('168.63.129.16', 53)); print(s.recv(512)[3] & 15)"
    )

    assert run(network, ask).strip() == b"5"


def test_a_request_to_an_address_is_heard_with_its_path(network: VmNetwork) -> None:
    get = (
        "import socket; s = socket.create_connection(('192.0.2.7', 80));"
        "s.sendall(b'GET /agent.deb?token=hush HTTP/1.1\\r\\nHost: packages.example\\r\\n\\r\\n');"
        "s.recv(1)"
    )

    run(network, get)

    ledger = network.ledger()
    entry = only(ledger.entries)
    assert (entry.kind, entry.host, entry.port) == (RequestKind.HTTP, "packages.example", 80)
    assert (entry.path, entry.answer) == ("/agent.deb", "reset")
    assert sys.executable in entry.process
    assert [(one.address, one.port) for one in ledger.destinations] == [("192.0.2.7", 80)]


@pytest.mark.parametrize("address", ["198.51.100.200", "203.0.113.10", "168.63.129.16"])
def test_a_port_that_nothing_serves_is_heard_too(network: VmNetwork, address: str) -> None:
    run(network, CONNECT, address, "8080")

    entry = only(network.ledger().entries)
    assert (entry.kind, entry.host, entry.port) == (RequestKind.TCP, address, 8080)
    assert sys.executable in entry.process


def test_a_datagram_is_told_with_its_sender(network: VmNetwork) -> None:
    with program(network, SEND, "192.0.2.123") as running:
        assert network.wait(bool, 10)
        running.communicate()

    entry = only(network.ledger().entries)
    assert (entry.kind, entry.host, entry.port) == (RequestKind.UDP, "192.0.2.123", 123)
    assert sys.executable in entry.process


def test_in_silence_a_connection_is_named_and_never_answered(network: VmNetwork) -> None:
    network.set_silent(True)

    with program(network, CONNECT, "192.0.2.7", "443") as running:
        assert network.wait(bool, 10)
        running.kill()

    ledger = network.ledger()
    entry = only(ledger.entries)
    assert (entry.host, entry.port, entry.answer) == ("192.0.2.7", 443, "")
    assert sys.executable in entry.process
    assert ledger.counters[OTHER] >= 1


def test_two_networks_do_not_meet(network: VmNetwork) -> None:
    with VmNetwork(a_machine(), now=NOW) as other:
        other.configure_link()
        run(other, CONNECT, "192.0.2.7", "80")

        assert not other.ledger().clean
    assert network.ledger().clean


def test_nothing_but_the_wire_is_in_a_machines_network(network: VmNetwork) -> None:
    links = network.vm.run(("ip", "-brief", "link")).text.split("\n")

    assert sorted(line.split()[0].partition("@")[0] for line in links if line) == ["eth0", "lo"]
