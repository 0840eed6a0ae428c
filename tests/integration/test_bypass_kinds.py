"""Reasons for a bypass that it takes a special request, time or kind of upstream to cause."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import bson
import pymongo
import pytest
from bson import Timestamp
from pymongo.client_session import ClientSession
from support.raw import RawConnection
from support.scripted_upstream import MONGOS, PRIMARY, STANDALONE, ScriptedUpstream
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
REQUESTS = "mongocached_requests_total"
BYPASS = "mongocached_bypass_total"
FIND: Document = {"find": "things", "filter": {"_id": 1}, "$db": "kinds"}


def reasons(daemon: Daemon) -> dict[str, float]:
    return daemon.metrics().by(BYPASS, "reason")


def settled(daemon: Daemon, connection: RawConnection) -> dict[str, float]:
    """With the request before: it is counted behind its reply, but before the next is looked at."""
    connection.request({"hello": 1, "$db": "admin"})
    return reasons(daemon)


def grown(daemon: Daemon, before: Mapping[str, float]) -> dict[str, float]:
    """The reasons counted since, once there is one."""
    after = wait_until(lambda: (now := reasons(daemon)) != before and now, what="a reason")
    return {name: n - before.get(name, 0) for name, n in after.items() if n > before.get(name, 0)}


def hits(daemon: Daemon) -> float:
    return daemon.metrics().value(REQUESTS, outcome="l1_hit")


@pytest.fixture
def database(upstream: Upstream) -> Iterator[str]:
    name = f"kinds_{uuid.uuid4().hex[:8]}"
    with upstream.client() as client:
        client[name].things.insert_many([{"_id": i, "n": 0} for i in range(3)])
        yield name
        client.drop_database(name)


def time_after_a_write_past_the_daemon(upstream: Upstream, database: str) -> ClientSession:
    with upstream.client() as client, client.start_session() as session:
        client[database].things.update_one({"_id": 1}, {"$inc": {"n": 1}}, session=session)
        return session


def test_causal_session_that_knows_of_a_newer_write(
    servers: Servers, upstream: Upstream, database: str
) -> None:
    """The entry is too old for it, and no reply has brought us a time that a fill could name."""
    daemon = servers.daemon(upstream.uri, config='[cache]\nmode = "ttl"\n')
    with pymongo.MongoClient(daemon.uri) as client, client.start_session() as session:
        things = client[database].things
        for _ in range(3):
            assert things.find_one({"_id": 1}) == {"_id": 1, "n": 0}
        written = time_after_a_write_past_the_daemon(upstream, database)
        session.advance_cluster_time(written.cluster_time)
        session.advance_operation_time(written.operation_time)
        before = reasons(daemon)
        assert things.find_one({"_id": 1}, session=session) == {"_id": 1, "n": 1}
        assert grown(daemon, before) == {"causal": 1}
        # Its reply told the time: the next one fills, and the one behind that is a hit.
        at = hits(daemon)
        for _ in range(2):
            assert things.find_one({"_id": 1}, session=session) == {"_id": 1, "n": 1}
        assert hits(daemon) >= at
        assert grown(daemon, before) == {"causal": 1}


def test_malformed_filter_is_the_upstreams_to_judge(
    daemon: Daemon, upstream: Upstream, database: str
) -> None:
    find = {"find": "things", "filter": {"n": "four"}, "$db": database}
    right = struct.pack("<i", 5) + b"four"
    wrong = bson.encode(find).replace(right, struct.pack("<i", 500) + b"four")
    with RawConnection("127.0.0.1", daemon.port) as connection:
        connection.request(find)
        before = settled(daemon, connection)
        connection.send(wrong)
        assert grown(daemon, before) == {"malformed": 1}
        answer = connection.receive()
    with RawConnection("127.0.0.1", upstream.port) as straight:
        assert answer.comparable == straight.request(wrong).comparable


def test_request_too_large_to_be_looked_at(daemon: Daemon, database: str) -> None:
    members = [f"{i:0>1000}" for i in range(400)]
    find = {"find": "things", "filter": {"_id": {"$in": [*members, 1]}}, "$db": database}
    with RawConnection("127.0.0.1", daemon.port) as connection:
        before = settled(daemon, connection)
        answer = connection.request(find).document
        assert answer["cursor"]["firstBatch"] == [{"_id": 1, "n": 0}]
        assert grown(daemon, before) == {"request_size": 1}


def test_namespaces_above_the_limit(servers: Servers) -> None:
    tracked = 10_000
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri)
        with RawConnection("127.0.0.1", daemon.port, timeout=60) as connection:
            connection.request(FIND)  # one of them
            for i in range(tracked):
                refused = {"find": f"c{i}", "tailable": True, "$db": "many"}  # needs no look-ups
                assert connection.request(refused).document["ok"] == 1
            assert settled(daemon, connection)["namespace_limit"] == 1
            at = hits(daemon)
            wait_until(
                lambda: connection.request(FIND).document["ok"] == 1 and hits(daemon) > at,
                what="a hit on what was tracked already",
            )


def test_sharded_cluster(servers: Servers) -> None:
    """Look-ups by _id are relayed, because several shards may hold it; lists are cached."""
    with ScriptedUpstream(MONGOS) as upstream:
        daemon = servers.daemon(upstream.uri)
        with RawConnection("127.0.0.1", daemon.port) as connection:
            list_ = FIND | {"filter": {"n": 1}}
            connection.request(list_)
            before = settled(daemon, connection)
            assert connection.request(FIND).document["cursor"]["firstBatch"] == [{"_id": 1}]
            assert grown(daemon, before) == {"sharded": 1}
            at = hits(daemon)
            connection.request(list_)
            assert hits(daemon) == at + 1


def test_standalone_needs_no_times(servers: Servers) -> None:
    with ScriptedUpstream(STANDALONE) as upstream:
        daemon = servers.daemon(upstream.uri)
        with RawConnection("127.0.0.1", daemon.port) as connection:
            assert "msg" not in connection.request({"hello": 1, "$db": "admin"}).document
            answers = [connection.request(FIND) for _ in range(3)]
            assert hits(daemon) == 2
        assert len({answer.body for answer in answers}) == 1


def test_time_that_nobody_has_reached_is_causal(servers: Servers) -> None:
    with ScriptedUpstream(PRIMARY) as upstream:
        daemon = servers.daemon(upstream.uri)
        with RawConnection("127.0.0.1", daemon.port) as connection:
            for _ in range(3):
                connection.request(FIND)
            later = Timestamp(upstream.time.time + 1, 1)
            causal = FIND | {"readConcern": {"level": "local", "afterClusterTime": later}}
            before = settled(daemon, connection)
            connection.request(causal)
            assert grown(daemon, before) == {"causal": 1}
            upstream.time = later
            at = hits(daemon)
            for command in ({"ping": 1, "$db": "admin"}, causal, causal):
                connection.request(command)
            assert hits(daemon) == at + 1
