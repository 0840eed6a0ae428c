"""An upstream that has no room: it closes connections as soon as they are there, all or some."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.counted import pass_by
from support.raw import RawConnection, connect
from support.relay import RelayThread
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
CLIENTS = 50
WINDOW = 5.0
NO_SERVER = 133
COUNT: Document = {"count": "c", "$db": "t"}
TURNED_AWAY: dict[str, Callable[[int], bool]] = {
    "all": lambda _: True,
    "every second": lambda number: number % 2 == 0,
}


@pytest.fixture
def relay(servers: Servers) -> Iterator[RelayThread]:
    with ScriptedUpstream() as scripted:
        yield servers.relay(scripted.port)


@pytest.fixture(params=["passthrough", "pooled"])
def daemon(request: pytest.FixtureRequest, servers: Servers, relay: RelayThread) -> Daemon:
    return servers.daemon(relay.uri, config=f'[upstream]\nauth = "{request.param}"\n')


@pytest.mark.parametrize("which", TURNED_AWAY)
def test_who_waits_does_not_storm_the_upstream(
    relay: RelayThread, daemon: Daemon, which: str
) -> None:
    """PyMongo by itself connects three times a call and then gives up: 150 times for 50 clients."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(daemon)) for _ in range(CLIENTS)]
        relay.turn_away(TURNED_AWAY[which])
        before, begun = relay.connections, time.monotonic()
        for client in clients:
            client.send(COUNT)
        wait_until(lambda: relay.connections > before, what="an attempt")
        pass_by(WINDOW, begun)
        took = time.monotonic() - begun
        # Each client's first attempts, and the look for the primary.
        assert relay.connections - before <= 4 * CLIENTS + 5 * took
        relay.let_in()
        for client in clients:
            assert client.receive().document["ok"] == 1
    assert daemon.metrics().value("mongocached_upstream_up") == 1


def test_patience_ends_as_without_a_server(relay: RelayThread, daemon: Daemon) -> None:
    with connect(daemon) as client:
        relay.turn_away(TURNED_AWAY["all"])
        relay.cut()  # the pool has one already
        begun = time.monotonic()
        assert asked(client, maxTimeMS=1000)["code"] == NO_SERVER
        assert 1 <= time.monotonic() - begun < 5
        relay.let_in()
        assert asked(client)["ok"] == 1


def asked(client: RawConnection, **options: Any) -> Document:
    return client.request(COUNT | options).document
