"""Mode bounded when the stream stalls or is lost, and when somebody sleeps or dies."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
import redis
from support.behind import FILM, MAX_LAG, fill, stream_up, write_behind
from support.counted import BYPASS, Counted, by_id, pass_by, seen_within
from support.relay import RelayThread
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
LIST: Document = {"find": "films", "filter": {"n": {"$gte": 0}}, "limit": 5, "$db": "t"}
SMALL_OPLOG = ["--oplog-max-entries", "200"]


@pytest.fixture
def own_upstream(servers: Servers) -> Upstream:
    upstream = servers.upstream()
    fill(upstream)
    return upstream


def insert_many_behind(upstream: Upstream) -> None:
    with upstream.client() as client:
        for _ in range(10):
            client.t.noise.insert_many([{} for _ in range(100)])


def gate_shut(daemon: Daemon) -> float:
    return daemon.metrics().value(BYPASS, reason="gate_shut")


@contextmanager
def stalled(relay: RelayThread, _: Upstream) -> Iterator[None]:
    relay.stall()
    try:
        yield
    finally:
        relay.flow()


@contextmanager
def frozen(_: RelayThread, upstream: Upstream) -> Iterator[None]:
    upstream.process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        upstream.process.signal(signal.SIGCONT)


Stall = Callable[[RelayThread, Upstream], Any]


@pytest.mark.parametrize("stall", [stalled, frozen])
def test_gate_shuts_while_nothing_is_heard(
    servers: Servers, own_upstream: Upstream, stall: Stall
) -> None:
    """What is asked max_lag after the last word goes upstream, though the answer lies in memory."""
    relay = servers.relay(own_upstream.port)
    daemon = servers.daemon(relay.uri, servers.redis().uri)
    with Counted(daemon) as counted:
        counted.until(FILM)
        before, bypassed = counted.changed({}), gate_shut(daemon)
        with stall(relay, own_upstream):
            begun = time.monotonic()
            wait_until(lambda: not stream_up(daemon), what="the gate to shut")
            if stall is stalled:
                write_behind(own_upstream, 77)
            pass_by(MAX_LAG, begun)
            counted.connection.send(FILM)
            assert counted.changed({}) == before, "it waits for the upstream, as nobody answers"
        (film,) = counted.connection.receive().document["cursor"]["firstBatch"]
        assert film["n"] == (77 if stall is stalled else 1)
        wait_until(lambda: gate_shut(daemon) == bypassed + 1, what="the bypass to be counted")
        wait_until(lambda: stream_up(daemon), what="the gate to open")
        assert counted.until(FILM) == [film]


def fail_streams(upstream: Upstream, mode: str) -> None:
    data = {"failCommands": ["getMore", "aggregate"], "errorCode": 6}
    with upstream.client() as client:
        client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


def test_stream_fails_and_reads_go_on(servers: Servers, own_upstream: Upstream) -> None:
    """Only the stream is away: after max_lag everything is forwarded; then it is resumed."""
    daemon = servers.daemon(own_upstream.uri, servers.redis().uri)
    with Counted(daemon) as counted:
        counted.until(FILM)
        fail_streams(own_upstream, "alwaysOn")
        failed = time.monotonic()
        written = write_behind(own_upstream, 5)
        seen_within(MAX_LAG, lambda: counted.found(FILM)[1][0]["n"] == 5, written)
        wait_until(lambda: not stream_up(daemon), what="the stream to be lost")
        pass_by(MAX_LAG, failed)
        bypassed = gate_shut(daemon)
        for n in range(10):
            write_behind(own_upstream, 100 + n)
            assert counted.found(FILM) == ("bypass", [{"_id": 1, "n": 100 + n, "word": "old"}])
        assert gate_shut(daemon) == bypassed + 10
        assert daemon.status()["stream"]["state"] == "lost"
        fail_streams(own_upstream, "off")
        assert counted.until(FILM)[0]["n"] == 109
        assert "events were missed" not in daemon.process.log_text()


def test_readers_by_ttl_see_writes_of_unknown_keys_though_the_stream_is_away(
    servers: Servers, own_upstream: Upstream
) -> None:
    """What the stream would have told Redis, whoever writes to such a collection tells it."""
    shared = servers.redis()
    rule = '[[collection]]\nnamespace = "t.films"\nmode = "ttl"\n'
    writer = servers.daemon(own_upstream.uri, shared.uri, config=rule)
    by_ttl = '[cache]\nmode = "ttl"\nmemory = "0"\n'
    elsewhere = servers.daemon(own_upstream.uri, shared.uri, config=by_ttl)
    wait_until(lambda: stream_up(writer), what="the stream to be followed")
    with Counted(elsewhere) as counted, pymongo.MongoClient(writer.uri) as client:
        counted.until(FILM, "redis_hit")
        fail_streams(own_upstream, "alwaysOn")
        wait_until(lambda: not stream_up(writer), what="the stream to be lost")
        client.t.films.update_many({}, {"$set": {"n": 5}})
        assert counted.found(FILM)[1][0]["n"] == 5


def test_connections_cut_while_a_write_goes_behind(
    servers: Servers, own_upstream: Upstream
) -> None:
    """The stream is resumed where it stopped: what was written in between is told."""
    relay = servers.relay(own_upstream.port)
    daemon = servers.daemon(relay.uri, servers.redis().uri)
    for n in range(5):
        with Counted(daemon) as counted:
            counted.until(FILM)
            counted.until(LIST)
        relay.refuse()
        relay.cut()
        written = write_behind(own_upstream, 1000 + n)
        relay.accept()
        wait_until(lambda: daemon.metrics().value("mongocached_upstream_up") == 1)
        daemon.catch_up()
        with Counted(daemon) as counted:
            seen_within(MAX_LAG, lambda n=n: counted.until(FILM)[0]["n"] == 1000 + n, written)
            assert 1000 + n in [film["n"] for film in counted.until(LIST)]


@pytest.mark.parametrize("command", [FILM, LIST], ids=["document", "list"])
def test_daemon_that_slept_serves_nothing_old(
    servers: Servers, own_upstream: Upstream, command: Document
) -> None:
    daemon = servers.daemon(own_upstream.uri, servers.redis().uri)
    with Counted(daemon) as counted:
        for n in range(3):
            counted.until(command)
            daemon.process.signal(signal.SIGSTOP)
            try:
                written = write_behind(own_upstream, 50 + n)
                pass_by(MAX_LAG, written)
                counted.connection.send(command)  # lies there when it wakes
            finally:
                daemon.process.signal(signal.SIGCONT)
            found = counted.connection.receive().document["cursor"]["firstBatch"]
            assert 50 + n in [film["n"] for film in found]


@pytest.mark.parametrize("how", ["cut", "restarted", "killed"])
def test_history_lost(servers: Servers, how: str) -> None:
    """What happened meanwhile nobody can tell any more: everything is void, and hits come back."""
    upstream = servers.upstream(extra=SMALL_OPLOG)
    fill(upstream)
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, servers.redis().uri)
    with Counted(daemon) as counted:
        for command in (FILM, LIST, by_id("t", 2)):
            counted.until(command)
    wait_until(lambda: in_redis(daemon) >= 3, what="fills in Redis")
    away: dict[str, Callable[[], object]] = {
        "cut": lambda: (relay.refuse(), relay.cut()),
        "restarted": daemon.stop,
        "killed": daemon.kill,
    }
    away[how]()
    written = write_behind(upstream, 4711)
    insert_many_behind(upstream)
    if how == "cut":
        pass_by(MAX_LAG, written)
        relay.accept()
    else:
        daemon.start_again()
    wait_until(lambda: daemon.metrics().value("mongocached_upstream_up") == 1)
    with Counted(daemon) as counted:
        assert counted.found(FILM)[1][0]["n"] == 4711
        assert 4711 in [film["n"] for film in counted.found(LIST)[1]]
        wait_until(
            lambda: "events were missed: everything cached is void" in daemon.process.log_text()
        )
        # Void is also what nobody wrote: it cannot be told from the rest.
        if how != "cut":
            assert counted.found(by_id("t", 2))[0] not in ("redis_hit", "l1_hit")
        wait_until(lambda: stream_up(daemon), what="the stream to be followed again")
        assert daemon.status()["stream"]["state"] == "opened"
        assert counted.until(FILM)[0]["n"] == 4711
        assert 4711 in [film["n"] for film in counted.until(LIST)]


def in_redis(daemon: Daemon) -> int:
    with redis.Redis.from_url(daemon.redis_uri) as client:
        return len(list(client.scan_iter("*:v:*")))
