"""What the modes ttl and bounded promise, for one daemon and across two that share a Redis."""

from __future__ import annotations

import time
from typing import Any

import pymongo
from bson import Timestamp
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from support.counted import BYPASS, Counted, by_id, pass_by, seen_within, warm
from support.servers import Redis, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
Films = Collection[Document]
MAX_LAG = 1.0  # the default


# Mode ttl


def test_ttl_bounds_what_is_not_heard_of(
    servers: Servers, upstream: Upstream, films: Films
) -> None:
    config = '[cache]\nmode = "ttl"\nttl = "3s"\n'
    daemon = servers.daemon(upstream.uri, servers.redis().uri, config=config)
    read = by_id(films.database.name, 5)
    with Counted(daemon) as counted:
        counted.until(read)
        films.update_one({"_id": 5}, {"$set": {"n": 1}})
        written = time.monotonic()
        assert counted.found(read) == ("l1_hit", [{"_id": 5, "n": 0}]), "nothing tells of it"
        seen_within(3.0, lambda: counted.found(read)[1] == [{"_id": 5, "n": 1}], written)
    status = daemon.status()
    assert (status["freshness"]["mode"], status["stream"]["state"]) == ("ttl", "not asked for")


def test_one_collection_is_cached_where_nothing_else_is(
    servers: Servers, upstream: Upstream, films: Films
) -> None:
    name = films.database.name
    films.database.other.insert_one({"_id": 5, "n": 0})
    rule = f'[[collection]]\nnamespace = "{films.full_name}"\nenabled = true\n'
    daemon = servers.daemon(upstream.uri, config="[cache]\nenabled = false\n" + rule)
    other = by_id(name, 5, "other")
    with Counted(daemon) as counted:
        counted.until(by_id(name, 5))
        for _ in range(3):
            assert counted.found(other)[0] == "bypass"
    assert {"reason": "disabled", "requests": 3} in daemon.status()["not_served_from_cache"]
    with pymongo.MongoClient(daemon.uri) as client:
        for find, cacheable in ((by_id(name, 5), True), (other, False)):
            question = {key: value for key, value in find.items() if key != "$db"}
            told = client[name].command({"mongocached": "explain", "command": question})
            assert told["cacheable"] is cacheable


def test_ttl_for_one_collection_beside_bounded(
    servers: Servers, upstream: Upstream, films: Films
) -> None:
    """With the gate shut the one goes on by its ttl, and the other is forwarded."""
    name = films.database.name
    slow = films.database.slow
    slow.insert_one({"_id": 5, "n": 0})
    config = f'[cache]\nttl = "60s"\n[[collection]]\nnamespace = "{name}.slow"\nmode = "ttl"\n'
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, servers.redis().uri, config=config)
    with Counted(daemon) as counted:
        counted.until(by_id(name, 5, "slow"))
        counted.until(by_id(name, 5))
        relay.stall()
        try:
            stalled = time.monotonic()
            for collection in (slow, films):
                collection.update_one({"_id": 5}, {"$set": {"n": 1}})
            pass_by(MAX_LAG, stalled)
            assert counted.found(by_id(name, 5, "slow")) == ("l1_hit", [{"_id": 5, "n": 0}])
            counted.connection.send(by_id(name, 5))
        finally:
            relay.flow()
        batch = counted.connection.receive().document["cursor"]["firstBatch"]
        assert batch == [{"_id": 5, "n": 1}]
        assert daemon.metrics().value(BYPASS, reason="gate_shut") >= 1


# Mode bounded


def follow(session: ClientSession, after: ClientSession) -> None:
    assert after.cluster_time is not None
    assert isinstance(after.operation_time, Timestamp)
    session.advance_cluster_time(after.cluster_time)
    session.advance_operation_time(after.operation_time)


def test_bounded_causal_sessions_hold_across_daemons(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """Memory of the reading daemon holds the old value each time."""
    a, b = (servers.daemon(upstream.uri, redis.uri) for _ in range(2))
    name = films.database.name
    warm(b, name, 300, "l1_hit")
    with (
        pymongo.MongoClient(a.uri) as writing,
        pymongo.MongoClient(b.uri) as reading,
        writing.start_session() as here,
        reading.start_session() as there,
    ):
        for id_ in range(200):
            change = {"$set": {"n": id_ + 1}}
            writing[name].films.update_one({"_id": id_}, change, session=here)
            follow(there, here)
            found = reading[name].films.find_one({"_id": id_}, session=there)
            assert found == {"_id": id_, "n": id_ + 1}
            listed = list(reading[name].films.find({"n": id_ + 1}, session=there))
            assert listed == [{"_id": id_, "n": id_ + 1}]
            follow(here, there)


def test_bounded_push_tells_the_other_daemon(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    a, b = (servers.daemon(upstream.uri, redis.uri) for _ in range(2))
    name = films.database.name

    def pushes() -> float:
        return a.metrics().value("mongocached_invalidations_total", source="push")

    with Counted(a) as reader, pymongo.MongoClient(b.uri) as writing:
        for n in range(1, 6):
            reader.until(by_id(name, 5))
            before = pushes()
            writing[name].films.update_one({"_id": 5}, {"$set": {"n": n}})
            written = time.monotonic()
            wait_until(lambda before=before: pushes() > before, what="a push")
            seen_within(MAX_LAG, lambda n=n: reader.found(by_id(name, 5))[1][0]["n"] == n, written)
