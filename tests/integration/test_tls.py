"""TLS towards clients: who gets in, what passes, certificates that change, both sides at once."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bson
import pymongo
import pytest
from pymongo.errors import ServerSelectionTimeoutError
from support.raw import RawConnection, connect, op_msg
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers, Upstream
from support.tls import Certificates, another_certificate, make_certificates, run_openssl
from support.wait import wait_until

Document = dict[str, Any]
DISCONNECTS = "mongocached_client_disconnects_total"
EXPIRY = "mongocached_certificate_expiry_timestamp_seconds"
REQUESTS = "mongocached_requests_total"
PING: Document = {"ping": 1, "$db": "admin"}
BIG: Document = {"_id": 1, "data": bytes(range(256)) * 40_000}
FIND: Document = {"find": "c", "filter": {"_id": 1}, "$db": "tls"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """By an authority that nobody trusts."""
    return make_certificates(tmp_path_factory.mktemp("strangers"))


class TlsDaemon(Daemon):
    """Its clients must speak TLS."""

    def __init__(
        self, directory: Path, upstream_uri: str, certificates: Certificates, client_ca: str = ""
    ) -> None:
        lines = ["[listen]", f'tls_cert = "{certificates.certificate}"']
        lines += [f'tls_key = "{certificates.key}"', f'tls_client_ca = "{client_ca}"']
        super().__init__(directory, upstream_uri, config="\n".join(lines))
        self.certificates = certificates

    def client(self, **options: Any) -> pymongo.MongoClient[Document]:
        tls = {"tls": True, "tlsCAFile": str(self.certificates.ca)}
        return pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=10_000, **tls, **options)

    def disconnects(self, reason: str) -> float:
        return self.metrics().value(DISCONNECTS, reason=reason)


@pytest.fixture
def daemon_with_tls(servers: Servers, upstream: Upstream, certificates: Certificates) -> TlsDaemon:
    return started(servers, TlsDaemon(servers.folder(), upstream.uri, certificates))


def started(servers: Servers, daemon: TlsDaemon) -> TlsDaemon:
    servers.running.append(daemon)
    daemon.start()
    return daemon


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.ca))


def test_served_from_the_cache(daemon_with_tls: TlsDaemon) -> None:
    with daemon_with_tls.client() as client:
        client.tls.c.replace_one({"_id": 1}, {"a": 1}, upsert=True)
        for _ in range(3):
            assert client.tls.c.find_one({"_id": 1}) == {"_id": 1, "a": 1}
    assert daemon_with_tls.metrics().value(REQUESTS, outcome="l1_hit") >= 1


def test_large_documents_pass_both_ways_and_come_from_the_cache(
    daemon_with_tls: TlsDaemon,
) -> None:
    sizes = [1, 16_383, 16_384, 16_385, 300_000, 1_000_000, 5_000_000]
    with daemon_with_tls.client() as client:
        for size in sizes:
            document = {"_id": size, "data": bytes(i % 251 for i in range(size))}
            client.tls.large.replace_one({"_id": size}, document, upsert=True)
            for _ in range(3):
                assert client.tls.large.find_one({"_id": size}) == document


def test_many_requests_at_once_are_all_answered(daemon_with_tls: TlsDaemon) -> None:
    """Several records in one read, and more of them than one read takes."""
    count = 2000
    with daemon_with_tls.client() as client:
        client.tls.c.replace_one({"_id": 1}, {"a": "x" * 500}, upsert=True)
        client.tls.c.find_one({"_id": 1})
    with connect(daemon_with_tls, tls=trusting(daemon_with_tls.certificates)) as raw:
        raw.socket.sendall(b"".join(op_msg(FIND, request_id=i) for i in range(count)))
        for i in range(count):
            reply = raw.receive()
            assert reply.response_to == i
            assert reply.document["cursor"]["firstBatch"][0]["_id"] == 1


def test_handshake_in_single_bytes(daemon_with_tls: TlsDaemon) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = trusting(daemon_with_tls.certificates)
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", daemon_with_tls.port), timeout=30) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                for byte in outgoing.read():
                    plain.sendall(bytes([byte]))
                if result is not None:
                    return result
                incoming.write(plain.recv(1 << 16))

        until(lambda: tls.do_handshake() or True)
        tls.write(op_msg(PING))
        reply = until(lambda: tls.read(1 << 16))
    assert bson.decode(reply[21:])["ok"] == 1


def test_a_client_that_leaves_without_a_goodbye_has_just_closed(
    daemon_with_tls: TlsDaemon,
) -> None:
    """As most drivers do. It was once counted and logged as TLS that failed."""
    with connect(daemon_with_tls, tls=trusting(daemon_with_tls.certificates)) as raw:
        assert raw.request(PING).document["ok"] == 1
    wait_until(lambda: daemon_with_tls.disconnects("client_closed") == 1, what="the close counted")
    assert daemon_with_tls.disconnects("tls_failed") == 0
    assert "TLS failed" not in daemon_with_tls.process.log_text()


@pytest.mark.parametrize(
    "words", [op_msg(PING), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" * 20]
)
def test_what_is_no_tls_is_closed_and_counted(daemon_with_tls: TlsDaemon, words: bytes) -> None:
    with socket.create_connection(("127.0.0.1", daemon_with_tls.port), timeout=30) as plain:
        plain.sendall(words)
        received = b""
        try:
            while chunk := plain.recv(4096):
                received += chunk
        except ConnectionResetError:
            pass
    assert len(received) < 100  # an alert at most
    wait_until(lambda: daemon_with_tls.disconnects("tls_failed") == 1, what="the close counted")
    assert "TLS failed" in daemon_with_tls.process.log_tail()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_versions_are_refused(daemon_with_tls: TlsDaemon) -> None:
    context = trusting(daemon_with_tls.certificates)
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        connect(daemon_with_tls, tls=context)
    wait_until(lambda: daemon_with_tls.disconnects("tls_failed") == 1, what="the close counted")


def test_a_handshake_that_is_not_begun_ends(daemon_with_tls: TlsDaemon) -> None:
    """Takes its ten seconds: the deadline is the daemon's own."""
    with connect(daemon_with_tls) as raw:
        assert raw.closed_by_peer()
    assert daemon_with_tls.disconnects("stalled") == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_served(daemon_with_tls: TlsDaemon, version: ssl.TLSVersion) -> None:
    context = trusting(daemon_with_tls.certificates)
    context.minimum_version = context.maximum_version = version
    with connect(daemon_with_tls, tls=context) as raw:
        assert raw.request(PING).document["ok"] == 1


def test_client_certificates(
    servers: Servers, upstream: Upstream, certificates: Certificates, strangers: Certificates
) -> None:
    daemon = TlsDaemon(servers.folder(), upstream.uri, certificates, str(certificates.ca))
    started(servers, daemon)
    with daemon.client(tlsCertificateKeyFile=str(certificates.pem)) as client:
        assert client.admin.command("ping")["ok"] == 1
    for wrong in ({}, {"tlsCertificateKeyFile": str(strangers.pem)}):
        options = {"tls": True, "tlsCAFile": str(certificates.ca), **wrong}
        with (
            pymongo.MongoClient(daemon.uri, serverSelectionTimeoutMS=1000, **options) as client,
            pytest.raises(ServerSelectionTimeoutError),
        ):
            client.admin.command("ping")
    assert daemon.disconnects("tls_failed") >= 2


def test_sessions_are_resumed_with_client_certificates(
    servers: Servers, upstream: Upstream, certificates: Certificates
) -> None:
    daemon = TlsDaemon(servers.folder(), upstream.uri, certificates, str(certificates.ca))
    started(servers, daemon)
    context = trusting(certificates)
    context.load_cert_chain(certificates.pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its session is there with the handshake
    address = ("127.0.0.1", daemon.port)
    with context.wrap_socket(
        socket.create_connection(address, timeout=30), server_hostname="localhost"
    ) as first:
        session = first.session
    with context.wrap_socket(
        socket.create_connection(address, timeout=30), server_hostname="localhost", session=session
    ) as second:
        assert second.session_reused
        second.sendall(op_msg(PING))
        assert second.recv(16)


def test_certificates_are_renewed_and_nobody_is_disconnected(
    servers: Servers, upstream: Upstream, stack: ExitStack
) -> None:
    certificates = make_certificates(servers.folder())
    daemon = started(servers, TlsDaemon(servers.folder(), upstream.uri, certificates))
    context = trusting(certificates)
    before = stack.enter_context(connect(daemon, tls=context))
    assert certificate_of(before) == certificates.certificate.read_text()

    another_certificate(certificates.certificate.parent, certificates.ca)
    daemon.process.signal(signal.SIGHUP)

    def renewed() -> bool:
        with connect(daemon, tls=context) as raw:
            return certificate_of(raw) == certificates.certificate.read_text()

    wait_until(renewed, what="the new certificate")
    assert before.request(PING).document["ok"] == 1

    good = certificates.certificate.read_text()
    certificates.certificate.write_text("no certificate")
    daemon.process.signal(signal.SIGHUP)
    wait_until(
        lambda: "certificates of before stay in force" in daemon.process.log_tail(),
        what="the complaint",
    )
    with connect(daemon, tls=context) as raw:
        assert certificate_of(raw) == good
        assert raw.request(PING).document["ok"] == 1


def test_a_certificate_near_its_end_is_told(servers: Servers, upstream: Upstream) -> None:
    certificates = make_certificates(servers.folder())
    folder = certificates.certificate.parent
    another_certificate(folder, certificates.ca, days=5)
    daemon = started(servers, TlsDaemon(servers.folder(), upstream.uri, certificates))
    told = "listen.tls_cert: the certificate expires at "

    def days_left() -> float:
        return (daemon.metrics().value(EXPIRY, side="listen") - time.time()) / 86_400

    assert told in daemon.process.log_text()
    assert told in daemon.reload(daemon.config)
    assert 4 < days_left() <= 5
    checked = subprocess.run(
        [*daemon.argv(), "--check-config"], capture_output=True, text=True, timeout=60, check=True
    )
    assert f"warning: {told}" in checked.stderr

    another_certificate(folder, certificates.ca, days=30)
    assert told not in daemon.reload(daemon.config)
    assert 29 < days_left() <= 30


def certificate_of(raw: RawConnection) -> str:
    assert isinstance(raw.socket, ssl.SSLSocket)
    return ssl.DER_cert_to_PEM_cert(raw.socket.getpeercert(binary_form=True) or b"")


@pytest.mark.parametrize("fault", ["missing", "not PEM", "another's key", "key under a password"])
def test_files_that_cannot_be_used_are_told_at_the_start(
    servers: Servers, certificates: Certificates, strangers: Certificates, fault: str
) -> None:
    folder = servers.folder()
    key = folder / "key.pem"
    if fault == "not PEM":
        key.write_text("nonsense")
    elif fault == "another's key":
        key.write_bytes(strangers.key.read_bytes())
    elif fault == "key under a password":
        run_openssl("pkey", "-in", certificates.key, "-aes128", "-passout", "pass:x", "-out", key)
    spoilt = Certificates(certificates.ca, certificates.certificate, key, certificates.pem)
    daemon = TlsDaemon(folder, "mongodb://127.0.0.1:1/", spoilt)
    with pytest.raises(Exception, match=r"listen\.tls_key"):
        daemon.start()


def test_slow_reader_of_large_answers_gets_them_whole(
    servers: Servers, certificates: Certificates, stack: ExitStack
) -> None:
    """More than the kernel takes at once: records end half way, and go on."""
    upstream = stack.enter_context(BigAnswers())
    daemon = started(servers, TlsDaemon(servers.folder(), upstream.uri, certificates))
    raw = stack.enter_context(connect(daemon, tls=trusting(certificates)))
    for _ in range(5):
        raw.send({"find": "big", "filter": {"_id": 1}, "$db": "tls"})
    other = stack.enter_context(connect(daemon, tls=trusting(certificates)))
    assert other.request(PING).document["ok"] == 1
    for _ in range(5):
        assert raw.receive().document["cursor"]["firstBatch"] == [BIG]


class BigAnswers(ScriptedUpstream):
    def answer(self, command: Document) -> Document:
        answer = super().answer(command)
        if "find" in command:
            answer["cursor"]["firstBatch"] = [BIG]
        return answer


@pytest.mark.parametrize("goodbye", [True, False])
def test_clients_that_leave_while_they_wait_are_noticed(
    servers: Servers, certificates: Certificates, stack: ExitStack, goodbye: bool
) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    daemon = started(servers, TlsDaemon(servers.folder(), upstream.uri, certificates))
    with upstream.holding("find") as arrived:
        raw = connect(daemon, tls=trusting(certificates))
        raw.send(FIND)
        wait_until(arrived, what="the find upstream")
        if goodbye:
            raw.socket.settimeout(0)
            with pytest.raises(ssl.SSLWantReadError):
                raw.socket.unwrap()
        else:
            raw.close()
        wait_until(
            lambda: daemon.metrics().value("mongocached_client_connections") == 0,
            what="the client's end",
        )
    raw.close()


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_upstream_with_either_version_and_a_client_certificate(
    servers: Servers, certificates: Certificates, version: str
) -> None:
    """Both sides under TLS; the upstream asks for the daemon's certificate."""
    upstream = servers.upstream(tls=certificates, client_certificate=True)
    daemon = TlsDaemon(servers.folder(), upstream.uri, certificates)
    daemon.env["OPENSSL_CONF"] = str(only(version, daemon.directory / "openssl.cnf"))
    started(servers, daemon)
    with daemon.client() as client:
        client.tls.c.replace_one({"_id": 1}, {"a": version}, upsert=True)
        large = {"_id": 2, "data": b"x" * 3_000_000}
        client.tls.c.replace_one({"_id": 2}, large, upsert=True)
        for _ in range(3):
            assert client.tls.c.find_one({"_id": 1}) == {"_id": 1, "a": version}
            assert client.tls.c.find_one({"_id": 2}) == large
    with connect(daemon, tls=trusting(certificates)) as raw:
        assert isinstance(raw.socket, ssl.SSLSocket)
        assert raw.socket.version() == version


def only(version: str, file: Path) -> Path:
    """Settings of OpenSSL that leave one version of TLS."""
    lines = ["openssl_conf = all", "[all]", "ssl_conf = ssl", "[ssl]", "system_default = limits"]
    lines += ["[limits]", f"MinProtocol = {version}", f"MaxProtocol = {version}"]
    file.write_text("\n".join(lines) + "\n")
    return file
