"""The metrics of what goes wrong: each moves when its fault is made to happen."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.errors import NotPrimaryError
from support.raw import RawConnection
from support.scripted_upstream import SECONDARY, ScriptedUpstream
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
REQUESTS = "mongocached_requests_total"
DISCONNECTS = "mongocached_client_disconnects_total"
REJECTED = "mongocached_fills_rejected_total"
INVALIDATIONS = "mongocached_invalidations_total"
FIND: Document = {"find": "things", "filter": {"_id": 1}, "$db": "faults"}
OTHER: Document = FIND | {"filter": {"_id": 2}}
LIST: Document = FIND | {"filter": {"n": 1}}
UPDATE: Document = {"update": "things", "$db": "faults"}
UPDATE |= {"updates": [{"q": {"_id": 1}, "u": {"$set": {"n": 1}}}]}


@pytest.fixture
def scripted() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def connect(daemon: Daemon) -> RawConnection:
    return RawConnection("127.0.0.1", daemon.port)


def counted(daemon: Daemon, name: str, **labels: str) -> None:
    """It was 0 when the daemon of this test began, and is 1 soon."""
    wait_until(lambda: daemon.metrics().value(name, **labels) == 1, what=f"{name} {labels}")


def test_lost_upstream(servers: Servers, scripted: ScriptedUpstream) -> None:
    relay = servers.relay(scripted.port)
    daemon = servers.daemon(relay.uri)
    with connect(daemon) as reader:
        with scripted.holding("find") as arrived:
            reader.send(FIND)
            wait_until(arrived)
            relay.cut()
            assert reader.closed_by_peer()
        counted(daemon, DISCONNECTS, reason="upstream_lost")
        counted(daemon, REQUESTS, outcome="error", command="find")
        duration = "mongocached_request_duration_seconds_count"
        counted(daemon, duration, outcome="error")


def test_client_that_resets(servers: Servers, scripted: ScriptedUpstream) -> None:
    daemon = servers.daemon(scripted.uri)
    with connect(daemon) as client:
        client.request(FIND)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    counted(daemon, DISCONNECTS, reason="client_error")


def test_authenticated_client_of_a_deposed_primary(servers: Servers) -> None:
    """F4: its login is the old primary's, so its connection ends behind the error."""
    upstream = servers.upstream(auth=True)
    daemon = servers.daemon(upstream.uri)
    login = {"username": ROOT_USER, "password": ROOT_PASSWORD, "retryWrites": False}
    with pymongo.MongoClient(daemon.uri, **login) as client, upstream.client() as direct:
        client.t.c.insert_one({"_id": 1})
        direct.admin.command({"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": True})
        with pytest.raises(NotPrimaryError):
            client.t.c.insert_one({"_id": 2})
        counted(daemon, DISCONNECTS, reason="primary_changed")


def test_answer_of_a_deposed_primary_is_not_stored(
    servers: Servers, scripted: ScriptedUpstream
) -> None:
    daemon = servers.daemon(scripted.uri)
    with connect(daemon) as reader:
        reader.request(OTHER)
        with scripted.holding("find") as arrived:
            reader.send(FIND)
            wait_until(arrived)
            scripted.kind = SECONDARY
            up = "mongocached_upstream_up"
            wait_until(lambda: daemon.metrics().value(up) == 0, what="the step-down to be seen")
        assert reader.receive().document["cursor"]["firstBatch"] == [{"_id": 1}]
        counted(daemon, REJECTED, reason="primary")


@pytest.mark.parametrize(
    ("reason", "find"), [("lease", FIND), ("generation", LIST), ("epoch", FIND)]
)
def test_fill_of_redis_that_another_daemon_overtook(
    servers: Servers, scripted: ScriptedUpstream, reason: str, find: Document
) -> None:
    """A write through the other daemon takes a document's lease and a list's generation."""
    redis = servers.redis()
    # In the other modes the push would be here first, and make the fill dirty.
    ttl = '[cache]\nmode = "ttl"\n'
    daemon, other = (servers.daemon(scripted.uri, redis.uri, config=ttl) for _ in range(2))
    with connect(daemon) as reader, connect(other) as writer:
        reader.request(OTHER)
        with scripted.holding("find") as arrived:
            reader.send(find)
            wait_until(arrived)
            if reason == "epoch":
                with redis.client() as client:
                    client.flushall()
            else:
                assert writer.request(UPDATE).document["ok"] == 1
        assert reader.receive().document["ok"] == 1
        counted(daemon, REJECTED, reason=reason)
        assert daemon.metrics().by(REJECTED, "reason") == {reason: 1}


def test_hits_in_redis_and_invalidations_by_hand(
    servers: Servers, scripted: ScriptedUpstream
) -> None:
    redis = servers.redis()
    daemon, other = (servers.daemon(scripted.uri, redis.uri) for _ in range(2))
    with connect(daemon) as reader, connect(other) as filler:
        reader.request(OTHER)
        filler.request(FIND)
        with redis.client() as client:
            wait_until(lambda: len(client.keys("*:v:*")) == 2, what="both documents in Redis")
        reader.request(FIND)
        counted(daemon, REQUESTS, outcome="redis_hit", command="find")
        counted(daemon, "mongocached_request_duration_seconds_count", outcome="redis_hit")
        assert daemon.metrics().value("mongocached_cache_entries") == 2
        daemon.post("/flush")
        counted(daemon, INVALIDATIONS, source="admin")
        wait_until(lambda: daemon.metrics().value("mongocached_cache_entries") == 0)


def test_redis_errors(servers: Servers, scripted: ScriptedUpstream) -> None:
    redis = servers.redis()
    daemon = servers.daemon(scripted.uri, redis.uri)
    name = "mongocached_redis_errors_total"
    wait_until(lambda: daemon.metrics().value("mongocached_redis_up") == 1)
    assert daemon.metrics().value(name) == 0
    redis.kill()
    with connect(daemon) as reader:
        wait_until(
            lambda: reader.request(OTHER) and reader.request(LIST) and daemon.metrics().value(name)
        )


def test_upstream_gone_and_back(servers: Servers, scripted: ScriptedUpstream) -> None:
    daemon = servers.daemon(scripted.uri)
    name = "mongocached_upstream_up"
    assert daemon.metrics().value(name) == 1
    primary, scripted.kind = scripted.kind, SECONDARY
    wait_until(lambda: daemon.metrics().value(name) == 0)
    with connect(daemon) as client:
        command = {"ping": 1, "maxTimeMS": 100, "$db": "admin"}
        assert client.request(command).document["code"] == 133
    counted(daemon, REQUESTS, outcome="error", command="ping")
    scripted.kind = primary
    wait_until(lambda: daemon.metrics().value(name) == 1)


def test_process(servers: Servers, scripted: ScriptedUpstream) -> None:
    daemon = servers.daemon(scripted.uri)
    before = daemon.metrics()
    with connect(daemon) as client:

        def grown(name: str) -> bool:
            client.request(FIND)
            return daemon.metrics().value(name) > before.value(name)

        for name in ("process_open_fds", "process_cpu_seconds_total"):
            wait_until(lambda n=name: grown(n), what=f"{name} to grow")
