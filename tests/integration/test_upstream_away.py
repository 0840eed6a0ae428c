"""While the upstream is away: hits for as long as the mode allows, errors in time for the rest."""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pymongo
import pytest
from bson import Binary, Int64
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from support.counted import BYPASS, REQUESTS, Counted, by_id, count
from support.memory import Peak
from support.pooled import connections_to
from support.raw import connect
from support.relay import RelayThread
from support.scripted_upstream import STANDALONE, ScriptedUpstream
from support.servers import Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
NO_SERVER = 133
KNOWN, WANTED = by_id("away", 1), by_id("away", 2)
INSERT: Document = {"insert": "films", "documents": [{"_id": 1}], "$db": "away"}
SESSION: Document = {"lsid": {"id": Binary(uuid.UUID(int=4).bytes, 4)}, "txnNumber": Int64(1)}
IN_TRANSACTION: Document = SESSION | {"autocommit": False}
COMMIT: Document = {"commitTransaction": 1, "$db": "admin"} | IN_TRANSACTION
GET_MORE: Document = {"getMore": Int64(7), "collection": "films", "$db": "away"}
BEGIN = INSERT | IN_TRANSACTION | {"startTransaction": True}
LABELS: dict[str, tuple[Document, str]] = {
    "find": (WANTED, ""),
    "insert": (INSERT, ""),
    "retryable insert": (INSERT | SESSION, "RetryableWriteError"),
    "insert in a transaction": (BEGIN, "TransientTransactionError"),
    "getMore": (GET_MORE, "ResumableChangeStreamError"),
}


@pytest.fixture
def scripted() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def relay(servers: Servers, scripted: ScriptedUpstream) -> RelayThread:
    return servers.relay(scripted.port)


@contextmanager
def away(relay: RelayThread) -> Iterator[None]:
    """All connections are reset, and new ones refused."""
    relay.refuse()
    relay.cut()
    try:
        yield
    finally:
        relay.accept()


@pytest.mark.parametrize("what", LABELS)
def test_requests_that_find_no_upstream(servers: Servers, relay: RelayThread, what: str) -> None:
    """Within their time, with the label that tells a driver what it may do, and counted."""
    daemon = servers.daemon(relay.uri)
    command, label = LABELS[what]
    with away(relay), connect(daemon, 20) as client:
        begun = time.monotonic()
        answer = client.request(command | {"maxTimeMS": 300}).document
        assert 0.3 <= time.monotonic() - begun < 2
        assert (answer["ok"], answer["code"]) == (0, NO_SERVER)
        assert answer.get("errorLabels", []) == ([label] if label else [])

        def outcomes() -> dict[str, float]:
            return daemon.metrics().by(REQUESTS, "outcome", command=next(iter(command)))

        wait_until(lambda: outcomes() == {"error": 1}, what="the count, which follows the reply")
        assert daemon.metrics().by("mongocached_shed_total", "reason") == {"no_upstream": 1}
    with connect(daemon, 20) as client:
        assert client.request(command).document["ok"] == 1


def test_commit_that_finds_no_upstream(servers: Servers, relay: RelayThread) -> None:
    """It may be another try of a commit that was carried out: the transaction must not be begun
    anew."""
    daemon = servers.daemon(relay.uri)
    with away(relay), connect(daemon, 20) as client:
        answer = client.request(COMMIT | {"maxTimeMS": 300}).document
        assert answer["code"] == NO_SERVER
        assert "RetryableWriteError" in answer["errorLabels"]
        assert "TransientTransactionError" not in answer["errorLabels"]


def test_transaction_whose_commit_was_lost_runs_once(
    servers: Servers, scripted: ScriptedUpstream, relay: RelayThread
) -> None:
    daemon = servers.daemon(relay.uri)
    runs: list[int] = []

    def body(session: ClientSession) -> None:
        runs.append(1)
        session.client.away.films.insert_one({"_id": len(runs)}, session=session)

    def run() -> None:
        with suppress(PyMongoError), client.start_session() as session:
            session.with_transaction(body, max_commit_time_ms=500)

    def refused_commits() -> float:
        return daemon.metrics().value(REQUESTS, outcome="error", command="commitTransaction")

    with pymongo.MongoClient(daemon.uri) as client:
        running = threading.Thread(target=run)
        with scripted.holding("commitTransaction") as arrived:
            running.start()
            wait_until(arrived, what="the upstream to carry out the commit")
            with away(relay):
                wait_until(lambda: refused_commits() >= 2, what="the driver's second try")
        running.join(30)
    assert scripted.asked["commitTransaction"] >= 1
    assert len(runs) == 1


def test_hits_until_max_lag_and_errors_then(servers: Servers, upstream: Upstream) -> None:
    max_lag = 2.0
    database = f"away_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct:
        direct[database].films.insert_one({"_id": 1})
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, config=f'[cache]\nmax_lag = "{max_lag:.0f}s"\n')
    film = by_id(database, 1)
    with Counted(daemon) as counted:
        counted.until(film)
        daemon.catch_up()  # what is not settled falls with the connection
        counted.until(film)
        hits, errors = (count(daemon, outcome) for outcome in ("l1_hit", "error"))
        with away(relay):
            begun = time.monotonic()
            answered, asked = 0, begun
            while (answer := ask(counted, film))["ok"] == 1:
                assert asked - begun <= max_lag, "nothing may be served any more"
                answered, asked = answered + 1, time.monotonic()
            assert answer["code"] == NO_SERVER
            assert asked - begun > max_lag / 2, "until then all was well"
            assert count(daemon, "l1_hit") == hits + answered
            wait_until(lambda: count(daemon, "error") == errors + 1, what="the count")
            assert daemon.metrics().value(BYPASS, reason="gate_shut") == 0, "it failed: no bypass"
        assert counted.until(film) == [{"_id": 1}]


@pytest.mark.parametrize("grace", [2, 60])
def test_hits_longer_if_wanted(servers: Servers, upstream: Upstream, grace: int) -> None:
    """serve_stale_on_error: beyond max_lag and authz_ttl, as long as it says, and only then."""
    database = f"away_{uuid.uuid4().hex[:8]}"
    relay = servers.relay(upstream.port)
    config = f"""[upstream]
authz_ttl = "1s"
[cache]
max_lag = "1s"
serve_stale_on_error = "{grace}s"
"""
    daemon = servers.daemon(relay.uri, config=config)
    film = by_id(database, 1)
    with upstream.client() as direct, Counted(daemon) as counted:
        direct[database].films.insert_one({"_id": 1, "seen": 1})
        counted.until(film)
        daemon.catch_up()  # what is not settled falls with the connection
        counted.until(film)
        with away(relay):
            begun, asked = time.monotonic(), 0.0
            while asked - begun < 4 and (answer := ask(counted, film))["ok"] == 1:
                asked = time.monotonic()
            stale = daemon.metrics().value("mongocached_stale_served_total")
            assert stale > 0
            if grace == 2:
                assert answer["code"] == NO_SERVER
                assert asked - begun <= 3.2, "nothing may be served any more"
            else:
                assert ask(counted, by_id(database, 2))["code"] == NO_SERVER
                direct[database].films.update_one({"_id": 1}, {"$set": {"seen": 2}})
                assert first(ask(counted, film)) == {"_id": 1, "seen": 1}
        if grace == 60:
            new = {"_id": 1, "seen": 2}
            wait_until(lambda: first(ask(counted, film)) == new, what="what was written meanwhile")


def first(answer: Document) -> Document:
    batch: list[Document] = answer.get("cursor", {}).get("firstBatch", [])
    return batch[0] if batch else answer


def ask(counted: Counted, command: Document) -> Document:
    return counted.connection.request(command | {"maxTimeMS": 200}).document


def test_five_hundred_requests_wait_for_an_upstream(
    servers: Servers, scripted: ScriptedUpstream, relay: RelayThread
) -> None:
    """Those that it comes back for are answered, the others told; hits are served meanwhile."""
    scripted.kind = STANDALONE  # nothing that was read of it can be rolled back
    daemon = servers.daemon(relay.uri, config="[listen]\nthreads = 1\n")
    with ExitStack() as stack:
        reader, *others = (stack.enter_context(connect(daemon, 20)) for _ in range(501))
        for _ in range(2):
            reader.request(KNOWN)
        hits = count(daemon, "l1_hit")
        peak = Peak(daemon)
        with away(relay):
            for number, client in enumerate(others):
                patience = 500 if number < 250 else 20_000
                client.send(by_id("away", f"miss {number}") | {"maxTimeMS": patience})
            took = []
            while count(daemon, "error") < 250:
                for _ in range(20):
                    begun = time.monotonic()
                    assert reader.request(KNOWN).document["ok"] == 1
                    took.append(time.monotonic() - begun)
            assert all(client.receive().document["code"] == NO_SERVER for client in others[:250])
        assert all(client.receive().document["ok"] == 1 for client in others[250:])
        assert count(daemon, "l1_hit") == hits + len(took)
        wait_until(lambda: count(daemon, "error") == 250, what="all to be counted")
        assert statistics.quantiles(took, n=10)[-1] < 0.01
        assert peak.growth < 16 << 20


@pytest.mark.parametrize("auth", ["passthrough", "pooled"])
def test_commit_waits_for_the_upstream_like_anything_else(
    servers: Servers, relay: RelayThread, auth: str
) -> None:
    """Where a transaction was pinned to is no reason to give up: whoever is primary ends it."""
    daemon = servers.daemon(relay.uri, config=f'[upstream]\nauth = "{auth}"\n')
    with connect(daemon, 20) as client:
        assert client.request(BEGIN).document["ok"] == 1
        with away(relay):
            pid = daemon.process.pid
            wait_until(lambda: connections_to(relay.port, pid) == 0, what="the end to be seen")
            client.send(COMMIT)
            up = "mongocached_upstream_up"
            wait_until(lambda: daemon.metrics().value(up) == 0, what="no upstream")
        assert client.receive().document["ok"] == 1
