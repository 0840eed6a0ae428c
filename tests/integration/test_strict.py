"""Mode strict: two daemons that share upstream and Redis, and no read that misses a write."""

from __future__ import annotations

import select
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from support.counted import BYPASS, Counted, by_id, count, warm
from support.servers import Redis, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
Films = Collection[Document]
STRICT = '[cache]\nmode = "strict"\n'


def test_strict_writes_are_seen_by_the_next_read_elsewhere(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    a, b = (servers.daemon(upstream.uri, redis.uri, config=STRICT) for _ in range(2))
    name = films.database.name
    warm(b, name, 300, "redis_hit")
    with pymongo.MongoClient(a.uri) as writing, pymongo.MongoClient(b.uri) as reading:
        for id_ in range(300):
            writing[name].films.update_one({"_id": id_}, {"$set": {"n": id_ + 1}})
            assert reading[name].films.find_one({"_id": id_}) == {"_id": id_, "n": id_ + 1}
    warm(b, name, 300, "redis_hit")
    assert count(b, "l1_hit") == 0
    assert b.status()["freshness"]["mode"] == "strict"


def test_strict_same_document_over_and_over(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """With reads going on all the time, so that fills and announcements meet."""
    a, b = (servers.daemon(upstream.uri, redis.uri, config=STRICT) for _ in range(2))
    name = films.database.name
    with pymongo.MongoClient(a.uri) as writing, pymongo.MongoClient(b.uri) as reading:
        for n in range(1, 301):
            writing[name].films.update_one({"_id": 7}, {"$set": {"n": n}})
            for _ in range(n % 4 + 1):
                assert reading[name].films.find_one({"_id": 7}) == {"_id": 7, "n": n}
        wait_until(lambda: reading[name].films.find_one({"_id": 7}) == {"_id": 7, "n": 300}
                   and count(b, "redis_hit") > 0)  # fmt: skip
    assert count(b, "l1_hit") == 0


def update(films: Films, *statements: Document) -> Document:
    return {"update": "films", "updates": list(statements), "$db": films.database.name}


SET_ONE: Document = {"q": {"_id": 5}, "u": {"$set": {"n": 1}}}
KEEPS_BUSY: Document = {"q": {"_id": {"$gte": 100}}, "u": {"$inc": {"n": 1}}, "multi": True}


def is_answered(counted: Counted) -> bool:
    return bool(select.select([counted.connection.socket], [], [], 0)[0])


def test_strict_write_in_force_and_not_acknowledged(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """From the moment that it may be in force until it is acknowledged, others forward."""
    a, b = (servers.daemon(upstream.uri, redis.uri, config=STRICT) for _ in range(2))
    read = by_id(films.database.name, 5)
    with Counted(a) as writer, Counted(b) as reader:
        assert reader.until(read, "redis_hit") == [{"_id": 5, "n": 0}]
        writer.connection.send(update(films, SET_ONE, *[KEEPS_BUSY] * 20))
        wait_until(lambda: films.find_one({"_id": 5}) == {"_id": 5, "n": 1}, what="the write")
        answers = [reader.found(read) for _ in range(10)]
        assert not is_answered(writer), "acknowledged too early: the test shows nothing"
        assert {outcome for outcome, _ in answers} <= {"miss", "bypass"}
        assert [found for _, found in answers] == [[{"_id": 5, "n": 1}]] * 10
        assert writer.connection.receive().document["n"] == 4001
        assert reader.until(read, "redis_hit") == [{"_id": 5, "n": 1}]


def hold_next_update(upstream: Upstream, milliseconds: int) -> None:
    data = {"failCommands": ["update"], "blockConnection": True, "blockTimeMS": milliseconds}
    with upstream.client() as client:
        client.admin.command(
            {"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data}
        )


BY_FILTER: Document = {"q": {"_id": {"$lt": 6}}, "u": {"$set": {"n": 1}}, "multi": True}
LARGE: Document = {"q": {"_id": 5, "pad": {"$ne": "x" * 300_000}}}


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(SET_ONE, id="by _id"),
        pytest.param(BY_FILTER, id="by filter"),
    ],
)
def test_strict_announcement_comes_before_the_write(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films, statement: Document
) -> None:
    """While the upstream has not even begun with the write, the others forward already."""
    a, b = (servers.daemon(upstream.uri, redis.uri, config=STRICT) for _ in range(2))
    read, beside = by_id(films.database.name, 5), by_id(films.database.name, 7)
    with Counted(a) as writer, Counted(b) as reader:
        reader.until(read, "redis_hit")
        reader.until(beside, "redis_hit")
        hold_next_update(upstream, 3000)
        writer.connection.send(update(films, statement))
        wait_until(lambda: reader.found(read)[0] != "redis_hit", deadline=1, what="announcement")
        answers = [reader.found(read) for _ in range(10)]
        others = [reader.found(beside)[0] for _ in range(10)]
        assert not is_answered(writer), "acknowledged too early: the test shows nothing"
        assert {outcome for outcome, _ in answers} <= {"miss", "bypass"}
        assert [found for _, found in answers] == [[{"_id": 5, "n": 0}]] * 10
        if statement is SET_ONE:
            assert set(others) == {"redis_hit"}
        assert writer.connection.receive().document["n"] >= 1
        assert reader.found(read)[1] == [{"_id": 5, "n": 1}]
        assert reader.until(read, "redis_hit") == [{"_id": 5, "n": 1}]


def test_strict_write_of_unknown_extent_is_seen_once_acknowledged(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """Only the front of it is looked at, and that does not tell its database: everything falls."""
    a, b = (servers.daemon(upstream.uri, redis.uri, config=STRICT) for _ in range(2))
    read = by_id(films.database.name, 5)
    with Counted(a) as writer, Counted(b) as reader:
        for n in range(1, 11):
            reader.until(read, "redis_hit")
            large = {**LARGE, "u": {"$set": {"n": n}}}
            writer.connection.send(update(films, large))
            assert writer.connection.receive().document["n"] == 1
            assert reader.found(read)[1] == [{"_id": 5, "n": n}]


FAILING: dict[str, Document] = {
    "duplicate key": {"insert": "films", "documents": [{"_id": 5}]},
    "bad update": {"update": "films", "updates": [{"q": {"_id": 5}, "u": {"$nonsense": {"n": 1}}}]},
    "unknown operator in a multi update": {
        "update": "films",
        "updates": [{"q": {"n": 0}, "u": {"$nonsense": {"n": 1}}, "multi": True}],
    },
}


@pytest.mark.parametrize("command", FAILING.values(), ids=FAILING.keys())
def test_strict_announcement_of_a_failed_write_is_taken_back(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films, command: Document
) -> None:
    a, b = (servers.daemon(upstream.uri, redis.uri, config=STRICT) for _ in range(2))
    read = by_id(films.database.name, 5)
    with Counted(a) as writer, Counted(b) as reader:
        reader.until(read, "redis_hit")
        for _ in range(3):
            answer = writer.connection.request({**command, "$db": films.database.name}).document
            assert answer.get("writeErrors") or answer["ok"] == 0, answer
            assert reader.until(read, "redis_hit") == [{"_id": 5, "n": 0}]
    with redis.client() as client:
        assert not list(client.scan_iter("*:2:*:p:*"))
        assert not [key for key in client.scan_iter("*:r:*") if client.hget(key, "p")]


def test_strict_lists_are_forwarded(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    daemon = servers.daemon(upstream.uri, redis.uri, config=STRICT)
    read = {"find": "films", "filter": {"n": 0}, "limit": 3, "$db": films.database.name}
    with Counted(daemon) as counted:
        before = daemon.metrics().value(BYPASS, reason="mode_strict")
        assert [counted.ask(read)[0] for _ in range(3)] == ["bypass"] * 3
        assert daemon.metrics().value(BYPASS, reason="mode_strict") == before + 3


def test_strict_without_redis_forwards(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    daemon = servers.daemon(upstream.uri, redis.uri, config=STRICT)
    name = films.database.name
    with Counted(daemon) as counted, pymongo.MongoClient(daemon.uri) as client:
        counted.until(by_id(name, 5), "redis_hit")
        redis.kill()
        for n in range(1, 30):
            films.update_one({"_id": 5}, {"$set": {"behind": n}})
            client[name].films.update_one({"_id": 5}, {"$set": {"n": n}})
            outcome, found = counted.found(by_id(name, 5))
            assert outcome in ("miss", "bypass")
            assert found == [{"_id": 5, "n": n, "behind": n}]
        assert (count(daemon, "l1_hit"), count(daemon, "error")) == (0, 0)
        redis.start_again()
        counted.until(by_id(name, 5), "redis_hit")
