"""Where clients come in: Unix sockets and IPv6."""

from __future__ import annotations

import errno
import signal
import socket
import stat
import urllib.parse
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.counted import REQUESTS
from support.process import StartError
from support.raw import RawConnection
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
UPDATE: Document = {"update": "c", "$db": "sockets"}
UPDATE |= {"updates": [{"q": {"_id": 1}, "u": {"$set": {"n": 1}}}]}


def listening_at(path: Path) -> str:
    return f'[listen]\nunix_socket = "{path}"\n'


def uri_of(path: Path) -> str:
    return f"mongodb://{urllib.parse.quote_plus(str(path))}/"


def answers(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        return client.connect_ex(str(path)) == 0


def test_a_unix_socket_beside_the_port(servers: Servers, upstream: Upstream) -> None:
    path = servers.folder() / "m.sock"
    daemon = servers.daemon(upstream.uri, config=listening_at(path))
    with pymongo.MongoClient(uri_of(path)) as client, pymongo.MongoClient(daemon.uri) as other:
        client.sockets.c.replace_one({"_id": 1}, {"a": 1}, upsert=True)
        daemon.catch_up()
        for _ in range(3):
            assert client.sockets.c.find_one({"_id": 1}) == {"_id": 1, "a": 1}
            assert other.sockets.c.find_one({"_id": 1}) == {"_id": 1, "a": 1}
        assert daemon.metrics().value(REQUESTS, outcome="l1_hit") >= 2
    daemon.stop()
    assert not path.exists()


def test_what_a_killed_process_left_is_taken_over(servers: Servers, upstream: Upstream) -> None:
    path = servers.folder() / "m.sock"
    daemon = servers.daemon(upstream.uri, config=listening_at(path))
    daemon.kill()
    assert stat.S_ISSOCK(path.stat().st_mode)
    daemon.start_again()
    with pymongo.MongoClient(uri_of(path)) as client:
        assert client.admin.command("ping")["ok"] == 1


def test_the_socket_of_a_successor_outlives_the_drain(servers: Servers) -> None:
    path = servers.folder() / "m.sock"
    with ScriptedUpstream() as upstream:
        draining = servers.daemon(upstream.uri, config=listening_at(path))
        with RawConnection("127.0.0.1", draining.port) as busy:
            with upstream.holding("update") as arrived:
                busy.send(UPDATE)
                wait_until(arrived, what="the upstream to have it")
                draining.process.signal(signal.SIGTERM)
                wait_until(lambda: not answers(path), what="new clients to be refused")
                servers.daemon(upstream.uri, config=listening_at(path))
                assert draining.process.alive
            assert busy.receive().document["ok"] == 1
        assert draining.process.wait() == 0
        with pymongo.MongoClient(uri_of(path)) as client:
            assert client.admin.command("ping")["ok"] == 1


def test_a_socket_put_in_its_place_is_left_alone(servers: Servers, upstream: Upstream) -> None:
    path = servers.folder() / "m.sock"
    daemon = servers.daemon(upstream.uri, config=listening_at(path))
    path.unlink()
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(path))
        other.listen()
        assert daemon.stop() == 0
        assert answers(path)


def test_what_another_listens_on_is_left_to_it(servers: Servers, upstream: Upstream) -> None:
    path = servers.folder() / "m.sock"
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(StartError, match=r"listen\.unix_socket: cannot listen on"):
            servers.daemon(upstream.uri, config=listening_at(path))
        assert answers(path)


def test_what_another_is_too_busy_to_accept_at_is_left_to_it(
    servers: Servers, upstream: Upstream
) -> None:
    """Whoever connects there waits."""
    path = servers.folder() / "m.sock"
    with closing(socket.socket(socket.AF_UNIX)) as other, ExitStack() as waiting:
        other.bind(str(path))
        other.listen(0)
        status = 0
        while status == 0:
            client = waiting.enter_context(closing(socket.socket(socket.AF_UNIX)))
            client.setblocking(False)
            status = client.connect_ex(str(path))
        assert status == errno.EAGAIN
        with pytest.raises(StartError, match=r"listen\.unix_socket: cannot listen on"):
            servers.daemon(upstream.uri, config=listening_at(path))
        assert path.exists()


def test_a_file_that_is_no_socket_is_left_alone(servers: Servers, upstream: Upstream) -> None:
    path = servers.folder() / "precious"
    path.write_text("data")
    with pytest.raises(StartError, match=r"listen\.unix_socket: cannot listen on"):
        servers.daemon(upstream.uri, config=listening_at(path))
    assert path.read_text() == "data"


class SixDaemon(Daemon):
    """Listens on IPv6's loopback."""

    @property
    def address(self) -> str:
        return f"[::1]:{self.port}"


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="there is no IPv6 here")
def test_ipv6(servers: Servers, upstream: Upstream) -> None:
    daemon = SixDaemon(servers.folder(), upstream.uri)
    servers.running.append(daemon)
    daemon.start()
    with pymongo.MongoClient(daemon.uri) as client:
        assert client.admin.command("ping")["ok"] == 1
