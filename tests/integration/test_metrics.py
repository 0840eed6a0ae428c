"""Each metric moves when what it counts is made to happen."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pymongo
import pytest
from pymongo.collection import Collection
from support.counted import by_id
from support.raw import RawConnection, op_msg
from support.relay import RelayThread
from support.servers import Daemon, Redis, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
REQUESTS = "mongocached_requests_total"
DISCONNECTS = "mongocached_client_disconnects_total"
REJECTED = "mongocached_fills_rejected_total"


@pytest.fixture
def films(daemon: Daemon, upstream: Upstream) -> Iterator[Collection[Document]]:
    name = f"metrics_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct, pymongo.MongoClient(daemon.uri) as client:
        direct[name].films.insert_many([{"_id": i, "data": "x" * 1000} for i in range(50)])
        yield client[name].films
        direct.drop_database(name)


class TwoClients(NamedTuple):
    relay: RelayThread
    daemon: Daemon
    first: RawConnection
    second: RawConnection


@pytest.fixture
def two_clients(
    servers: Servers, upstream: Upstream, films: Collection[Document]
) -> Iterator[TwoClients]:
    """Of a daemon behind a relay; they may read, and have their connections to the upstream."""
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri)
    with (
        RawConnection("127.0.0.1", daemon.port) as first,
        RawConnection("127.0.0.1", daemon.port) as second,
    ):
        for connection in (first, second):
            connection.request(by_id(films.database.name, 1))
            connection.request({"ping": 1, "$db": "admin"})
        yield TwoClients(relay, daemon, first, second)


class Growth:
    """How much a metric has grown since this was made."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.before = daemon.metrics()

    def of(self, name: str, **labels: str) -> float:
        return self.daemon.metrics().value(name, **labels) - self.before.value(name, **labels)

    def wait(self, name: str, **labels: str) -> None:
        wait_until(lambda: self.of(name, **labels) > 0, what=f"{name} {labels} to grow")


def test_requests_and_durations(daemon: Daemon, films: Collection[Document]) -> None:
    grown = Growth(daemon)
    for _ in range(3):
        films.find_one({"_id": 1})
    films.update_one({"_id": 1}, {"$set": {"a": 1}})
    films.count_documents({})
    films.find_one({"_id": 2})
    commands = {"miss": "find", "l1_hit": "find", "write": "update", "bypass": "aggregate"}
    for outcome, command in (commands | {"local": "hello"}).items():
        grown.wait(REQUESTS, outcome=outcome, command=command)
        grown.wait("mongocached_request_duration_seconds_count", outcome=outcome)
    grown.wait("mongocached_request_duration_seconds_sum", outcome="miss")
    grown.wait("mongocached_bypass_total", reason="not_a_read")
    grown.wait("mongocached_invalidations_total", source="write")
    grown.wait("mongocached_upstream_duration_seconds_count")
    grown.wait("mongocached_redis_commands_total")
    grown.wait("mongocached_redis_duration_seconds_count")
    grown.wait("mongocached_cache_entries")
    grown.wait("mongocached_cache_bytes")


def test_commands_of_unknown_name_share_a_label(daemon: Daemon) -> None:
    grown = Growth(daemon)
    with RawConnection("127.0.0.1", daemon.port) as connection:
        for name in ("inventedA", "inventedB"):
            assert connection.request({name: 1, "$db": "admin"}).document["ok"] == 0
    wait_until(lambda: grown.of(REQUESTS, command="other") >= 2)
    assert "invented" not in daemon.metrics().text


def test_connections(daemon: Daemon) -> None:
    grown = Growth(daemon)
    with RawConnection("127.0.0.1", daemon.port) as connection:
        connection.request({"ping": 1, "$db": "admin"})
        grown.wait("mongocached_client_connections")
        grown.wait("mongocached_client_connections_total")
        grown.wait("mongocached_upstream_connections", state="idle")
    grown.wait(DISCONNECTS, reason="client_closed")
    wait_until(lambda: grown.of("mongocached_client_connections") == 0, what="the gauge to fall")


BAD_BYTES: dict[str, bytes] = {
    "not_mongodb": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad_frame": b"\x03\0\0\0\0\0\0\0\0\0\0\0\xdd\x07\0\0",
    "bad_message": op_msg({"ping": 1, "$db": "admin"}, flags=1 << 7),
    "bad_checksum": op_msg({"ping": 1, "$db": "admin"}, flags=1),
    "unsupported_opcode": b"\x14\0\0\0\x01\0\0\0\0\0\0\0\xd6\x07\0\0\0\0\0\0",
}


@pytest.mark.parametrize("reason", BAD_BYTES)
def test_bytes_that_end_a_connection(daemon: Daemon, reason: str) -> None:
    grown = Growth(daemon)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as client:
        client.sendall(BAD_BYTES[reason])
        assert client.recv(1) == b""
    grown.wait(DISCONNECTS, reason=reason)


def test_fills_that_are_refused(
    servers: Servers, upstream: Upstream, films: Collection[Document]
) -> None:
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, config='[cache]\nmax_entry = "500B"\n')
    grown = Growth(daemon)
    with pymongo.MongoClient(daemon.uri) as client:
        mine = client[films.database.name].films
        mine.find_one({"_id": 2})
        grown.wait(REJECTED, reason="size")
        list(mine.find({}, batch_size=2).limit(5))
        grown.wait(REJECTED, reason="reply")


def test_fill_that_a_write_overtook_is_dirty(
    two_clients: TwoClients, films: Collection[Document]
) -> None:
    relay, daemon, reader, writer = two_clients
    find = by_id(films.database.name, 4)
    change = {"q": {"_id": 4}, "u": {"$set": {"a": 1}}}
    update = {"update": "films", "updates": [change], "$db": films.database.name}
    grown = Growth(daemon)
    relay.set_delay(0.3)
    reader.send(find)
    grown.wait("mongocached_upstream_connections", state="busy")
    writer.send(update)
    assert reader.receive().document["ok"] == 1
    assert writer.receive().document["n"] == 1
    relay.set_delay(0)
    grown.wait(REJECTED, reason="dirty")
    straight = films.database.client[films.database.name].films.find_one({"_id": 4})
    assert reader.request(find).document["cursor"]["firstBatch"] == [straight]


def test_readers_of_the_same_document_share_a_flight(
    two_clients: TwoClients, films: Collection[Document]
) -> None:
    relay, daemon, first, second = two_clients
    find = by_id(films.database.name, 5)
    grown = Growth(daemon)
    relay.set_delay(0.3)
    first.send(find)
    grown.wait("mongocached_upstream_connections", state="busy")
    second.send(find)
    assert first.receive().document["cursor"] == second.receive().document["cursor"]
    # A request is counted behind its reply.
    wait_until(
        lambda: grown.of(REQUESTS, outcome="coalesced") == grown.of(REQUESTS, outcome="miss") == 1
    )


def test_evictions_and_expiry(
    servers: Servers, upstream: Upstream, films: Collection[Document]
) -> None:
    daemon = servers.daemon(upstream.uri, config='[cache]\nmemory = "1MiB"\nttl = "300ms"\n')
    grown = Growth(daemon)
    with pymongo.MongoClient(daemon.uri) as client:
        mine = client[films.database.name].films
        mine.insert_many([{"_id": f"big{i}", "data": "y" * 100_000} for i in range(30)])

        def expired() -> bool:
            mine.find_one({"_id": 7})
            return grown.of("mongocached_expired_total") > 0

        wait_until(expired, what="an entry to expire")
        grown.wait("mongocached_invalidations_total", source="ttl")
        for i in range(30):
            mine.find_one({"_id": f"big{i}"})
    grown.wait("mongocached_evictions_total")
    metrics = daemon.metrics()
    assert metrics.value("mongocached_cache_limit_bytes") == 1 << 20
    assert metrics.value("mongocached_cache_bytes") <= 1 << 20


def test_redis_is_missed(servers: Servers, upstream: Upstream) -> None:
    redis: Redis = servers.redis()
    daemon = servers.daemon(upstream.uri, redis.uri)
    wait_until(lambda: daemon.metrics().value("mongocached_redis_up") == 1)
    redis.kill()
    wait_until(lambda: daemon.metrics().value("mongocached_redis_up") == 0)


def test_gauges(daemon: Daemon) -> None:
    metrics = daemon.metrics()
    assert metrics.value("mongocached_stream_up") == 1
    assert 0 <= metrics.value("mongocached_stream_lag_seconds") < 1
    assert metrics.value("mongocached_build_info") == 1
    assert metrics.value("mongocached_upstream_up") == 1
