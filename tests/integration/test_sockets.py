"""What TCP says beyond the bytes: an end that comes with them, and a byte that is urgent."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest
from support.raw import RawConnection, op_msg
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers

Document = dict[str, Any]


class Leaving(ScriptedUpstream):
    def leaves_behind(self, _command: Document) -> bool:
        return "bye" in _command


@pytest.mark.parametrize("auth", ["passthrough", "pooled"])
def test_an_upstream_that_ends_with_its_reply_is_not_asked_again(
    servers: Servers, auth: str
) -> None:
    """As a server does that shuts down: the next request goes by another connection."""
    with Leaving() as upstream:
        daemon = servers.daemon(upstream.uri, config=f'[upstream]\nauth = "{auth}"\n')
        with RawConnection("127.0.0.1", daemon.port) as client:
            for n in range(200):
                assert client.request({"bye": n, "$db": "t"}).document["ok"] == 1.0


def test_a_message_with_an_urgent_byte_inside_is_answered(daemon: Daemon) -> None:
    """A receive stops there, though all of it has come."""
    message = op_msg({"ping": 1, "$db": "admin"}, 7)
    for cut in (20, 30):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            daemon.process.signal(signal.SIGSTOP)
            try:
                client.sendall(message[:cut])
                client.send(b"!", socket.MSG_OOB)
                client.sendall(message[cut:])
            finally:
                daemon.process.signal(signal.SIGCONT)
            assert client.recv(4096)
