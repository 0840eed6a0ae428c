"""Clients that were told of a load balancer (`loadBalanced=true`): HAProxy before two daemons."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from support.counted import REQUESTS
from support.process import Process
from support.servers import Daemon, Redis, Servers, Upstream

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]

HAPROXY = """\
global
    maxconn 200
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen balanced
    bind fd@{listening}
    balance roundrobin
"""


@pytest.fixture
def daemons(servers: Servers, upstream: Upstream, redis_server: Redis) -> list[Daemon]:
    return [servers.daemon(upstream.uri, redis_server.uri) for _ in range(2)]


@pytest.fixture
def balanced(servers: Servers, daemons: list[Daemon]) -> Iterator[Client]:
    folder = servers.folder()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = HAPROXY.format(listening=listening.fileno())
        settings += "".join(f"    server d{i} 127.0.0.1:{d.port}\n" for i, d in enumerate(daemons))
        (folder / "haproxy.cfg").write_text(settings)
        balancer = Process(
            "haproxy", ["haproxy", "-db", "-f", folder / "haproxy.cfg"], folder / "haproxy.log"
        )
        balancer.pass_fds = [listening.fileno()]
        servers.running.append(balancer)
        balancer.start()
        uri = f"mongodb://127.0.0.1:{listening.getsockname()[1]}/?loadBalanced=true"
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=10_000) as client:
            yield client


def test_what_a_load_balanced_client_does(balanced: Client, daemons: list[Daemon]) -> None:
    assert balanced.topology_description.topology_type_name == "LoadBalanced"
    rows = balanced.balanced.rows
    rows.drop()
    rows.insert_many([{"_id": i, "n": 0} for i in range(50)])
    assert [row["_id"] for row in rows.find(sort=[("_id", 1)], batch_size=7)] == list(range(50))
    with balanced.start_session() as session, session.start_transaction():
        for i in range(5):
            rows.update_one({"_id": i}, {"$inc": {"n": 1}}, session=session)
        assert rows.find_one({"_id": 1}, session=session) == {"_id": 1, "n": 1}
    with rows.watch() as stream:
        rows.insert_one({"_id": "seen"})
        assert stream.next()["documentKey"] == {"_id": "seen"}
    for daemon in daemons:
        daemon.catch_up()
    for _ in range(8):
        assert rows.find_one({"_id": 1}) == {"_id": 1, "n": 1}
    assert sum(d.metrics().value(REQUESTS, outcome="l1_hit") for d in daemons) >= 1


def test_each_connection_may_be_to_another_daemon(balanced: Client, daemons: list[Daemon]) -> None:
    """Cursors that are open at once keep to the connections that opened them."""
    rows = balanced.balanced.many
    rows.drop()
    rows.insert_many([{"_id": i} for i in range(30)])
    cursors = [rows.find(sort=[("_id", 1)], batch_size=5) for _ in range(6)]
    seen = [[next(cursor)["_id"] for cursor in cursors] for _ in range(30)]
    assert seen == [[i] * len(cursors) for i in range(30)]
    found = [d.metrics().value("mongocached_client_connections") for d in daemons]
    assert all(count >= 2 for count in found), found
