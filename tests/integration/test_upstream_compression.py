"""OP_COMPRESSED towards the upstream: agreed on by hello, invisible to clients."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import bson
import pymongo
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo.errors import AutoReconnect
from support import pooled
from support.compressing_relay import CONTEXTS, CompressingRelay
from support.raw import EXHAUST_ALLOWED, MORE_TO_COME, connect
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]
NOISE = random.Random(6).randbytes(16 << 20)
LARGEST = 16_000_000
WHOLE_LIMIT = 256 << 10
ROOT = f"{ROOT_USER}:{ROOT_PASSWORD}"
ASKING_WHO = ("saslStart", "saslContinue", "hello", "isMaster", "ismaster")
BYTES = ("mongocached_upstream_compressed_bytes_total",
         "mongocached_upstream_uncompressed_bytes_total")  # fmt: skip


@pytest.fixture
def relay(upstream: Upstream) -> Iterator[CompressingRelay]:
    with CompressingRelay(upstream.port) as relay:
        yield relay


@pytest.fixture(scope="module")
def guarded(session_servers: Servers) -> Upstream:
    return session_servers.upstream(auth=True)


def client_of(daemon: Daemon, **options: Any) -> Client:
    return pymongo.MongoClient(daemon.uri, serverSelectionTimeoutMS=10_000, **options)


def hits(daemon: Daemon) -> float:
    return daemon.metrics().value("mongocached_requests_total", outcome="l1_hit", command="find")


def name_of_test() -> str:
    return f"packed_{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("name", list(CONTEXTS))
def test_all_sizes_both_ways(servers: Servers, relay: CompressingRelay, name: str) -> None:
    daemon = servers.daemon(relay.uri(name))
    sizes = [0, 100, 20_000, 70_000, 300_000, LARGEST]
    with client_of(daemon) as client:
        collection = client[name_of_test()].things
        documents = [{"_id": size, "data": NOISE[:size]} for size in sizes]
        for document in documents:
            collection.insert_one(document)
        daemon.catch_up()
        for document in documents:
            for _ in range(3):
                assert collection.find_one({"_id": document["_id"]}) == document
        before = hits(daemon)
        assert collection.find_one({"_id": 100}) == documents[1]
        assert hits(daemon) == before + 1
        assert list(collection.find().sort("_id", 1)) == documents
        assert list(collection.aggregate([{"$sort": {"_id": 1}}], batchSize=1)) == documents
        text = [{"_id": 10**9 + i, "text": "x" * 200} for i in range(900)]
        assert len(bson.encode({"all": text})) < WHOLE_LIMIT
        collection.insert_many(text)
        assert list(collection.find({"_id": {"$gte": 10**9}})) == text
        client.drop_database(collection.database.name)
    large = sum(size > WHOLE_LIMIT for size in sizes)
    assert relay.requests("insert") == {name: len(sizes) - large + 1, "": large}
    assert set(relay.requests("find")) == {name}
    for what in ASKING_WHO:
        assert set(relay.requests(what)) <= {""}


@pytest.mark.parametrize("theirs", ["", "zstd", "zlib"])
def test_clients_agree_on_their_own(servers: Servers, relay: CompressingRelay, theirs: str) -> None:
    daemon = servers.daemon(relay.uri("zstd,snappy"))
    with ExitStack() as stack:
        options: Document = {"document_class": RawBSONDocument}
        plain = stack.enter_context(client_of(daemon, **options))
        if theirs:
            options["compressors"] = theirs
        client = stack.enter_context(client_of(daemon, **options))
        name = name_of_test()
        plain[name].things.insert_one({"_id": 1, "text": "x" * 3000})
        daemon.catch_up()
        found = [client[name].things.find_one({"_id": 1}) for _ in range(2)]
        before = hits(daemon)
        found += [c[name].things.find_one({"_id": 1}) for c in (client, plain)]
        assert hits(daemon) == before + 2
        assert len({document.raw for document in found if document}) == 1
        large = b"x" * 2_000_000
        client[name].things.insert_one({"_id": 2, "data": large})
        second = client[name].things.find_one({"_id": 2})
        assert second
        assert second["data"] == large
        (server,) = client._topology._servers.values()
        contexts = [c.compression_context for c in server.pool.conns]
        assert [c.compressor_id if c else 0 for c in contexts] == [
            CONTEXTS[theirs].compressor_id if theirs else 0
        ]
        plain.drop_database(name)
    assert set(relay.requests("find")) == {"zstd"}


def test_the_control_plane_compresses_too(servers: Servers, relay: CompressingRelay) -> None:
    """Else the change stream would cost what the rest saves."""
    daemon = servers.daemon(relay.uri("zlib"))
    assert daemon.status()["stream"]["up"]
    assert relay.requests("aggregate") == {"zlib": 1}


def test_a_server_may_have_one_or_none(servers: Servers, upstream: Upstream) -> None:
    for has, agreed in ((["zlib"], "zlib"), ([], "")):
        with CompressingRelay(upstream.port, has) as relay:
            daemon = servers.daemon(relay.uri("zstd,zlib"))
            with client_of(daemon) as client:
                assert client[name_of_test()].things.find_one({"_id": 1}) is None
                assert set(relay.requests("find")) == {agreed}
                connections = {name: int(name == agreed) for name in ("zstd", "zlib")}
                assert daemon.status()["upstream"]["compression"] == {
                    "offered": ["zstd", "zlib"],
                    "connections": connections,
                }
            daemon.stop()


def test_nothing_is_compressed_unless_asked_for(servers: Servers, relay: CompressingRelay) -> None:
    daemon = servers.daemon(f"mongodb://127.0.0.1:{relay.port}/?directConnection=true")
    with client_of(daemon, compressors="zlib") as client:
        assert client[name_of_test()].things.find_one({"_id": 1}) is None
    assert relay.requests("find") == {"": 1}
    assert daemon.status()["upstream"]["compression"] == {"offered": [], "connections": {}}
    assert all(daemon.metrics().value(name, direction="sent") == 0 for name in BYTES)


def test_a_name_that_nobody_knows_is_a_warning(servers: Servers, relay: CompressingRelay) -> None:
    daemon = servers.daemon(relay.uri("lz4,zlib"))
    assert "lz4" in daemon.process.log_text()
    assert daemon.status()["upstream"]["compression"]["offered"] == ["zlib"]


def test_what_it_saves_can_be_seen(servers: Servers, relay: CompressingRelay) -> None:
    daemon = servers.daemon(relay.uri("zstd"))
    with client_of(daemon) as client:
        collection = client[name_of_test()].things
        collection.insert_one({"_id": 1, "text": "x" * 100_000})
        assert collection.find_one({"_id": 1})
        client.drop_database(collection.database.name)
    metrics = daemon.metrics()
    for direction in ("sent", "received"):
        wire, plain = (metrics.value(name, direction=direction) for name in BYTES)
        assert plain > 100_000
        assert wire < plain / 20


@pytest.mark.parametrize("speculates", [True, False])
def test_users_log_in_plainly(servers: Servers, guarded: Upstream, speculates: bool) -> None:
    """Passthrough: the client's own hello travels, with what is ours in it."""
    with CompressingRelay(guarded.port) as relay:
        daemon = servers.daemon(relay.uri("snappy,zlib", ROOT))
        before = len(relay.offers())
        if speculates:
            with client_of(
                daemon, username=ROOT_USER, password=ROOT_PASSWORD, compressors="zlib"
            ) as client:
                assert client[name_of_test()].things.find_one({"_id": 1}) is None
        else:
            with pooled.LoggedIn(daemon, ROOT_USER, password=ROOT_PASSWORD) as raw:
                assert raw.ask({"find": "things", "filter": {"_id": 1}, "$db": "shop"})["ok"]
        assert ["snappy", "zlib"] in relay.offers()[before:]
        assert ["zlib"] not in relay.offers()[before:]
        assert relay.requests("find") == {"snappy": 1}
        for what in ASKING_WHO:
            assert set(relay.requests(what)) <= {""}
        assert relay.requests("saslContinue")


def test_pooled(servers: Servers, guarded: Upstream) -> None:
    with CompressingRelay(guarded.port) as relay:
        daemon = servers.daemon(relay.uri("zstd", ROOT), config=pooled.settings(pool_size=1))
        with pooled.log_in(daemon, "ann", compressors="zlib") as ann:
            collection = ann[name_of_test()].things
            collection.insert_one({"_id": 1, "data": NOISE[:LARGEST]})
            for _ in range(2):
                found = collection.find_one({"_id": 1})
                assert found
                assert found["data"] == NOISE[:LARGEST]
            collection.insert_many([{"_id": i} for i in range(2, 10)])
            assert len(list(collection.find({}, {"_id": 1}, batch_size=2))) == 9
            ann.drop_database(collection.database.name)
        assert set(relay.requests("find")) == {"zstd"}
        assert set(relay.requests("getMore")) == {"zstd"}
        for what in ASKING_WHO:
            assert set(relay.requests(what)) <= {""}
        assert relay.requests("saslStart")


def test_many_replies_to_one_request(servers: Servers, relay: CompressingRelay) -> None:
    daemon = servers.daemon(relay.uri("zlib"))
    name = name_of_test()
    with client_of(daemon) as client:
        client[name].things.insert_many([{"_id": i} for i in range(7)])
        find = {"find": "things", "filter": {}, "batchSize": 1, "$db": name}
        with connect(daemon) as raw:
            cursor = raw.request(find).document["cursor"]["id"]
            more = {"getMore": bson.Int64(cursor), "collection": "things", "batchSize": 2}
            before = relay.replies().get("zlib", 0)
            raw.send(more | {"$db": name}, flags=EXHAUST_ALLOWED)
            replies = [raw.receive()]
            while replies[-1].flags & MORE_TO_COME:
                replies.append(raw.receive())
            assert relay.replies()["zlib"] >= before + len(replies)
            assert raw.request({"ping": 1, "$db": "admin"}).document["ok"] == 1
        client.drop_database(name)
    batches = [reply.document["cursor"]["nextBatch"] for reply in replies]
    assert [row["_id"] for batch in batches for row in batch] == [1, 2, 3, 4, 5, 6]
    assert len(batches) >= 3


def test_a_write_that_wants_no_answer(servers: Servers, relay: CompressingRelay) -> None:
    daemon = servers.daemon(relay.uri("zlib"))
    name = name_of_test()
    write: Document = {"insert": "things", "documents": [{"_id": 1}], "writeConcern": {"w": 0}}
    find = {"find": "things", "filter": {"_id": 1}, "$db": name}
    with connect(daemon) as raw:
        raw.send(write | {"$db": name}, flags=MORE_TO_COME)
        assert raw.request(find).document["cursor"]["firstBatch"] == [{"_id": 1}]
        raw.request({"dropDatabase": 1, "$db": name})
    assert relay.requests("insert") == {"zlib": 1}


def test_a_fill_that_is_too_large_is_asked_again(servers: Servers, relay: CompressingRelay) -> None:
    """The whole document is asked for first, and does not fit: then what the client asked."""
    daemon = servers.daemon(relay.uri("zstd"))
    with client_of(daemon) as client:
        collection = client[name_of_test()].things
        collection.insert_one({"_id": 1, "n": 5, "data": NOISE[:5_000_000]})
        daemon.catch_up()
        for _ in range(3):
            assert collection.find_one({"_id": 1}, {"n": 1}) == {"_id": 1, "n": 5}
        client.drop_database(collection.database.name)
    (count,) = relay.requests("find").values()
    assert count > 3, "the test shows nothing unless a fill was given up"


def test_a_server_that_sends_nonsense_is_left(servers: Servers, relay: CompressingRelay) -> None:
    daemon = servers.daemon(relay.uri("snappy"))
    name = name_of_test()
    with client_of(daemon, retryReads=False) as client:
        client[name].things.insert_one({"_id": 1})
        for spoiled in (
            lambda m: m[:20] + b"\xff\xff\xff\x7f" + m[24:],  # larger than a message may be
            lambda m: m[:20] + b"\x00\x00\xdc\x02" + m[24:],  # 47 972 352 bytes that are not there
            lambda m: m[:24] + b"\x02" + m[25:],  # zlib was not agreed on
            lambda m: m[:24] + b"\x09" + m[25:],
            lambda m: m[:25] + bytes(len(m) - 25),
        ):
            relay.spoil = spoiled
            with pytest.raises(AutoReconnect):
                client[name].things.find_one({"n": 1})
            relay.spoil = None
            assert client[name].things.find_one({"_id": 1}) == {"_id": 1}
        client.drop_database(name)
    wait_until(
        lambda: daemon.metrics().value("mongocached_buffered_bytes") == 0, what="what was held"
    )
