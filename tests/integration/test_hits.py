"""What must be a hit: every shape below is answered from the cache the second time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp
from support.counted import REQUESTS, Counted
from support.servers import Daemon, Redis, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
IDS: dict[str, Any] = {
    "ObjectId": ObjectId("0123456789abcdef01234567"),
    "string": "tt0111161",
    "empty string": "",
    "unicode": "Amélie",
    "int32": 7,
    "negative": -3,
    "int64": Int64(2**40),
    "double": 1.5,
    "whole double": 12.0,
    "Decimal128": Decimal128("99"),
    "UUID": Binary(uuid.UUID(int=5).bytes, 4),
    "binary": Binary(b"\0\1\2", 0),
    "date": datetime(2024, 2, 29, tzinfo=UTC),
    "bool": True,
    "Timestamp": Timestamp(77, 1),
    "document": {"country": "se", "city": 4},
    "nested": {"a": {"b": [Binary(b"x", 0)][0]}},
}
SHAPES: dict[str, Document] = {
    "$eq": {"filter": {"_id": {"$eq": 7}}},
    "equal in another number type": {"filter": {"_id": Int64(7)}},
    "not there": {"filter": {"_id": "nobody"}},
    "$in": {"filter": {"_id": {"$in": [7, -3, 12]}}},
    "$in with duplicates and missing": {"filter": {"_id": {"$in": [7, 7, 1000, -3]}}},
    "$in with limit": {"filter": {"_id": {"$in": [7, -3, 12]}}, "limit": 2},
    "$in with an ample batch": {"filter": {"_id": {"$in": [7, -3]}}, "batchSize": 101},
    "$in of several types": {"filter": {"_id": {"$in": [7, "tt0111161"]}}},
    "inclusion": {"filter": {"_id": 7}, "projection": {"title": 1}},
    "inclusion without _id": {"filter": {"_id": 7}, "projection": {"title": 1, "_id": 0}},
    "exclusion": {"filter": {"_id": 7}, "projection": {"imdb": 0}},
    "dotted": {"filter": {"_id": 7}, "projection": {"imdb.rating": 1, "imdb.votes": 1}},
    "dotted exclusion": {"filter": {"_id": 7}, "projection": {"imdb.rating": False}},
    "$slice": {"filter": {"_id": 7}, "projection": {"cast": {"$slice": 1}}},
    "range on _id": {"filter": {"_id": {"$gt": 5, "$lt": 90}}, "sort": {"_id": 1}},
    "top N": {"filter": {"year": {"$gte": 1990}}, "sort": {"imdb.rating": -1}, "limit": 3},
    "sort, limit and skip": {"filter": {"year": 1994}, "sort": {"_id": 1}, "limit": 2, "skip": 1},
    "list with projection": {"filter": {"year": 1994}, "projection": {"title": 1}, "limit": 2},
    "everything": {"filter": {}},
    "no filter": {},
    "$or and a regular expression": {"filter": {"$or": [{"title": Regex("^a")}, {"year": 1994}]}},
    "$elemMatch": {"filter": {"cast": {"$elemMatch": {"$eq": "b"}}}},
    "collation": {"filter": {"title": "A"}, "collation": {"locale": "en", "strength": 2}},
    "hint": {"filter": {"year": 1994}, "hint": "_id_"},
    "read concern local": {"filter": {"_id": 7}, "readConcern": {"level": "local"}},
    "read concern majority": {"filter": {"_id": 7}, "readConcern": {"level": "majority"}},
    "comment and maxTimeMS": {"filter": {"_id": 7}, "comment": "x", "maxTimeMS": 9000},
    "read preference": {"filter": {"_id": 7}, "$readPreference": {"mode": "secondaryPreferred"}},
    "$expr with let": {"filter": {"$expr": {"$eq": ["$year", "$$y"]}}, "let": {"y": 1994}},
    "PyMongo find_one": {"filter": {"_id": 7}, "limit": 1, "singleBatch": True, "lsid": "session"},
    "Node findOne": {"filter": {"_id": 7}, "limit": 1, "singleBatch": True, "batchSize": 1},
    "mongosh find": {"filter": {"_id": 7}, "lsid": "session", "apiVersion": "1"},
}
SESSION = {"id": Binary(uuid.UUID(int=3).bytes, 4)}


def film(id_: Any, number: int) -> Document:
    imdb = {"rating": 5 + number / 10, "votes": number}
    return {
        "_id": id_,
        "title": "aBc"[number % 3],
        "year": 1990 + number % 6,
        "imdb": imdb,
        "cast": ["a", "b"],
    }


@pytest.fixture(scope="module")
def database(upstream: Upstream) -> Iterator[str]:
    name = f"hits_{uuid.uuid4().hex[:8]}"
    with upstream.client() as client:
        films = [film(id_, n) for n, id_ in enumerate(IDS.values())]
        client[name].films.insert_many(films)
        client[name].create_collection("small", capped=True, size=4096)
        client[name].small.insert_one({"_id": 1})
        yield name
        client.drop_database(name)


@pytest.fixture(autouse=True)
def caught_up(daemon: Daemon, database: str) -> None:
    """A list that was read before its collection was last written is not stored."""
    assert database
    daemon.catch_up()


def find(database: str, parts: Document) -> Document:
    command = {"find": "films", **parts, "$db": database}
    return command | ({"lsid": SESSION} if "lsid" in parts else {})


@pytest.fixture
def counted(daemon: Daemon) -> Iterator[Counted]:
    counted = Counted(daemon)
    daemon.post("/flush")
    wait_until(daemon.caches, what="Redis is trusted again")
    yield counted
    counted.close()


def second_is_a_hit(counted: Counted, command: Document, outcome: str = "l1_hit") -> None:
    first = counted.ask(command)
    assert counted.ask(command) == (outcome, first[1])


@pytest.mark.parametrize("id_", IDS.values(), ids=IDS.keys())
def test_every_type_of_id(counted: Counted, database: str, id_: Any) -> None:
    second_is_a_hit(counted, find(database, {"filter": {"_id": id_}}))
    outcome, body = counted.ask(find(database, {"filter": {"_id": id_}}))
    (document,) = bson.decode(body)["cursor"]["firstBatch"]
    assert (outcome, document["title"]) == (
        "l1_hit",
        film(0, list(IDS.values()).index(id_))["title"],
    )


@pytest.mark.parametrize("parts", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape(counted: Counted, database: str, parts: Document) -> None:
    second_is_a_hit(counted, find(database, parts))


def test_projections_of_a_cached_document_need_no_read_of_their_own(
    counted: Counted, database: str
) -> None:
    counted.warm(find(database, {"filter": {"_id": 7}}))
    for projection in ({"title": 1}, {"imdb": 0}, {"imdb.rating": 1}):
        parts = {"filter": {"_id": 7}, "projection": projection}
        assert counted.ask(find(database, parts))[0] == "l1_hit"


def test_only_what_is_missing_of_a_batch_is_fetched(
    servers: Servers, upstream: Upstream, database: str
) -> None:
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri, config='[cache]\nmode = "ttl"\n')
    counted = Counted(daemon)
    counted.warm(find(database, {"filter": {"_id": 7}}))
    with upstream.client() as behind:
        # Behind the daemon's back: a batch that shows the old value took it from the cache.
        behind[database].films.update_one({"_id": 7}, {"$set": {"mark": 1}})
        outcome, body = counted.ask(find(database, {"filter": {"_id": {"$in": [7, 12, 1.5]}}}))
        behind[database].films.update_one({"_id": 7}, {"$unset": {"mark": 1}})
    documents = bson.decode(body)["cursor"]["firstBatch"]
    assert outcome == "miss"
    assert [d["_id"] for d in documents] == [1.5, 7, 12]
    assert "mark" not in documents[1]
    for id_ in (12, 1.5):
        assert counted.ask(find(database, {"filter": {"_id": id_}}))[0] == "l1_hit"


def driver_reads(films: Any) -> list[Callable[[], object]]:
    return [
        lambda: films.find_one({"_id": 7}),
        lambda: films.find_one({"_id": 7}, {"title": 1}),
        lambda: list(films.find({"_id": {"$in": [7, 12]}})),
        lambda: list(films.find({"year": 1994}).sort("imdb.rating", -1).skip(1).limit(2)),
        lambda: films.find_one({"title": "a"}),
    ]


@pytest.mark.parametrize("number", range(5))
def test_what_pymongo_sends(daemon: Daemon, database: str, number: int) -> None:
    with pymongo.MongoClient(daemon.uri) as client:
        read = driver_reads(client[database].films)[number]
        first = read()

        def is_hit() -> bool:
            before = daemon.metrics().value(REQUESTS, outcome="l1_hit", command="find")
            assert read() == first
            return daemon.metrics().value(REQUESTS, outcome="l1_hit", command="find") == before + 1

        # Several that were read at several times are of one moment once the stream has passed them.
        wait_until(is_hit, what="a hit")


SHARED: list[Document] = [
    {"filter": {"_id": 7}},
    {"filter": {"_id": "nobody"}},
    {"filter": {"year": 1994}, "sort": {"_id": 1}, "limit": 2},
]


def in_redis(redis: Redis, count: int) -> bool:
    with redis.client() as client:
        return len(list(client.scan_iter(match="*:v:*"))) >= count


@pytest.mark.parametrize("reader", ["restarted", "another", "no memory"])
def test_answers_come_from_redis(
    servers: Servers, upstream: Upstream, database: str, reader: str
) -> None:
    redis = servers.redis()
    daemon = servers.daemon(upstream.uri, redis.uri)
    writer = Counted(daemon)
    answers = [writer.warm(find(database, parts)) for parts in SHARED]
    wait_until(lambda: in_redis(redis, len(SHARED)), what="fills in Redis")
    if reader == "restarted":
        daemon.restart()
    else:
        config = '[cache]\nmemory = "0"\n' if reader == "no memory" else ""
        daemon = servers.daemon(upstream.uri, redis.uri, config=config)
    counted = Counted(daemon)
    counted.ask(find(database, {"filter": {"_id": "proof"}}))  # of the right to read
    for parts, answer in zip(SHARED, answers, strict=True):
        assert counted.ask(find(database, parts)) == ("redis_hit", answer)
        again = "redis_hit" if reader == "no memory" else "l1_hit"
        assert counted.ask(find(database, parts)) == (again, answer)


def test_hits_without_redis(servers: Servers, upstream: Upstream, database: str) -> None:
    second_is_a_hit(Counted(servers.daemon(upstream.uri)), find(database, {"filter": {"_id": 7}}))


def test_disabled_cache_relays_only(servers: Servers, upstream: Upstream, database: str) -> None:
    counted = Counted(servers.daemon(upstream.uri, config="[cache]\nenabled = false\n"))
    second_is_a_hit(counted, find(database, {"filter": {"_id": 7}}), "bypass")
