"""Large messages and slow peers: bytes stream by, and the daemon's memory stays as it was."""

from __future__ import annotations

import hashlib
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import bson
import pytest
from support.memory import Peak
from support.raw import RawConnection, connect, op_msg
from support.scripted_upstream import ScriptedUpstream
from support.servers import Servers
from support.wait import wait_until

Document = dict[str, Any]
MEBIBYTE = 1 << 20
LARGEST_DOCUMENT = 16 * MEBIBYTE
LARGEST_MESSAGE = 48_000_000
SIZES = {"big": LARGEST_DOCUMENT, "medium": 1_000_000}
CLIENTS = 8
ROOM = 16 * MEBIBYTE  # for what a test makes the daemon hold: far below the bytes that it moves
NOISE = random.Random(7).randbytes(LARGEST_DOCUMENT + CLIENTS)
BIG: Document = {"find": "big", "filter": {"_id": 1}, "$db": "large"}
SMALL: Document = {"find": "small", "filter": {"_id": 1}, "$db": "large"}
LITTLE_ROOM = '[listen]\nmax_buffered = "1MiB"\nbuffer_timeout = "1m"\n'
PING: Document = {"ping": 1, "$db": "admin"}


class Bulk(ScriptedUpstream):
    """Keeps a digest of the documents of each insert; what it finds is as big as SIZES says."""

    def __init__(self) -> None:
        super().__init__()
        self.digests: dict[str, bytes] = {}
        """Of the inserts, by their `comment`."""

    def received(self, command: Document, sections: bytes) -> None:
        if "insert" in command:
            self.digests[command["comment"]] = hashlib.blake2b(sections).digest()

    def answer(self, command: Document) -> Document:
        answer = super().answer(command)
        if size := SIZES.get(command.get("find", "")):
            answer["cursor"]["firstBatch"] = [document_of(size, 1, 0)]
        return answer


def document_of(size: int, id_: int, shift: int) -> Document:
    """Its BSON has that many bytes; another shift gives other bytes."""
    overhead = len(bson.encode({"_id": id_, "data": b""}))
    return {"_id": id_, "data": NOISE[shift : shift + size - overhead]}


def largest_insert(number: int) -> bytes:
    """A message of exactly 48 000 000 bytes, other ones for each client."""
    command = {"insert": "big", "comment": f"client {number}", "$db": "large"}
    documents = [document_of(LARGEST_DOCUMENT, id_, number) for id_ in range(2)]
    rest = LARGEST_MESSAGE - len(op_msg(command, sequences={"documents": documents}))
    documents.append(document_of(rest, 2, number))
    message = op_msg(command, sequences={"documents": documents})
    assert len(message) == LARGEST_MESSAGE
    return message


def sections_of(insert: bytes) -> bytes:
    """What stands behind the body of an OP_MSG."""
    return insert[21 + int.from_bytes(insert[21:25], "little") :]


@pytest.fixture
def bulk() -> Iterator[Bulk]:
    with Bulk() as upstream:
        yield upstream


def promptly(connection: RawConnection, commands: list[Document], within: float = 1.0) -> None:
    """Each is answered, and soon."""
    for command in commands:
        asked = time.monotonic()
        assert connection.request(command).document["ok"] == 1
        assert time.monotonic() - asked < within, command


@pytest.mark.parametrize("config", ["", LITTLE_ROOM], ids=["default", "little room"])
def test_messages_of_48_megabytes_from_eight_clients(
    servers: Servers, bulk: Bulk, config: str
) -> None:
    daemon = servers.daemon(bulk.uri, config=config)

    def insert(number: int) -> bytes:
        message = largest_insert(number)
        with connect(daemon) as connection:
            connection.socket.sendall(message)
            assert connection.receive().document["n"] == 1
        return hashlib.blake2b(sections_of(message)).digest()

    peak = Peak(daemon)
    with ThreadPoolExecutor(CLIENTS) as threads:
        sent = list(threads.map(insert, range(CLIENTS)))
    assert [bulk.digests[f"client {number}"] for number in range(CLIENTS)] == sent
    assert len(set(sent)) == CLIENTS
    assert peak.growth < ROOM


@pytest.mark.parametrize("config", ["", LITTLE_ROOM], ids=["default", "little room"])
def test_documents_of_16_mebibytes_to_eight_clients(
    servers: Servers, bulk: Bulk, config: str
) -> None:
    daemon = servers.daemon(bulk.uri, config=config)
    found = bson.encode(document_of(LARGEST_DOCUMENT, 1, 0))
    assert len(found) == LARGEST_DOCUMENT

    def find(_: int) -> int:
        with connect(daemon) as connection:
            return sum(found in connection.request(BIG).body for _ in range(4))

    peak = Peak(daemon)
    with ThreadPoolExecutor(CLIENTS) as threads:
        assert list(threads.map(find, range(CLIENTS))) == [4] * CLIENTS
    assert peak.growth < ROOM


def test_clients_that_do_not_read(servers: Servers, bulk: Bulk, stack: ExitStack) -> None:
    """They ask for 320 MB each; the upstream, not the daemon, keeps what they leave."""
    daemon = servers.daemon(bulk.uri, config="[listen]\nthreads = 1\n")
    other = stack.enter_context(connect(daemon))
    promptly(other, [SMALL, SMALL])
    peak = Peak(daemon)
    deaf = [stack.enter_context(connect(daemon)) for _ in range(CLIENTS)]
    for client in deaf:
        client.socket.sendall(b"".join(op_msg(BIG, number) for number in range(1, 21)))
    for client in deaf:
        assert client.socket.recv(1, socket.MSG_PEEK), "a reply has begun"
    promptly(other, [SMALL] * 200 + [SMALL | {"filter": {"_id": id_}} for id_ in range(50)])
    assert peak.growth < ROOM
    found = bson.encode(document_of(LARGEST_DOCUMENT, 1, 0))
    for number in range(1, 21):  # who reads after all gets everything, in order
        reply = deaf[0].receive()
        assert reply.response_to == number
        assert found in reply.body
    assert peak.growth < ROOM


def test_client_that_asks_for_many_hits_and_does_not_read(
    servers: Servers, bulk: Bulk, stack: ExitStack
) -> None:
    """200 requests arrive at once whose answers lie in memory: 200 MB."""
    config = (
        "[listen]\nthreads = 1\n[cache]\nverify_share = 0\n"  # a hit that is verified is a find
    )
    daemon = servers.daemon(bulk.uri, config=config)
    other, deaf = (stack.enter_context(connect(daemon)) for _ in range(2))
    medium = BIG | {"find": "medium"}
    promptly(other, [SMALL, SMALL, medium, medium])
    finds = bulk.asked["find"]
    peak = Peak(daemon)
    deaf.socket.sendall(b"".join(op_msg(medium, number) for number in range(1, 201)))
    promptly(other, [SMALL] * 200)
    assert deaf.socket.recv(1, socket.MSG_PEEK), "a reply has begun"
    for number in range(1, 201):
        assert deaf.receive().response_to == number
    assert bulk.asked["find"] == finds, "all were hits"
    assert peak.growth < 2 * ROOM


def test_slow_readers_share_what_may_be_held(
    servers: Servers, bulk: Bulk, stack: ExitStack
) -> None:
    """24 clients each ask for 12 hits of 1 MB and do not read: what they leave is bounded by the
    setting, not by their number, and who reads gets everything."""
    limits = 'max_buffered = "4MiB"\nbuffer_timeout = "30s"\n'
    daemon = servers.daemon(bulk.uri, config=f"[listen]\nthreads = 1\n{limits}")
    other = stack.enter_context(connect(daemon))
    medium = BIG | {"find": "medium"}
    promptly(other, [SMALL, SMALL, medium, medium])
    deaf = [stack.enter_context(connect(daemon)) for _ in range(24)]
    peak = Peak(daemon)
    for client in deaf:
        client.socket.sendall(b"".join(op_msg(medium, number) for number in range(1, 13)))
    for client in deaf:
        assert client.socket.recv(1, socket.MSG_PEEK), "a reply has begun"
    promptly(other, [SMALL] * 200)
    assert daemon.metrics().value("mongocached_buffered_bytes") < 6 * MEBIBYTE
    with ThreadPoolExecutor(CLIENTS) as threads:

        def read_all(client: RawConnection) -> list[int]:
            return [client.receive().response_to for _ in range(12)]

        assert list(threads.map(read_all, deaf)) == [list(range(1, 13))] * len(deaf)
    wait_until(lambda: daemon.metrics().value("mongocached_buffered_bytes") == 0)
    assert peak.growth < ROOM
    assert daemon.metrics().by("mongocached_shed_total", "reason") == {}


def test_upstream_that_does_not_read(servers: Servers, bulk: Bulk, stack: ExitStack) -> None:
    relay = servers.relay(bulk.port)
    daemon = servers.daemon(relay.uri, config="[listen]\nthreads = 1\n")
    writers = [stack.enter_context(connect(daemon)) for _ in range(4)]
    other = stack.enter_context(connect(daemon))
    promptly(other, [SMALL, SMALL])
    for writer in writers:
        writer.request(PING)  # its connection to the upstream stands
    peak = Peak(daemon)
    messages = [largest_insert(number) for number in range(len(writers))]
    with ThreadPoolExecutor(CLIENTS) as threads:
        relay.stall()
        try:
            sending = [
                threads.submit(writer.socket.sendall, message)
                for writer, message in zip(writers, messages, strict=True)
            ]
            wait_until(lambda: peak.growth > 0, what="the first bytes to arrive")
            promptly(other, [SMALL] * 200)
            assert not any(done.done() for done in sending), "the back-pressure reaches them"
        finally:
            relay.flow()
        for done in sending:
            done.result(30)
    for number, (writer, message) in enumerate(zip(writers, messages, strict=True)):
        assert writer.receive().document["ok"] == 1
        digest = hashlib.blake2b(sections_of(message)).digest()
        assert bulk.digests[f"client {number}"] == digest
    assert peak.growth < ROOM
