"""OP_COMPRESSED: what drivers send and receive, in every compressor, hit and relayed."""

from __future__ import annotations

import random
import struct
import zlib
from contextlib import ExitStack
from typing import Any

import bson
import pymongo
import pytest
from bson.raw_bson import RawBSONDocument
from support.raw import EXHAUST_ALLOWED, MORE_TO_COME, OP_MSG, RawConnection, connect, op_msg
from support.servers import Daemon

Document = dict[str, Any]
REQUESTS = "mongocached_requests_total"
OP_COMPRESSED, ZLIB = 2012, 2
NOISE = random.Random(5).randbytes(1 << 20)


def hits(daemon: Daemon) -> float:
    return daemon.metrics().value(REQUESTS, outcome="l1_hit")


@pytest.mark.parametrize("name", ["snappy", "zlib", "zstd"])
def test_a_driver_that_compresses(daemon: Daemon, name: str) -> None:
    """Small, large and very large messages, both ways, and the second read from the cache."""
    sizes = [0, 100, 70_000, 300_000, 5_000_000]
    with pymongo.MongoClient(daemon.uri, compressors=name) as client:
        collection = client.compression[name]
        collection.drop()
        documents = [{"_id": size, "data": (NOISE * 5)[:size]} for size in sizes]
        collection.insert_many(documents)
        daemon.catch_up()
        for document in documents:
            for _ in range(3):
                assert collection.find_one({"_id": document["_id"]}) == document
        before = hits(daemon)
        assert collection.find_one({"_id": 100}) == documents[1]
        assert hits(daemon) == before + 1
        assert list(collection.find().sort("_id", 1)) == documents
        assert list(collection.aggregate([{"$sort": {"_id": 1}}], batchSize=1)) == documents
        many = [{"_id": 10_000_000 + i, "text": "x" * 2000} for i in range(10_000)]
        collection.insert_many(many)
        assert collection.count_documents({}) == len(many) + len(sizes)


def test_the_driver_really_compresses(daemon: Daemon) -> None:
    """Else the test above shows nothing."""
    with pymongo.MongoClient(daemon.uri, compressors="zlib") as client:
        assert client.admin.command("ping")["ok"] == 1
        topology = client._topology
        (server,) = topology._servers.values()
        connections = list(server.pool.conns)
        assert [c.compression_context.compressor_id for c in connections] == [ZLIB]


def test_an_entry_is_compressed_for_one_client_and_plain_for_another(
    daemon: Daemon, stack: ExitStack
) -> None:
    plain = stack.enter_context(pymongo.MongoClient(daemon.uri, document_class=RawBSONDocument))
    others = [
        stack.enter_context(
            pymongo.MongoClient(daemon.uri, compressors=name, document_class=RawBSONDocument)
        )
        for name in ("snappy", "zlib", "zstd")
    ]
    plain.compression.shared.replace_one({"_id": 1}, {"text": "x" * 3000}, upsert=True)
    daemon.catch_up()
    wanted = plain.compression.shared.find_one({"_id": 1})
    assert wanted
    for client in [*others, plain]:
        before = hits(daemon)
        found = client.compression.shared.find_one({"_id": 1})
        assert found
        assert found.raw == wanted.raw
        assert hits(daemon) == before + 1


def test_compressed_and_plain_requests_on_one_connection(daemon: Daemon) -> None:
    ping = op_msg({"ping": 1, "$db": "admin"}, request_id=3)
    with connect(daemon) as raw:
        for message in (ping, compressed(ping), ping, compressed(ping)):
            raw.socket.sendall(message)
        for expected in (OP_MSG, OP_COMPRESSED) * 2:
            opcode, _, document = received(raw)
            assert opcode == expected
            assert document["ok"] == 1


def test_many_replies_to_one_request_are_compressed_each(daemon: Daemon) -> None:
    with pymongo.MongoClient(daemon.uri) as client:
        client.compression.exhaust.drop()
        client.compression.exhaust.insert_many([{"_id": i} for i in range(7)])
    find = {"find": "exhaust", "filter": {}, "batchSize": 1, "$db": "compression"}
    with connect(daemon) as raw:
        cursor = raw.request(find).document["cursor"]["id"]
        more = {"getMore": bson.Int64(cursor), "collection": "exhaust", "batchSize": 2}
        raw.socket.sendall(
            compressed(op_msg(more | {"$db": "compression"}, 3, flags=EXHAUST_ALLOWED))
        )
        replies = [received(raw)]
        while replies[-1][1] & MORE_TO_COME:
            replies.append(received(raw))
        ping = raw.request({"ping": 1, "$db": "admin"})
    assert {opcode for opcode, _, _ in replies} == {OP_COMPRESSED}
    batches = [document["cursor"]["nextBatch"] for _, _, document in replies]
    assert [row["_id"] for batch in batches for row in batch] == [1, 2, 3, 4, 5, 6]
    assert len(batches) >= 3
    assert ping.document["ok"] == 1


def test_a_compressed_write_that_wants_no_answer_gets_none(daemon: Daemon) -> None:
    with connect(daemon) as raw:
        raw.request({"drop": "silent", "$db": "compression"})
        write = {"insert": "silent", "documents": [{"_id": 1}], "writeConcern": {"w": 0}}
        raw.socket.sendall(
            compressed(op_msg(write | {"$db": "compression"}, 3, flags=MORE_TO_COME))
        )
        find = {"find": "silent", "filter": {"_id": 1}, "$db": "compression"}
        assert raw.request(find).document["cursor"]["firstBatch"] == [{"_id": 1}]


def test_a_bomb_costs_no_more_than_a_message_may(daemon: Daemon) -> None:
    """48 MB of zeros in 48 kB: taken for what it is, no message, and the daemon lives."""
    bomb = zlib.compress(bytes(47_999_984), 9)
    head = struct.pack("<iiiiiiB", 25 + len(bomb), 1, 0, OP_COMPRESSED, OP_MSG, 47_999_984, ZLIB)
    with connect(daemon) as raw:
        raw.socket.sendall(head + bomb)
        assert raw.closed_by_peer()
    with connect(daemon) as raw:
        assert raw.request({"ping": 1, "$db": "admin"}).document["ok"] == 1


def received(raw: RawConnection) -> tuple[int, int, Document]:
    """The opcode, flags and body of the next message."""
    size, _, _, opcode = struct.unpack("<iiii", raw.read(16))
    body = raw.read(size - 16)
    if opcode == OP_COMPRESSED:
        original, length, compressor = struct.unpack_from("<iiB", body)
        assert (original, compressor) == (OP_MSG, ZLIB)
        body = zlib.decompress(body[9:])
        assert len(body) == length
    (flags,) = struct.unpack_from("<I", body)
    return opcode, flags, bson.decode(body[5:])


def compressed(message: bytes) -> bytes:
    body = message[16:]
    data = struct.pack("<iiB", OP_MSG, len(body), ZLIB) + zlib.compress(body)
    return struct.pack("<i", 16 + len(data)) + message[4:12] + struct.pack("<i", 2012) + data
