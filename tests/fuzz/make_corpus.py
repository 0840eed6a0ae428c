#!/usr/bin/env python3
"""Writes the seed corpus of the protocol's fuzz targets: what a real PyMongo sends to a server, recorded by a server that answers
just enough, and a few messages by hand that no driver sends. Needs pymongo >= 4.9, python-snappy and zstandard; run it by hand when a target learns new fields.
Crashes found by fuzzing are kept beside the seeds and are not touched.

    python3 tests/fuzz/make_corpus.py
"""

import pathlib
import socket
import struct
import threading
import zlib

import bson
import pymongo
import pymongo.pool_options
import snappy
import zstandard
from bson import SON, Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo.read_concern import ReadConcern

CORPUS = pathlib.Path(__file__).parent / "corpus"
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
CLUSTER_TIME = {
    "clusterTime": Timestamp(1700000000, 5),
    "signature": {"hash": Binary(bytes(20)), "keyId": Int64(7)},
}


def save(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def message(opcode, payload, request_id=1, response_to=0):
    return struct.pack("<iiii", 16 + len(payload), request_id, response_to, opcode) + payload


def op_msg(body, flags=0, sequences=(), **ids):
    payload = struct.pack("<I", flags) + b"\0" + bson.encode(body)
    for name, documents in sequences:
        section = name.encode() + b"\0" + b"".join(map(bson.encode, documents))
        payload += b"\1" + struct.pack("<i", 4 + len(section)) + section
    return message(OP_MSG, payload, **ids)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def answer(command, name, db):
    """The reply of a replica set's mongos, as far as the driver looks at it."""
    tail = {"ok": 1.0, "$clusterTime": CLUSTER_TIME, "operationTime": Timestamp(1700000000, 5)}
    if name.lower() in ("hello", "ismaster"):
        return {
            "isWritablePrimary": True,
            "ismaster": True,
            "msg": "isdbgrid",
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "localTime": bson.datetime.datetime(2024, 1, 1),
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 25,
            **tail,
        }
    ns = f"{db}.{command[name]}"
    if name in ("find", "aggregate"):
        return {
            "cursor": {
                "firstBatch": [{"_id": 1, "name": "a"}],
                "id": Int64(77 if "batchSize" in command else 0),
                "ns": ns,
            },
            **tail,
        }
    if name == "getMore":
        return {
            "cursor": {
                "nextBatch": [{"_id": 2}],
                "id": Int64(0),
                "ns": f"{db}.{command['collection']}",
            },
            **tail,
        }
    if name in ("insert", "update", "delete"):
        return {"n": 1, "nModified": 1, **tail}
    if name == "findAndModify":
        return {"lastErrorObject": {"n": 1, "updatedExisting": True}, "value": {"_id": 1}, **tail}
    if name == "distinct":
        return {"values": ["a"], **tail}
    if name == "bulkWrite":
        return {
            "cursor": {"id": Int64(0), "firstBatch": [], "ns": "admin.$cmd.bulkWrite"},
            "nErrors": 0,
            "nInserted": 1,
            "nMatched": 1,
            "nModified": 1,
            "nUpserted": 0,
            "nDeleted": 0,
            **tail,
        }
    return dict(tail)


class Recorder:
    """A server on a port of its own that keeps the first message of every command."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"mongodb://127.0.0.1:{self.listener.getsockname()[1]}/?directConnection=false"
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        stream = client.makefile("rwb")
        while header := stream.read(16):
            length, request_id, _, opcode = struct.unpack("<iiii", header)
            whole = header + stream.read(length - 16)
            self.reply(stream, whole, request_id, opcode)

    def reply(self, stream, whole, request_id, opcode):
        start = 21 if opcode == OP_MSG else whole.index(b"\0", 20) + 9
        size = struct.unpack_from("<i", whole, start)[0]
        command = bson.decode(whole[start : start + size])
        name = next(iter(command))
        body = answer(command, name, command.get("$db", ""))
        encoded = bson.encode(body)
        if opcode == OP_MSG:
            out = op_msg(body, request_id=9, response_to=request_id)
        else:
            out = message(
                OP_REPLY,
                struct.pack("<iqii", 8, 0, 0, 1) + encoded,
                request_id=9,
                response_to=request_id,
            )
        with self.lock:
            transaction = "_transaction" if "autocommit" in command else ""
            self.keep(f"pymongo_{name}{transaction}", whole, out, command, encoded, opcode)
        more_to_come = opcode == OP_MSG and whole[16] & 2
        if not more_to_come:
            stream.write(out)
            stream.flush()

    @staticmethod
    def keep(name, whole, out, command, reply, opcode):
        save("message" if opcode == OP_MSG else "op_query", name, whole)
        save("bson_view", name, bson.encode(command))
        save("reply_view", name, reply)
        if opcode == OP_QUERY:
            save("op_query", name + "_reply", out)


def anonymise_handshake():
    """The handshake describes the machine that the driver runs on; the corpus need not."""
    pymongo.pool_options._METADATA["os"] = SON(
        type="Linux", name="Linux", architecture="x86_64", version="6.1"
    )
    pymongo.pool_options._METADATA["platform"] = "CPython 3.11"
    pymongo.pool_options._metadata_env = dict


def record_driver():
    anonymise_handshake()
    client = pymongo.MongoClient(Recorder().uri, appname="corpus", serverSelectionTimeoutMS=5000)
    things = client.shop.get_collection("things", read_concern=ReadConcern("majority"))
    client.admin.command("ping", comment="why")
    things.find_one({"_id": 1})
    list(
        things.find(
            {"a": {"$in": [1, 2]}},
            {"a": 1},
            sort=[("a", 1)],
            limit=5,
            max_time_ms=100,
            comment="list",
        )
    )
    list(things.find({}, batch_size=1))
    things.insert_many([{"_id": 1}, {"_id": 2, "a": "x"}])
    things.update_one({"_id": 1}, {"$set": {"a": 1}}, upsert=True)
    things.delete_many({"a": 1})
    things.find_one_and_update({"_id": 1}, {"$inc": {"a": 1}})
    things.distinct("a", {"a": {"$gt": 1}})
    list(things.aggregate([{"$match": {"a": 1}}, {"$group": {"_id": "$a"}}]))
    client.bulk_write(
        [
            pymongo.InsertOne({"_id": 1}, namespace="shop.things"),
            pymongo.UpdateOne({"_id": 1}, {"$set": {"a": 1}}, namespace="shop.others"),
        ]
    )
    client.shop.get_collection("unacknowledged", write_concern=pymongo.WriteConcern(0)).delete_one(
        {"_id": 3}
    )
    with client.start_session(causal_consistency=True) as session, session.start_transaction():
        things.insert_one({"_id": 5}, session=session)
        things.find_one({"_id": 5}, session=session)
    client.close()


def write_by_hand():
    every_type = SON(
        double=1.5,
        string="x",
        document={"a": {"b": [1, [2]]}},
        array=[1, "2"],
        binary=Binary(b"\1\2", 0),
        uuid=Binary(bytes(16), 4),
        oid=ObjectId(bytes(12)),
        yes=True,
        date=bson.datetime.datetime(2024, 1, 1),
        none=None,
        regex=Regex("a.*", "im"),
        code=Code("f()"),
        scoped=Code("f()", {"x": 1}),
        int32=7,
        timestamp=Timestamp(5, 6),
        int64=Int64(1 << 40),
        decimal=Decimal128("1.50"),
        least=MinKey(),
        most=MaxKey(),
    )
    encoded = bson.encode(every_type)
    old = (
        b"\x06undefined\0"
        + b"\x0cpointer\0\x04\0\0\0a.b\0"
        + bytes(12)
        + b"\x0esymbol\0\x02\0\0\0s\0"
        + b"\x05old\0\x06\0\0\0\x02\x02\0\0\0ab"
    )
    save("bson_view", "every_type", encoded)
    save("bson_view", "old_types", struct.pack("<i", 5 + len(old)) + old + b"\0")
    save("extended_json", "every_type_bson", encoded)

    checked = bytearray(op_msg({"find": "things", "$db": "shop"}, flags=1))
    checked[0] += 4
    save("message", "checksum", bytes(checked) + struct.pack("<I", crc32c(checked)))
    save(
        "message",
        "exhaust",
        op_msg(
            {"hello": 1, "topologyVersion": {"counter": Int64(1)}, "$db": "admin"}, flags=1 << 16
        ),
    )
    save(
        "message",
        "two_sequences",
        op_msg(
            {"bulkWrite": 1, "$db": "admin"},
            sequences=[("ops", [{"insert": 0, "document": {}}]), ("nsInfo", [{"ns": "a.b"}])],
        ),
    )
    save(
        "message",
        "generic_fields",
        op_msg(
            SON(
                [
                    ("find", "things"),
                    ("$db", "shop"),
                    ("lsid", {"id": Binary(bytes(16), 4)}),
                    ("txnNumber", Int64(3)),
                    ("autocommit", False),
                    ("startTransaction", True),
                    ("readConcern", {"level": "snapshot", "afterClusterTime": Timestamp(7, 1)}),
                    ("writeConcern", {"w": 0, "j": False}),
                    ("maxTimeMS", 100),
                    ("$clusterTime", CLUSTER_TIME),
                    ("comment", "c"),
                    (
                        "$readPreference",
                        {"mode": "nearest", "tags": [{"dc": "a"}], "maxStalenessSeconds": 90},
                    ),
                ]
            )
        ),
    )
    save("message", "http", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    save("message", "tls", bytes.fromhex("1603010200010001fc03035a11c7093e") + bytes(32))
    plain = {
        "isMaster": 1,
        "helloOk": True,
        "client": {"driver": {"name": "PyMongo", "version": "4.0"}, "os": {"type": "Linux"}},
    }
    wrapped = {"$query": {"isMaster": 1}, "$readPreference": {"mode": "primary"}}
    for name, hello in ("hello", plain), ("wrapped", wrapped):
        save(
            "op_query",
            name,
            message(
                OP_QUERY,
                struct.pack("<i", 4)
                + b"admin.$cmd\0"
                + struct.pack("<ii", 0, -1)
                + bson.encode(hello),
            ),
        )
    save(
        "op_query",
        "hello_reply",
        message(
            OP_REPLY,
            struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer(plain, "isMaster", "")),
            request_id=9,
            response_to=1,
        ),
    )

    save(
        "reply_view",
        "not_primary",
        bson.encode(
            SON(
                topologyVersion={"counter": Int64(6)},
                ok=0.0,
                errmsg="not primary",
                code=10107,
                codeName="NotWritablePrimary",
                errorLabels=["RetryableWriteError"],
            )
        ),
    )
    save(
        "reply_view",
        "write_errors",
        bson.encode(
            SON(
                n=0,
                writeErrors=[{"index": 0, "code": 11000}, {"index": 1, "code": 91}],
                writeConcernError={"code": 64},
                ok=1.0,
            )
        ),
    )
    values = {
        "int": "5",
        "long": '{"$numberLong": "5"}',
        "oid": '{"$oid": "0123456789abcdef01234567"}',
        "text": '"a\\u20ac"',
        "document": '{"a": [1, {"b": null}]}',
        "decimal": '{"$numberDecimal": "1.5"}',
        "date": '{"$date": "2024-01-01T00:00:00Z"}',
        "uuid": '{"$uuid": "c8edabc3-f738-4ca3-b68d-ab92a91478a3"}',
        "binary": '{"$binary": {"base64": "AQI=", "subType": "00"}}',
        "regex": '{"$regularExpression": {"pattern": "a", "options": "i"}}',
        "two_fields": '1, "a": 2',
        "two_documents": '1} {"a": 2',
        "code": '{"$code": "f()", "$scope": {"x": 1}}',
        "timestamp": '{"$timestamp": {"t": 5, "i": 6}}',
    }
    for name, text in values.items():
        save("extended_json", name, text.encode())
    write_compressed()


def write_compressed():
    body = op_msg({"find": "movies", "filter": {"_id": 1}, "$db": "mflix"})[16:]
    packed = {
        0: body,
        1: snappy.compress(body),
        2: zlib.compress(body),
        3: zstandard.compress(body),
    }
    for number, data in packed.items():
        fields = struct.pack("<iiB", OP_MSG, len(body), number)
        save("compression", f"compressor_{number}", message(2012, fields + data))
    lying = struct.pack("<iiB", OP_MSG, len(body) + 1, 2) + packed[2]
    save("compression", "announces_more", message(2012, lying))


if __name__ == "__main__":
    record_driver()
    write_by_hand()
