"""Redis, daemon and upstream stopped, frozen, full, restarted: no wrong answer, no error."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, PyMongoError
from support.raw import RawConnection
from support.servers import Daemon, Redis, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
NO_MEMORY = '[cache]\nmemory = "0"\n'


class Traffic:
    """One thread that counts a document up and must always read what it wrote last."""

    def __init__(self, uri: str, database: str, retry: bool = False) -> None:
        self.client: pymongo.MongoClient[Document] = pymongo.MongoClient(
            uri, serverSelectionTimeoutMS=20_000, socketTimeoutMS=20_000
        )
        self.counters = self.client[database].counters
        self.retry = retry
        self.rounds = 0
        self.retries = 0
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.rounds += 1
                self._round(self.rounds)
        except BaseException as error:
            self.failure = error

    def _round(self, number: int) -> None:
        id_ = number % 5
        self._try(lambda: self.counters.replace_one({"_id": id_}, {"n": number}, upsert=True))
        for _ in range(3):
            assert self._try(lambda: self.counters.find_one({"_id": id_})) == {
                "_id": id_,
                "n": number,
            }
            listed = self._try(lambda: list(self.counters.find({"n": number})))
            assert listed == [{"_id": id_, "n": number}]

    def _try(self, action: Any) -> Any:
        while True:
            try:
                return action()
            except (AutoReconnect, PyMongoError):
                if not self.retry or self._stop.is_set():
                    raise
                self.retries += 1

    def goes_on(self, rounds: int = 15) -> None:
        target = self.rounds + rounds
        wait_until(
            lambda: self.failure or self.rounds >= target, deadline=40, what="traffic to go on"
        )
        if self.failure:
            raise self.failure

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self.client.close()
        if self.failure and not self.retry:
            raise self.failure


@contextmanager
def traffic(server: Daemon, retry: bool = False) -> Iterator[Traffic]:
    running = Traffic(server.uri, f"faults_{uuid.uuid4().hex[:8]}", retry)
    try:
        running.goes_on()
        yield running
        running.goes_on()
    finally:
        running.stop()


@pytest.fixture(params=["", NO_MEMORY], ids=["memory", "Redis only"])
def pair(
    request: pytest.FixtureRequest, servers: Servers, upstream: Upstream
) -> tuple[Daemon, Redis]:
    redis = servers.redis()
    return servers.daemon(upstream.uri, redis.uri, config=request.param), redis


def redis_up(daemon: Daemon) -> bool:
    return daemon.metrics().value("mongocached_redis_up") == 1


def test_redis_restarted_under_traffic(pair: tuple[Daemon, Redis]) -> None:
    daemon, redis = pair
    with traffic(daemon) as running:
        redis.kill()
        running.goes_on()
        wait_until(lambda: not redis_up(daemon), what="Redis to be missed")
        redis.start_again()
        wait_until(lambda: redis_up(daemon), deadline=30, what="Redis to be used again")
        running.goes_on()
    assert daemon.metrics().value("mongocached_redis_commands_total") > 0


def test_redis_frozen_under_traffic(pair: tuple[Daemon, Redis]) -> None:
    daemon, redis = pair
    with traffic(daemon) as running:
        redis.process.signal(signal.SIGSTOP)
        try:
            running.goes_on()
            assert daemon.metrics().value("mongocached_redis_errors_total") > 0
        finally:
            redis.process.signal(signal.SIGCONT)
        running.goes_on()
        wait_until(lambda: redis_up(daemon), deadline=30, what="Redis to be used again")
        running.goes_on()


def test_redis_full(pair: tuple[Daemon, Redis]) -> None:
    daemon, redis = pair
    with traffic(daemon) as running, redis.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1mb")  # less than it holds already: it takes nothing more
        running.goes_on(40)


def test_redis_flushed(pair: tuple[Daemon, Redis]) -> None:
    daemon, redis = pair
    with traffic(daemon) as running, redis.client() as client:
        for _ in range(5):
            client.flushall()
            running.goes_on(5)


def spoil(redis: Redis) -> int:
    """Flips a bit in the middle of every string and every hash field; how many."""
    spoiled = 0

    def flipped(value: bytes) -> bytes:
        at = len(value) // 2
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]

    with redis.client() as client:
        for key in client.scan_iter():
            if client.type(key) == b"string" and (value := client.get(key)):
                client.set(key, flipped(value), keepttl=True)
                spoiled += 1
            elif client.type(key) == b"hash":
                for field, value in client.hgetall(key).items():
                    if value:
                        client.hset(key, field, flipped(value))
                        spoiled += 1
    return spoiled


def test_spoiled_values_are_misses(servers: Servers, upstream: Upstream) -> None:
    redis = servers.redis()
    daemon = servers.daemon(upstream.uri, redis.uri, config=NO_MEMORY)
    database = f"faults_{uuid.uuid4().hex[:8]}"
    name = "mongocached_requests_total"
    with pymongo.MongoClient(daemon.uri) as client:
        films = client[database].films
        films.insert_many([{"_id": i, "title": f"film {i}" * 5} for i in range(20)])
        reads = [lambda i=i: films.find_one({"_id": i}) for i in range(20)]
        reads.append(lambda: films.find_one({"_id": "nobody"}))
        reads.append(lambda: list(films.find({}).sort("_id", 1).limit(5)))
        expected = [read() for read in reads]
        wait_until(lambda: [read() for read in reads] == expected
                   and daemon.metrics().value(name, outcome="redis_hit") >= 20)  # fmt: skip
        assert spoil(redis) >= 22
        before = daemon.metrics().value(name, outcome="redis_hit")
        assert [read() for read in reads] == expected
        assert daemon.metrics().value(name, outcome="redis_hit") == before
        films.update_one({"_id": 1}, {"$set": {"title": "new"}})
        assert films.find_one({"_id": 1}) == {"_id": 1, "title": "new"}
        client.drop_database(database)


def test_daemon_restarted_under_traffic(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, servers.redis().uri)
    with traffic(daemon, retry=True) as running:
        assert daemon.stop() == 0
        daemon.start_again()
        running.goes_on()
        daemon.kill()
        daemon.start_again()
        running.goes_on()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_upstream_restarted_under_traffic(servers: Servers, how: str) -> None:
    # Without it a kill loses the last writes, which is a rollback and another test's matter.
    upstream = servers.upstream(extra=["--sync-on-commit"] if how == "killed" else [])
    daemon = servers.daemon(upstream.uri, servers.redis().uri)
    with traffic(daemon, retry=True) as running:
        if how == "stopped":
            upstream.restart()
        else:
            upstream.kill()
            upstream.start_again()
        running.goes_on()


def test_connections_to_the_upstream_cut_under_traffic(
    servers: Servers, upstream: Upstream
) -> None:
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, servers.redis().uri)
    with traffic(daemon, retry=True) as running:
        for _ in range(5):
            relay.cut()
            running.goes_on(5)


def test_cached_documents_are_served_while_the_upstream_is_away(servers: Servers) -> None:
    upstream = servers.upstream()
    daemon = servers.daemon(upstream.uri)
    with upstream.client() as client:
        client.t.c.insert_one({"_id": 1})
    with RawConnection("127.0.0.1", daemon.port) as connection:
        command = {"find": "c", "filter": {"_id": 1}, "maxTimeMS": 500, "$db": "t"}
        for _ in range(2):
            connection.request(command)
        daemon.catch_up()  # what is not settled falls with the connection
        upstream.kill()
        assert connection.request(command).document["cursor"]["firstBatch"] == [{"_id": 1}]
