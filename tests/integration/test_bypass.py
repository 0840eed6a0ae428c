"""Every read that is not served from the cache is counted under the reason why."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, Regex
from support.raw import EXHAUST_ALLOWED, RawConnection
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
BYPASS = "mongocached_bypass_total"
REASONS: dict[str, list[Document]] = {
    "unknown_field": [{"filter": {"_id": 1}, "unheardOf": 1}],
    "read_concern": [{"filter": {"_id": 1}, "readConcern": {"level": "available"}}],
    "cursor_option": [{"filter": {"_id": 1}, "noCursorTimeout": True}],
    "option": [{"filter": {"_id": 1}, "returnKey": True}, {"filter": {"_id": 1}, "limit": -1}],
    "expression": [{"filter": {"$where": "true"}}, {"filter": {"$expr": {"$lt": ["$$NOW", "$d"]}}}],
    "batch_size": [
        {"filter": {}, "batchSize": 0},
        {"filter": {"_id": {"$in": [1, 2]}}, "batchSize": 1},
    ],
    "read_preference": [
        {"filter": {"_id": 1}, "$readPreference": {"mode": "nearest", "tags": [{"dc": "x"}]}}
    ],
}
# Reasons for which only a look-up by _id is refused: the query is cached as a list.
AS_A_LIST: list[Document] = [
    {"filter": {"_id": Regex("^a")}},
    {"filter": {"_id": None}},
    {"filter": {"_id": {"$in": [1, "a"]}}},
    {"filter": {"_id": 1}, "projection": {"a": {"$slice": 1}}},
    {"filter": {"_id": 1}, "collation": {"locale": "en"}},
    {"filter": {"_id": 1}, "hint": "_id_"},
]


@pytest.fixture(scope="module")
def database(upstream: Upstream) -> Iterator[str]:
    name = f"bypass_{uuid.uuid4().hex[:8]}"
    with upstream.client() as client:
        client[name].things.insert_many([{"_id": i, "a": [{"b": i}]} for i in range(5)])
        client[name].create_collection("small", capped=True, size=4096)
        client[name].small.insert_one({"_id": 1})
        yield name
        client.drop_database(name)


@pytest.fixture
def connection(daemon: Daemon, database: str) -> Iterator[RawConnection]:
    daemon.catch_up()  # what is found out of a collection is void when its creation is told
    with RawConnection("127.0.0.1", daemon.port) as connection:
        connection.request({"find": "things", "filter": {"_id": 4}, "$db": database})
        yield connection


def expect(
    daemon: Daemon, connection: RawConnection, reason: str, command: Document, **how: Any
) -> None:
    before = daemon.metrics().by(BYPASS, "reason")
    connection.request(command, **how)
    wait_until(lambda: daemon.metrics().by(BYPASS, "reason") != before, what=f"counted as {reason}")
    after = daemon.metrics().by(BYPASS, "reason")
    grown = {name: n - before.get(name, 0) for name, n in after.items() if n > before.get(name, 0)}
    assert grown == {reason: 1}, command


@pytest.mark.parametrize(
    ("reason", "parts"), [(reason, parts) for reason, all_ in REASONS.items() for parts in all_]
)
def test_the_reason_is_counted(
    daemon: Daemon, connection: RawConnection, database: str, reason: str, parts: Document
) -> None:
    expect(daemon, connection, reason, {"find": "things", **parts, "$db": database})


@pytest.mark.parametrize("parts", AS_A_LIST)
def test_refused_look_ups_are_cached_as_lists(
    daemon: Daemon, connection: RawConnection, database: str, parts: Document
) -> None:
    name = "mongocached_requests_total"
    command = {"find": "things", **parts, "$db": database}
    connection.request(command)
    before = daemon.metrics().value(name, outcome="l1_hit")
    connection.request(command)
    assert daemon.metrics().value(name, outcome="l1_hit") == before + 1


def test_namespaces_that_are_not_cached(
    daemon: Daemon, connection: RawConnection, database: str
) -> None:
    by_id = {"filter": {"_id": 1}}
    expect(daemon, connection, "namespace_kind", {"find": "small", **by_id, "$db": database})
    expect(daemon, connection, "namespace_unknown", {"find": "none", **by_id, "$db": database})
    for db in ("admin", "config", "local"):
        expect(daemon, connection, "internal_namespace", {"find": "x", **by_id, "$db": db})
    expect(daemon, connection, "internal_namespace", {"find": "system.x", **by_id, "$db": database})
    expect(daemon, connection, "bad_namespace", {"find": "", **by_id, "$db": database})


def test_commands_that_are_no_find(
    daemon: Daemon, connection: RawConnection, database: str
) -> None:
    expect(daemon, connection, "not_a_read", {"count": "things", "$db": database})


def test_exhaust(daemon: Daemon, connection: RawConnection, database: str) -> None:
    command = {"find": "things", "filter": {"_id": 1}, "$db": database}
    expect(daemon, connection, "cursor_option", command, flags=EXHAUST_ALLOWED)


def test_transactions(daemon: Daemon, connection: RawConnection, database: str) -> None:
    session = {"lsid": {"id": Binary(uuid.uuid4().bytes, 4)}, "txnNumber": bson.Int64(1)}
    session |= {"startTransaction": True, "autocommit": False}
    expect(daemon, connection, "transaction", {"find": "things", **session, "$db": database})


def test_projection_across_an_array(
    daemon: Daemon, connection: RawConnection, database: str
) -> None:
    command = {"find": "things", "filter": {"_id": 1}, "projection": {"a.b": 1}, "$db": database}
    expect(daemon, connection, "projection_array", command)


def test_first_read_of_a_new_identity_is_unproven_and_no_bypass(
    servers: Servers, upstream: Upstream, database: str
) -> None:
    """It is stored: counted among the reasons, they did not add up to the bypasses."""
    daemon = servers.daemon(upstream.uri)
    with RawConnection("127.0.0.1", daemon.port) as connection:
        connection.request({"count": "things", "$db": database})
        connection.request({"find": "things", "filter": {"_id": 1}, "$db": database})
        connection.request({"find": "small", "filter": {"_id": 1}, "$db": database})

        def bypasses() -> float:
            return daemon.metrics().value("mongocached_requests_total", outcome="bypass")

        wait_until(lambda: bypasses() >= 2, what="the bypasses to be counted")
        metrics = daemon.metrics()
        assert metrics.value("mongocached_unproven_misses_total") == 1
        reasons = metrics.by(BYPASS, "reason")
        assert "unproven" not in reasons
        assert sum(reasons.values()) == bypasses()


def test_documents_above_the_limit(servers: Servers, upstream: Upstream, database: str) -> None:
    daemon = servers.daemon(upstream.uri, config='[cache]\nmax_entry = "10KiB"\n')
    with upstream.client() as client:
        client[database].large.insert_one({"_id": 1, "data": b"x" * 200_000})
    with RawConnection("127.0.0.1", daemon.port) as connection:
        command = {"find": "large", "filter": {"_id": 1}, "$db": database}
        connection.request(command | {"filter": {"_id": 2}})  # proves the right to read
        connection.request(command)
        expect(daemon, connection, "too_large", command)


def test_disabled_for_a_collection(servers: Servers, upstream: Upstream, database: str) -> None:
    config = f'[[collection]]\nnamespace = "{database}.th*"\nenabled = false\n'
    daemon = servers.daemon(upstream.uri, config=config)
    with RawConnection("127.0.0.1", daemon.port) as connection:
        expect(daemon, connection, "disabled", {"find": "things", "$db": database})


def test_reads_during_a_write(servers: Servers, upstream: Upstream, database: str) -> None:
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri)
    with (
        pymongo.MongoClient(daemon.uri) as writer,
        RawConnection("127.0.0.1", daemon.port, timeout=20) as connection,
        RawConnection("127.0.0.1", daemon.port) as slow,
    ):
        command = {"find": "things", "filter": {"_id": 1}, "$db": database}
        connection.request(command)
        connection.request(command)
        writer[database].things.update_one({"_id": 3}, {"$set": {"x": 1}})
        slow.request({"ping": 1, "$db": "admin"})
        relay.set_delay(0.3)
        change = {"q": {"_id": 1}, "u": {"$set": {"x": 2}}}
        quiet = daemon.metrics().value("mongocached_upstream_connections", state="busy")
        slow.send({"update": "things", "updates": [change], "$db": database})
        wait_until(
            lambda: (
                daemon.metrics().value("mongocached_upstream_connections", state="busy") > quiet
            ),
            what="the update to be under way",
        )
        expect(daemon, connection, "pending_write", command)
        assert slow.receive().document["n"] == 1
