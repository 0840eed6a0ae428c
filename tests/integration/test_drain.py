"""SIGTERM while the upstream has a request in hand: its reply arrives, and nothing else waits."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Int64
from support.name_server import needs_root
from support.raw import RawConnection
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers
from support.silent_names import SilentNameServer, UnansweredDaemon
from support.wait import wait_until

Document = dict[str, Any]
FIND: Document = {"find": "things", "filter": {"_id": 1}, "$db": "drain"}
LIST: Document = FIND | {"filter": {"n": 1}}
GET_MORE: Document = {"getMore": Int64(7), "collection": "things", "$db": "drain"}
UPDATE: Document = {"update": "things", "$db": "drain"}
UPDATE |= {"updates": [{"q": {"_id": 1}, "u": {"$set": {"n": 1}}}]}


def readiness(daemon: Daemon) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{daemon.http_url}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def refuses(daemon: Daemon) -> bool:
    try:
        with RawConnection("127.0.0.1", daemon.port) as late:
            return late.closed_by_peer()
    except ConnectionError:  # refused, or reset out of the queue
        return True


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(FIND, id="find"),
        pytest.param(LIST, id="list"),
        pytest.param(UPDATE, id="update"),
        pytest.param(GET_MORE, id="getMore"),
    ],
)
def test_reply_in_flight_arrives(servers: Servers, command: Document) -> None:
    with ScriptedUpstream() as upstream:
        # One thread, which tells its clients in their order: what idle knows, busy knows too.
        daemon = servers.daemon(upstream.uri, config="[listen]\nthreads = 1\n")
        with (
            RawConnection("127.0.0.1", daemon.port) as busy,
            RawConnection("127.0.0.1", daemon.port) as idle,
        ):
            idle.request(FIND | {"filter": {"_id": 2}})
            with upstream.holding(next(iter(command))) as arrived:
                busy.send(command)
                wait_until(arrived, what="the upstream to have it")
                daemon.process.signal(signal.SIGTERM)
                assert idle.closed_by_peer()
                wait_until(lambda: refuses(daemon), what="new clients to be refused")
                assert daemon.process.alive
            reply = busy.receive().document
            assert reply["ok"] == 1
            assert busy.closed_by_peer()
            assert daemon.process.wait(5) == 0


def test_awaited_get_more_holds_nothing(servers: Servers) -> None:
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri, config='[listen]\ndrain_timeout = "10m"\n')
        with (
            RawConnection("127.0.0.1", daemon.port) as awaiting,
            upstream.holding("getMore") as arrived,
        ):
            awaiting.send(GET_MORE | {"maxTimeMS": 600_000})
            wait_until(arrived)
            daemon.process.signal(signal.SIGTERM)
            assert awaiting.closed_by_peer()
            assert daemon.process.wait(5) == 0


def test_connection_ends_behind_the_reply_in_flight(servers: Servers) -> None:
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri)
        with RawConnection("127.0.0.1", daemon.port) as busy:
            with upstream.holding("find") as arrived:
                first = busy.send(FIND)
                wait_until(arrived)
                daemon.process.signal(signal.SIGTERM)
                wait_until(lambda: refuses(daemon))
            assert busy.receive().response_to == first
            assert busy.closed_by_peer()
        assert daemon.process.wait(5) == 0


def test_drain_ends_at_its_timeout(servers: Servers) -> None:
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri, config='[listen]\ndrain_timeout = "300ms"\n')
        with RawConnection("127.0.0.1", daemon.port) as busy, upstream.holding("find") as arrived:
            busy.send(FIND)
            wait_until(arrived)
            daemon.process.signal(signal.SIGTERM)
            assert busy.closed_by_peer()
            assert daemon.process.wait(5) == 0


def test_idle_clients_hold_nothing(servers: Servers) -> None:
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri, config='[listen]\ndrain_timeout = "10m"\n')
        idle = [RawConnection("127.0.0.1", daemon.port) for _ in range(3)]
        for client in idle:
            client.request(FIND)
        daemon.process.signal(signal.SIGTERM)
        for client in idle:
            assert client.closed_by_peer()
            client.close()
        assert daemon.process.wait(5) == 0


def test_drain_that_begins_with_a_stalled_upstream_ends_soon(servers: Servers) -> None:
    """Once the change stream, its samples and the verifier were waited for, twelve seconds."""
    upstream = servers.upstream()
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, config="[cache]\nverify_share = 1.0\n")
    with RawConnection("127.0.0.1", daemon.port) as client:
        for _ in range(3):
            client.request(FIND)
    relay.stall()
    wait_until(lambda: not daemon.status()["stream"]["up"], what="the stream to be missed")
    daemon.process.signal(signal.SIGTERM)
    assert daemon.process.wait(5) == 0


def test_clients_are_closed_at_the_limit_though_the_upstream_is_stalled(servers: Servers) -> None:
    """Once they stayed connected until the change stream had ended."""
    upstream = servers.upstream()
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, config='[listen]\ndrain_timeout = "100ms"\n')
    with RawConnection("127.0.0.1", daemon.port) as busy:
        busy.request(FIND)
        relay.stall()
        busy.send(FIND | {"filter": {"_id": 3}, "comment": "mongocached:bypass"})
        daemon.process.signal(signal.SIGTERM)
        assert busy.closed_by_peer()
        assert daemon.process.wait(5) == 0


@pytest.fixture
def silent_names(servers: Servers) -> Iterator[SilentNameServer]:
    needs_root()
    names = SilentNameServer(servers.folder())
    yield names
    names.close()


def ends_though_unanswered(
    servers: Servers, names: SilentNameServer, asked: str, uri: str, redis_uri: str = "none"
) -> None:
    daemon = UnansweredDaemon(servers.folder(), names, uri, redis_uri=redis_uri)
    servers.running.append(daemon)
    daemon.start()
    names.wait_until_asked(asked)
    daemon.process.signal(signal.SIGTERM)
    assert daemon.process.wait(5) == 0


def test_a_look_up_of_the_upstream_that_hangs_is_not_waited_for(
    servers: Servers, silent_names: SilentNameServer
) -> None:
    name = "db.silent.test"
    ends_though_unanswered(servers, silent_names, name, f"mongodb://{name}/")


def test_a_look_up_of_redis_that_hangs_is_not_waited_for(
    servers: Servers, silent_names: SilentNameServer
) -> None:
    name = "redis.silent.test"
    with ScriptedUpstream() as upstream:
        ends_though_unanswered(servers, silent_names, name, upstream.uri, f"redis://{name}")


def test_readiness_is_refused_and_the_upstream_still_up_while_it_drains(servers: Servers) -> None:
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri)
        with RawConnection("127.0.0.1", daemon.port) as busy, upstream.holding("find") as arrived:
            busy.send(FIND)
            wait_until(arrived)
            assert readiness(daemon)[0] == 200
            daemon.process.signal(signal.SIGTERM)
            wait_until(lambda: refuses(daemon))
            assert readiness(daemon) == (503, '{"ready":false,"reason":"stopping"}\n')
            assert daemon.metrics().value("mongocached_upstream_up") == 1
