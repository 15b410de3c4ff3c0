"""The on-image cache, asked as the agent asks: over real sockets and real TLS."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cryptography import x509

from tests.support.deliveries import EXTENSION_ZIP, HANDLER
from tests.support.extension_cache import (
    BLOBS,
    MANIFEST,
    PYTHONS,
    Authority,
    Cache,
    Starter,
    a_host,
    configuration,
)


def authorities(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem)


def test_it_needs_the_standard_library_only_and_fits_on_a_few_screens(project: Path) -> None:
    source = (project / "templates/delivery/cache.py").read_text()

    imports = [
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else
                     [alias.name for alias in node.names])
    ]  # fmt: skip
    assert set(imports) <= {*sys.stdlib_module_names, "__future__"}
    assert len(source.splitlines()) <= 300


def test_the_manifest_publishes_the_pinned_version_and_no_other(cache: Cache) -> None:
    reply = cache.ask(MANIFEST)

    assert reply.status == 200
    manifest = ET.fromstring(reply.body)  # noqa: S314 - we wrote it
    assert [version.text for version in manifest.iter("Version")] == ["1.2.3"]
    (uri,) = [uri.text for uri in manifest.iter("Uri")]
    assert uri == f"https://{BLOBS}:443/imagebake/{HANDLER}__1.2.3.zip"


def test_the_manifest_leads_to_the_official_zip_byte_for_byte(cache: Cache) -> None:
    manifest = ET.fromstring(cache.ask(MANIFEST).body)  # noqa: S314 - we wrote it
    uri = manifest.findtext(".//Uri") or ""

    reply = cache.ask(uri.partition(":443")[2] + "?sv=1&sig=x")

    assert (reply.status, reply.body) == (200, EXTENSION_ZIP)


@pytest.mark.parametrize(
    "name",
    [
        "Contoso.Demo.Hello_manifest.xml",
        "Contoso.Demo_Hello_manifest.xml",
        "Contoso.Demo_Hello_westeurope_manifest.xml",
        "Contoso.Demo_Hello_useast2euap_manifest.xml?sv=2020&sig=abc",
        "contoso.demo.hello_WestEurope_manifest.xml",
    ],
)
def test_the_region_in_the_name_of_a_manifest_does_not_matter(cache: Cache, name: str) -> None:
    assert cache.ask(f"/any/{name}").status == 200


@pytest.mark.parametrize(
    "name",
    [
        "Contoso.Demo.HelloAgain_manifest.xml",
        "Fabrikam.Contoso.Demo.Hello_manifest.xml",
        "Contoso.Demo.Hello.xml",
        "ContosoxDemo.Hello_manifest.xml",
        f"{HANDLER}__1.2.4.zip",
        f"../{HANDLER}__1.2.3.zip/x",
        "WALinuxAgent_Prod_manifest.xml",
    ],
)
def test_what_only_looks_like_a_pinned_extension_is_asked_of_its_host(
    cache: Cache, name: str
) -> None:
    assert cache.ask(f"/any/{name}").status == 502, "the host does not exist"


def test_a_host_one_level_deeper_is_not_looked_into(cache: Cache) -> None:
    with pytest.raises(ConnectionRefusedError, match="502"):
        cache.connect(f"deep.{BLOBS}")


def test_the_agent_trusts_the_systems_authorities_and_one_more(
    cache: Cache, authority: Authority
) -> None:
    system, own = authorities(cache.trust.read_bytes())

    assert system == authorities(authority.pem)[0]
    assert own.subject.rfc4514_string() == "CN=imagebake extension cache of this machine"
    assert cache.trust.stat().st_mode & 0o777 == 0o644


def test_the_authority_can_vouch_for_hosts_of_artifacts_only(cache: Cache) -> None:
    own = authorities(cache.trust.read_bytes())[-1]

    constraints = own.extensions.get_extension_for_class(x509.NameConstraints)
    basic = own.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("blob.example.test")]
    assert basic.value.path_length == 0


def test_no_key_is_left_on_any_disk(cache: Cache) -> None:
    found = [path for path in cache.folder.rglob("*") if path.is_file()]

    assert [path for path in found if b"PRIVATE KEY" in path.read_bytes()] == []
    assert [path.name for path in (cache.folder / "run").iterdir()] == ["agent-bundle.pem"]


def test_every_start_has_an_authority_of_its_own(start: Starter) -> None:
    with start() as first:
        before = authorities(first.trust.read_bytes())[-1]
    with start() as second:
        after = authorities(second.trust.read_bytes())[-1]

        assert second.ask(MANIFEST).status == 200
    assert before.public_key() != after.public_key()


def test_every_other_host_is_tunnelled_to_untouched(cache: Cache, authority: Authority) -> None:
    trusted = ssl.create_default_context(cadata=authority.pem.decode())

    with (
        a_host(authority.context()) as port,
        cache.connect("localhost", port) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"PUT /x?sig=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        told = json.loads(secure.recv(1 << 16).partition(b"\r\n\r\n")[2] or secure.recv(1 << 16))
        issuer = secure.getpeercert()

    assert told[:3] == ["PUT", "/x?sig=1", "abc"]
    assert "authority of the test" in str(issuer)


def test_a_tunnel_ends_when_either_side_does(cache: Cache) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        cache.connect("127.0.0.1", door.getsockname()[1]) as near,
    ):
        far, _ = door.accept()
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        with far:
            question = b"".join(iter(lambda: far.recv(100), b""))
            far.sendall(b"answer")
        answer = b"".join(iter(lambda: near.recv(100), b""))

    assert (question, answer) == (b"question", b"answer")


def test_other_paths_of_a_looked_into_host_are_passed_on_verified(
    start: Starter, authority: Authority
) -> None:
    with (
        a_host(authority.context()) as port,
        start(hosts=["localhost"], ports=[port]) as cache,
    ):
        reply = cache.ask(
            "/status?sig=hush", host="localhost", port=port, method="PUT", body=b"x" * 200_000
        )
        own = cache.ask(MANIFEST, host="localhost", port=port)

    method, path, body, headers = json.loads(reply.body)
    assert (method, path, body) == ("PUT", "/status?sig=hush", "x" * 200_000)
    assert headers["Connection"] == "close"
    assert b"1.2.3" in own.body
    assert "passed on PUT localhost/status" in cache.log
    assert "hush" not in "".join(cache.log)


def test_a_host_that_cannot_prove_who_it_is_is_not_believed(start: Starter, tmp_path: Path) -> None:
    stranger = Authority.make(tmp_path / "stranger")

    with (
        a_host(stranger.context()) as port,
        start(hosts=["localhost"], ports=[port]) as cache,
    ):
        reply = cache.ask("/other.xml", host="localhost", port=port)

    assert reply.status == 502
    assert "certificate verify failed" in "".join(cache.log)


def test_plain_requests_are_passed_on(cache: Cache) -> None:
    with a_host(None) as port, socket.create_connection(("127.0.0.1", cache.port), 10) as plain:
        plain.sendall(f"GET http://localhost:{port}/a?b HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b"".join(iter(lambda: plain.recv(1 << 16), b""))

    assert json.loads(answer.partition(b"\r\n\r\n")[2])[:2] == ["GET", "/a?b"]


def test_it_listens_on_the_loopback_address_only(cache: Cache) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]

    doors = {row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{cache.port:04X}")}

    assert doors == {f"0100007F:{cache.port:04X}"}


@pytest.mark.parametrize(
    "rubbish",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"CONNECT nowhere HTTP/1.1\r\n\r\n",
     b"\x16\x03\x01\x02\x00\r\n\r\n",
     b"CONNECT h:x HTTP/1.0\r\n\r\n", b"x" * 200_000,
     b"CONNECT a.blob.example.test:443 HTTP/1.0\r\n\r\nnot tls at all\r\n\r\n"],
    ids=["nothing", "one-word", "no-port", "tls", "no-number", "endless", "no-tls"],
)  # fmt: skip
def test_rubbish_ends_one_connection_and_nothing_else(cache: Cache, rubbish: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", cache.port), 10) as plain,
        contextlib.suppress(OSError),
    ):
        plain.sendall(rubbish)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(1 << 16):
            pass

    assert cache.ask(MANIFEST).status == 200


def test_what_has_no_length_is_refused(start: Starter, authority: Authority) -> None:
    with a_host(authority.context()) as port, start(hosts=["localhost"], ports=[port]) as cache:
        context = ssl.create_default_context(cafile=str(cache.trust))
        with (
            cache.connect("localhost", port) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            assert secure.recv(100).startswith(b"HTTP/1.1 411 ")


@pytest.mark.root
def test_another_account_is_not_served(cache: Cache) -> None:
    ask = (
        "import socket,sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        "s.sendall(b'CONNECT localhost:1 HTTP/1.0\\r\\n\\r\\n');\n"
        "try: print(s.recv(100))\nexcept ConnectionResetError: print(b'')"
    )

    done = subprocess.run(
        ["/usr/bin/python3", "-c", ask, str(cache.port)],
        user=65534, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "b''\n"


def test_after_a_violent_death_it_starts_again(start: Starter) -> None:
    with start() as first:
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        with pytest.raises(ConnectionRefusedError):
            first.ask(MANIFEST)
        assert len(authorities(first.trust.read_bytes())) == 2, "the agent can still verify"
    with start() as second:
        assert second.ask(MANIFEST).status == 200


def test_systemd_is_told_when_the_agent_may_start(program: Path, tmp_path: Path) -> None:
    (tmp_path / "system.pem").write_bytes(b"")
    path = tmp_path / "cache.json"
    system = ssl.get_default_verify_paths().openssl_cafile
    path.write_text(json.dumps(configuration(tmp_path, authorities=system)))
    if not Path(system).is_file():
        path.write_text(
            json.dumps(configuration(tmp_path, authorities="/etc/ssl/certs/ca-certificates.crt"))
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, "-I", str(program), str(path)],
            env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stderr=subprocess.DEVNULL,
        )
        try:
            assert door.recv(100) == b"READY=1"
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("python", PYTHONS)
def test_without_openssl_it_ends_and_leaves_the_agents_trust_alone(
    program: Path, tmp_path: Path, authority: Authority, python: str
) -> None:
    (tmp_path / "system.pem").write_bytes(authority.pem)
    (tmp_path / "run").mkdir()
    trust = tmp_path / "run" / "agent-bundle.pem"
    trust.symlink_to("../system.pem")
    path = tmp_path / "cache.json"
    path.write_text(json.dumps(configuration(tmp_path)))

    done = subprocess.run(
        [PYTHONS[python], "-I", str(program), str(path)],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode != 0
    assert "openssl" in done.stderr
    assert trust.readlink() == Path("../system.pem")
