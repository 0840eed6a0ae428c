"""TLS towards the upstream: certificates that change under a running daemon, and pools.

In front of the upstream stands a relay that ends TLS and asks for a certificate of one authority.
It can go over to another authority without ending what is connected.
"""

from __future__ import annotations

import signal
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pymongo
import pytest
from support.counted import Counted, by_id
from support.pooled import POOL_SIZE, LoggedIn, connections_to, settings
from support.raw import connect
from support.relay import RelayThread
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.tls import Certificates, make_certificates
from support.wait import wait_until

Document = dict[str, Any]
FIND: Document = by_id("tls", 1, "c")
WRITE: Document = {"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]}
WRITE |= {"$db": "tls"}
CLIENTS = 60
AUTH = ["passthrough", "pooled"]
READ_AGAIN = "settings and certificates read again"
OLD_IN_FORCE = "certificates of before stay in force"


def demanding(certificates: Certificates) -> ssl.SSLContext:
    """A server's side that lets in who has a certificate by that authority, and nobody else."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca))
    context.load_cert_chain(certificates.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class Guarded:
    """The upstream behind TLS, and a daemon that shows a certificate to it."""

    def __init__(self, servers: Servers, upstream: Upstream, settings: str, user: str = "") -> None:
        self.upstream = upstream
        self.folder = servers.folder()
        self.certificates = make_certificates(self.folder)
        self.relay: RelayThread = servers.relay(upstream.port, tls=demanding(self.certificates))
        uri = self.relay.uri.replace("//", f"//{user}")
        uri += f"&tls=true&tlsCAFile={self.certificates.ca}"
        uri += f"&tlsCertificateKeyFile={self.certificates.pem}&heartbeatFrequencyMS=500"
        self.daemon: Daemon = servers.daemon(uri, config=settings)

    def change_authority(self) -> None:
        """New files in the place of the old ones; who connects from now on needs the new ones."""
        make_certificates(self.folder)
        self.relay.set_tls(demanding(self.certificates))

    def reload(self, words: str) -> None:
        log = self.daemon.process
        size = log.log_size()
        log.signal(signal.SIGHUP)
        wait_until(lambda: words in log.log_text(since=size), what=words)

    def serves_a_new_client(self) -> None:
        """Reads, writes, hits; and the change stream tells of what others write."""
        with pymongo.MongoClient(self.daemon.uri, serverSelectionTimeoutMS=10_000) as client:
            client.tls.c.update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True)
        with Counted(self.daemon) as counted:
            counted.until(FIND)
        self.follows_changes()

    def follows_changes(self) -> None:
        with self.upstream.client() as straight, connect(self.daemon) as through:
            straight.tls.c.update_one({"_id": 1}, {"$inc": {"n": 1}})
            expected = straight.tls.c.find_one({"_id": 1})
            wait_until(
                lambda: through.request(FIND).document["cursor"]["firstBatch"] == [expected],
                what="what another wrote",
            )


@pytest.fixture(params=AUTH)
def guarded(request: pytest.FixtureRequest, servers: Servers, upstream: Upstream) -> Guarded:
    with upstream.client() as straight:
        straight.drop_database("tls")
    settings = f'[upstream]\nauth = "{request.param}"\n[cache]\nverify_share = 1\n'
    return Guarded(servers, upstream, settings)


def is_ready(daemon: Daemon) -> bool:
    return daemon.is_ready() and daemon.metrics().value("mongocached_upstream_up") == 1


def test_another_authority_at_a_reload(guarded: Guarded) -> None:
    daemon = guarded.daemon
    guarded.serves_a_new_client()
    with connect(daemon) as before:
        assert before.request(WRITE).document["n"] == 1
        guarded.change_authority()
        guarded.reload(READ_AGAIN)
        assert before.request(WRITE).document["n"] == 1
        guarded.serves_a_new_client()
        assert before.request(WRITE).document["n"] == 1
        assert "topology changed" not in changes_since_the_reload(daemon)
        assert daemon.status()["stream"]["state"] == "opened"
    # Whatever was connected under the old authority has to come again under the new one.
    guarded.relay.cut()
    wait_until(lambda: is_ready(daemon), 30, ignore=(OSError,), what="the daemon to be ready")
    guarded.serves_a_new_client()


def changes_since_the_reload(daemon: Daemon) -> str:
    return daemon.process.log_text().rpartition(READ_AGAIN)[2]


SPOILT: dict[str, Callable[[Certificates], int]] = {
    "no certificate": lambda files: files.pem.write_text("no certificate"),
    "no authority": lambda files: files.ca.write_text("no authority"),
    "a certificate without its key": lambda files: files.pem.write_bytes(
        files.certificate.read_bytes()
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_files_that_cannot_be_used_change_nothing(guarded: Guarded, fault: str) -> None:
    """Neither before the reload nor behind it, nor for what has to connect again."""
    daemon = guarded.daemon
    guarded.serves_a_new_client()
    SPOILT[fault](guarded.certificates)
    for reloaded in (False, True):
        if reloaded:
            guarded.reload(OLD_IN_FORCE)
        guarded.serves_a_new_client()
        guarded.relay.cut()
        wait_until(lambda: is_ready(daemon), 30, ignore=(OSError,), what="the daemon to be ready")
        guarded.serves_a_new_client()


def test_a_pool_under_tls_keeps_its_size(servers: Servers) -> None:
    """The proxy shows its certificate and logs in; its clients log in to it and wait in line."""
    upstream = servers.upstream(auth=True)
    with upstream.client() as root:
        root.shop.orders.insert_many([{"_id": i} for i in range(50)])
    user = f"{ROOT_USER}:{ROOT_PASSWORD}@"
    uncached = '[cache]\nenabled = false\nmode = "ttl"\n'
    guarded = Guarded(servers, upstream, settings(uncached), user)
    daemon, pid = guarded.daemon, guarded.daemon.process.pid
    base = connections_to(guarded.relay.port, pid)
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [stack.enter_context(LoggedIn(daemon, "ann")) for _ in range(CLIENTS)]
        over = threading.Event()

        def most() -> int:
            seen = 0
            while not over.is_set():
                seen = max(seen, connections_to(guarded.relay.port, pid))
            return seen

        def work(client: LoggedIn, number: int) -> int:
            client.ask({"insert": "rows", "documents": [{"_id": number}], "$db": "shop"})
            found = client.ask({"find": "orders", "filter": {}, "batchSize": 20, "$db": "shop"})
            cursor, documents = found["cursor"]["id"], found["cursor"]["firstBatch"]
            while cursor:
                more = {"getMore": cursor, "collection": "orders", "batchSize": 20, "$db": "shop"}
                found = client.ask(more)
                cursor = found["cursor"]["id"]
                documents += found["cursor"]["nextBatch"]
            return len(documents)

        watching = pool.submit(most)
        counts = list(pool.map(work, clients, range(CLIENTS)))
        over.set()
        assert counts == [50] * CLIENTS
        assert 2 <= watching.result() - base <= POOL_SIZE
        assert clients[0].ask({"count": "rows", "$db": "shop"})["n"] == CLIENTS
