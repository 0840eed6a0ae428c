"""Whose entries in Redis are whose: clusters that go by one name, and daemons of one cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from support.counted import Counted, by_id
from support.raw import connect
from support.scripted_upstream import STANDALONE, Document, ScriptedUpstream
from support.servers import Daemon, Redis, Servers, Unready, Upstream
from support.wait import wait_until

FILM = by_id("app", 5)
LIST = {"find": "films", "filter": {}, "sort": {"_id": 1}, "limit": 2, "$db": "app"}
TTL = '[cache]\nmode = "ttl"\nttl = "60s"\n'


@pytest.fixture(params=["ttl", "bounded"])
def config(request: pytest.FixtureRequest) -> str:
    return TTL if request.param == "ttl" else ""


def cluster(servers: Servers, who: str) -> Upstream:
    """One whose documents say who it is. SecantusDB is given the collection that a mongod has."""
    upstream = servers.upstream()
    with upstream.client() as client:
        if not upstream.mongod:
            client.app.create_collection("version")
            client.admin.command("renameCollection", "app.version", to="admin.system.version")
        client.app.films.insert_many([{"_id": i, "of": who} for i in range(10)])
    return upstream


def redis_is_up(daemon: Daemon) -> None:
    wait_until(lambda: daemon.status()["redis"]["up"], what="Redis")


def in_redis(redis: Redis) -> None:
    def stored() -> bool:
        with redis.client() as client:
            return any(b":v:{" in key for key in client.scan_iter())

    wait_until(stored, what="an entry in Redis")


def name_of(daemon: Daemon) -> str:
    name: str = daemon.status()["redis"]["cluster_id"]
    return name


def test_clusters_that_go_by_one_name_share_nothing(
    servers: Servers, redis: Redis, config: str
) -> None:
    production, staging = cluster(servers, "production"), cluster(servers, "staging")
    relay = servers.relay(production.port)
    first = servers.daemon(relay.uri, redis.uri, config=config)
    redis_is_up(first)
    with Counted(first) as counted:
        for question in (FILM, LIST):
            assert all(film["of"] == "production" for film in counted.until(question))
        relay.set_target(staging.port)  # what is connected stays
        second = servers.daemon(relay.uri, redis.uri, config=config)
        redis_is_up(second)
        with Counted(second) as other:
            for question in (FILM, LIST):
                for _ in range(4):
                    how, films = other.found(question)
                    assert films[0]["of"] == "staging", how
                    assert how != "redis_hit"
    assert name_of(first) != name_of(second)


def test_daemons_of_one_cluster_share(servers: Servers, redis: Redis, config: str) -> None:
    upstream = cluster(servers, "production")
    first = servers.daemon(upstream.uri, redis.uri, config=config)
    redis_is_up(first)
    with Counted(first) as counted:
        counted.until(FILM)
        counted.until(FILM, "l1_hit")
    second = servers.daemon(upstream.uri, redis.uri, config=config)
    redis_is_up(second)
    assert name_of(first) == name_of(second)
    with Counted(second) as other:
        other.ask(by_id("app", 6))  # proves the right to read
        assert other.found(FILM) == ("redis_hit", [{"_id": 5, "of": "production"}])
    for daemon in (first, second):
        assert "key_prefix" not in daemon.process.log_text()


def test_cluster_that_takes_the_place_of_another_does_not_use_its_redis(
    servers: Servers, redis: Redis
) -> None:
    production, staging = cluster(servers, "production"), cluster(servers, "staging")
    relay = servers.relay(production.port)
    daemon = servers.daemon(relay.uri, redis.uri, config=TTL)
    redis_is_up(daemon)
    with Counted(daemon) as counted:
        counted.until(FILM)
    before = name_of(daemon)
    relay.set_target(staging.port)
    relay.cut()
    wait_until(lambda: "another cluster" in daemon.process.log_text(), what="the error in the log")
    assert not daemon.status()["redis"]["up"]
    with Counted(daemon) as counted:
        counted.ask(by_id("app", 6))  # proves the right to read
        for _ in range(4):
            how, films = counted.found(FILM)
            assert (how != "redis_hit", films) == (True, [{"_id": 5, "of": "staging"}])
    daemon.restart()
    redis_is_up(daemon)
    assert name_of(daemon) != before


def test_same_cluster_that_was_away_uses_redis_again(servers: Servers, redis: Redis) -> None:
    relay = servers.relay(cluster(servers, "production").port)
    daemon = servers.daemon(relay.uri, redis.uri, config=TTL)
    redis_is_up(daemon)
    relay.refuse()
    relay.cut()
    wait_until(lambda: not daemon.status()["upstream"]["available"], what="the loss")
    relay.accept()
    wait_until(lambda: daemon.status()["upstream"]["available"], what="the upstream")
    redis_is_up(daemon)
    assert "another cluster" not in daemon.process.log_text()


class Versioned(ScriptedUpstream):
    """A standalone with one document, which an update changes. Its times tell nothing."""

    def __init__(self, refusal: Mapping[str, Any] | None = None) -> None:
        super().__init__(STANDALONE)
        self.n = 0
        self.refusal = refusal
        """In place of the collections of admin."""

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def _reply(self, name: str, command: Document) -> Document:
        if name == "update":
            self.n += 1
        if name == "listCollections" and command["$db"] == "admin" and self.refusal:
            return dict(self.refusal)
        reply = super()._reply(name, command)
        if name == "find":
            reply["cursor"]["firstBatch"] = [{"_id": 5, "n": self.n}]
        return reply


@contextmanager
def begun(servers: Servers, upstream: ScriptedUpstream, redis: Redis) -> Iterator[Unready]:
    daemon = Unready(servers.folder(), upstream.uri, redis.uri, config=TTL)
    servers.running.append(daemon)
    daemon.start()
    wait_until(lambda: daemon.readiness()[0] == 200, what="the upstream")
    yield daemon


def test_cluster_that_does_not_say_which_it_is_goes_by_its_hosts(
    servers: Servers, redis: Redis
) -> None:
    refusal = {"ok": 0.0, "code": 13, "errmsg": "not authorized on admin"}
    with Versioned(refusal) as upstream, Versioned() as silent:
        for one in (upstream, silent):
            with begun(servers, one, redis) as daemon:
                redis_is_up(daemon)
                assert daemon.process.log_text().count("key_prefix") == 1


def is_withheld(daemon: Daemon) -> bool:
    """Redis is configured, and not used before the cluster has said which one it is."""
    told, metrics = daemon.status()["redis"], daemon.metrics()
    gauges = [metrics.value(f"mongocached_redis_{name}") for name in ("configured", "up")]
    waits = "not used: the cluster has not said yet which one it is" in told["state"]
    return waits and told["configured"] and told["cluster_id"] is None and gauges == [1, 0]


def test_write_before_redis_is_used_is_told_it_then(servers: Servers, redis: Redis) -> None:
    update = {"update": "films", "updates": [{"q": {"_id": 5}, "u": {"$inc": {"n": 1}}}]}
    with Versioned() as upstream, begun(servers, upstream, redis) as first:
        redis_is_up(first)
        with Counted(first) as counted:
            counted.until(FILM)
        in_redis(redis)
        with (
            upstream.holding("listCollections") as is_asked,
            begun(servers, upstream, redis) as second,
        ):
            wait_until(is_asked, what="the question which cluster it is")
            assert is_withheld(second)
            with connect(second) as client:
                assert client.request({**update, "$db": "app"}).document["ok"] == 1
            upstream.release("listCollections")
            redis_is_up(second)
            with Counted(second) as counted:
                counted.ask(by_id("app", 6))  # proves the right to read
                assert counted.found(FILM)[1] == [{"_id": 5, "n": 1}]
