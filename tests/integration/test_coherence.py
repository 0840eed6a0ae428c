"""A cached document or list never survives a write that could change it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pymongo
import pytest
from bson import Binary
from bson.decimal128 import Decimal128
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, DuplicateKeyError
from support.counted import Counted
from support.raw import CLOCKS, MORE_TO_COME, RawConnection, without_fields
from support.servers import Daemon, Servers, Upstream

Document = dict[str, Any]
Films = Collection[Document]
SET = {"$set": {"mark": 1}}


def merged(films: Films) -> None:
    films.aggregate([{"$match": {"_id": 3}}, {"$set": {"m": 1}}, {"$merge": {"into": films.name}}])


def out(films: Films) -> None:
    films.aggregate([{"$match": {"_id": {"$ne": 3}}}, {"$out": films.name}])


def out_at_get_more(films: Films) -> None:
    stages = [{"$match": {"_id": {"$lt": 3}}}, {"$out": films.name}]
    films.aggregate(stages, batchSize=0).to_list()


def ordered_bulk_that_fails(films: Films) -> None:
    with pytest.raises(BulkWriteError):
        films.bulk_write([UpdateOne({"_id": 3}, SET), InsertOne({"_id": 1}), DeleteOne({"_id": 3})])


def failed_insert(films: Films) -> None:
    with pytest.raises(DuplicateKeyError):
        films.insert_one({"_id": 3})


def client_bulk(films: Films) -> None:
    operation = {"update": 0, "filter": {"_id": 3}, "updateMods": SET}
    films.database.client.admin.command(
        {"bulkWrite": 1, "ops": [operation], "nsInfo": [{"ns": films.full_name}]}
    )


def rename_over(films: Films) -> None:
    films.database.other.insert_one({"_id": 3, "year": 1994, "renamed": True})
    films.database.other.rename(films.name, dropTarget=True)


def transaction(films: Films) -> None:
    with films.database.client.start_session() as session, session.start_transaction():
        films.update_one({"_id": 3}, SET, session=session)
        films.find_one({"_id": 3}, session=session)


def transaction_by_filter(films: Films) -> None:
    with films.database.client.start_session() as session, session.start_transaction():
        films.update_many({"year": 1994}, SET, session=session)


def unacknowledged(films: Films) -> None:
    """The next message on the same connection stays behind it: a client with one connection."""
    films.with_options(write_concern=WriteConcern(w=0)).update_one({"_id": 3}, SET)
    films.database.client.admin.command("ping")


def drop_database(films: Films) -> None:
    films.database.client.drop_database(films.database.name)


WRITES: dict[str, Callable[[Films], object]] = {
    "insert": lambda c: c.insert_one({"_id": 30, "year": 1994}),
    "insert many": lambda c: c.insert_many([{"_id": 30, "year": 1994}, {"_id": 31}]),
    "update by _id": lambda c: c.update_one({"_id": 3}, SET),
    "update by _id of another number type": lambda c: c.update_one({"_id": 3.0}, SET),
    "update by $in": lambda c: c.update_many({"_id": {"$in": [2, 3]}}, SET),
    "update by _id and more": lambda c: c.update_one({"_id": 3, "year": 1994}, SET),
    "update by filter": lambda c: c.update_one({"title": "t3"}, SET),
    "update by range": lambda c: c.update_many({"_id": {"$gt": 2}}, SET),
    "update many": lambda c: c.update_many({"year": 1994}, {"$inc": {"year": 1}}),
    "update by pipeline": lambda c: c.update_one({"_id": 3}, [{"$set": {"mark": 2}}]),
    "upsert by _id": lambda c: c.update_one({"_id": 30}, {"$set": {"year": 1994}}, upsert=True),
    "upsert by filter": lambda c: c.update_one(
        {"title": "new"}, {"$set": {"year": 1994}}, upsert=True
    ),
    "replace": lambda c: c.replace_one({"_id": 3}, {"year": 2000}),
    "replace by filter": lambda c: c.replace_one({"title": "t3"}, {"year": 2000}),
    "delete by _id": lambda c: c.delete_one({"_id": 3}),
    "delete by filter": lambda c: c.delete_one({"title": "t3"}),
    "delete many": lambda c: c.delete_many({"year": 1994}),
    "find and update": lambda c: c.find_one_and_update({"_id": 3}, SET),
    "find and update sorted": lambda c: c.find_one_and_update(
        {"year": 1994}, SET, sort=[("_id", 1)]
    ),
    "find and replace": lambda c: c.find_one_and_replace({"_id": 3}, {"year": 1}),
    "find and delete": lambda c: c.find_one_and_delete({"_id": 3}),
    "collection bulk": lambda c: c.bulk_write([UpdateOne({"_id": 3}, SET), DeleteOne({"_id": 4})]),
    "unordered bulk": lambda c: c.bulk_write(
        [ReplaceOne({"_id": 3}, {"a": 1}), UpdateMany({}, SET)], ordered=False
    ),
    "ordered bulk that fails in the middle": ordered_bulk_that_fails,
    "insert that fails": failed_insert,
    "client bulk": client_bulk,
    "$merge": merged,
    "$out": out,
    "$out at getMore": out_at_get_more,
    "drop": lambda c: c.drop(),
    "drop and create": lambda c: (c.drop(), c.database.create_collection(c.name)),
    "drop and make a view": lambda c: (
        c.drop(),
        c.database.base.insert_one({"_id": 3, "year": 1994, "from": "base"}),
        c.database.create_collection(c.name, viewOn="base", pipeline=[]),
    ),
    "rename away": lambda c: c.rename("away"),
    "rename over": rename_over,
    "drop database": drop_database,
    "create index": lambda c: c.create_index("year"),
    "transaction": transaction,
    "transaction by filter": transaction_by_filter,
    "unacknowledged": unacknowledged,
}


def reads(database: str) -> list[Document]:
    parts: list[Document] = [
        {"filter": {"_id": 3}},
        {"filter": {"_id": 30}},
        {"filter": {"_id": {"$in": [1, 3, 30]}}},
        {"filter": {"_id": 3}, "projection": {"mark": 1, "year": 1}},
        {"filter": {"year": 1994}, "sort": {"_id": 1}, "limit": 3},
        {"filter": {}, "sort": {"year": -1, "_id": 1}, "skip": 1, "limit": 2},
        {},
    ]
    return [{"find": "films", **some, "$db": database} for some in parts]


def answers(connection: RawConnection, database: str) -> list[bytes]:
    return [without_fields(connection.request(r).body, CLOCKS) for r in reads(database)]


def hits(daemon: Daemon) -> float:
    metrics = daemon.metrics()
    kinds = ("l1_hit", "redis_hit", "coalesced")
    return sum(metrics.value("mongocached_requests_total", outcome=k) for k in kinds)


@pytest.fixture
def films(daemon: Daemon, upstream: Upstream) -> Iterator[Films]:
    name = f"coherence_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct, pymongo.MongoClient(daemon.uri, maxPoolSize=1) as client:
        films = [{"_id": i, "title": f"t{i}", "year": 1990 + i + (i == 3)} for i in range(6)]
        direct[name].films.insert_many(films)
        yield client[name].films
        direct.drop_database(name)


@pytest.fixture
def straight(upstream: Upstream) -> Iterator[RawConnection]:
    with RawConnection("127.0.0.1", upstream.port) as connection:
        yield connection


@pytest.fixture
def reader(daemon: Daemon) -> Iterator[RawConnection]:
    with RawConnection("127.0.0.1", daemon.port) as connection:
        yield connection


@pytest.fixture(scope="module")
def other_daemon(session_servers: Servers, upstream: Upstream, daemon: Daemon) -> Daemon:
    """Shares the Redis and keeps nothing in memory, so that what Redis holds shows itself."""
    return session_servers.daemon(upstream.uri, daemon.redis_uri, config='[cache]\nmemory = "0"\n')


def check(
    films: Films,
    write: Callable[[Films], object],
    reader: RawConnection,
    straight: RawConnection,
    on: Daemon,
) -> None:
    name = films.database.name
    for _ in range(3):
        assert answers(reader, name) == answers(straight, name)
    before = hits(on)
    answers(reader, name)
    assert hits(on) - before >= 5, "nothing is cached: the test shows nothing"
    write(films)
    expected = answers(straight, name)
    for _ in range(3):
        assert answers(reader, name) == expected


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_next_reads_see(
    films: Films, write: Callable[[Films], object], reader: RawConnection,
    straight: RawConnection, daemon: Daemon,
) -> None:  # fmt: skip
    check(films, write, reader, straight, daemon)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_next_reads_through_another_daemon_see(
    films: Films, write: Callable[[Films], object], straight: RawConnection, other_daemon: Daemon
) -> None:
    with RawConnection("127.0.0.1", other_daemon.port) as reader:
        check(films, write, reader, straight, other_daemon)


def transaction_command(films: Films, number: int, **command: Any) -> Document:
    session = {"lsid": {"id": Binary(uuid.UUID(int=number).bytes, 4)}, "txnNumber": bson.Int64(1)}
    database = "admin" if "commitTransaction" in command else films.database.name
    return {**command, **session, "autocommit": False, "$db": database}


@pytest.mark.parametrize("through_another", [False, True])
def test_commit_sent_on_another_connection(
    films: Films, reader: RawConnection, straight: RawConnection, daemon: Daemon,
    other_daemon: Daemon, through_another: bool,
) -> None:  # fmt: skip
    number = uuid.uuid4().int

    def write(_: Films) -> None:
        change = transaction_command(
            films,
            number,
            update="films",
            updates=[{"q": {"_id": 3}, "u": SET}],
            startTransaction=True,
        )
        port = other_daemon.port if through_another else daemon.port
        with (
            RawConnection("127.0.0.1", daemon.port) as first,
            RawConnection("127.0.0.1", port) as second,
        ):
            assert first.request(change).document["n"] == 1
            assert answers(reader, films.database.name) == answers(straight, films.database.name)
            commit = transaction_command(films, number, commitTransaction=1)
            assert second.request(commit).document["ok"] == 1

    if through_another:
        # The daemon that hears of the commit alone cannot know what was written, nor tell others'
        # memory before there is a change stream: what it serves itself is right.
        with RawConnection("127.0.0.1", other_daemon.port) as other_reader:
            check(films, write, other_reader, straight, other_daemon)
    else:
        check(films, write, reader, straight, daemon)


def test_retried_write(
    films: Films, reader: RawConnection, straight: RawConnection, daemon: Daemon
) -> None:
    session = {"lsid": {"id": Binary(uuid.uuid4().bytes, 4)}, "txnNumber": bson.Int64(1)}
    command = {"update": "films", "updates": [{"q": {"_id": 3}, "u": {"$inc": {"n": 1}}}]}
    command |= {**session, "$db": films.database.name}
    with RawConnection("127.0.0.1", daemon.port) as writer:
        check(films, lambda _: writer.request(command), reader, straight, daemon)
        assert writer.request(command).document["n"] == 1
    assert answers(reader, films.database.name) == answers(straight, films.database.name)


def test_unacknowledged_write_and_the_read_behind_it(
    films: Films, reader: RawConnection, straight: RawConnection, daemon: Daemon
) -> None:
    """On one connection a read comes after the write before it, acknowledged or not."""
    update = {"q": {"_id": 3}, "u": {"$set": {"mark": 7}}}
    command = {"update": "films", "updates": [update], "writeConcern": {"w": 0}}
    command["$db"] = films.database.name
    check(films, lambda _: (reader.send(command, MORE_TO_COME), answers(reader, command["$db"])),
          reader, straight, daemon)  # fmt: skip


@pytest.mark.parametrize("behind", [False, True], ids=["through", "behind"])
@pytest.mark.parametrize(
    ("asked", "inserted"),
    [(0.5, Decimal128("0.5")), ({"a": 1.5}, {"a": Decimal128("1.5")})],
    ids=["decimal", "nested decimal"],
)
def test_insertion_of_an_equal_id_that_has_no_key(
    films: Films, upstream: Upstream, daemon: Daemon, asked: Any, inserted: Any, behind: bool
) -> None:
    """A cached absence was served until negative_ttl."""
    with upstream.client() as direct:
        straight = direct[films.database.name].films
        for _ in range(3):
            assert films.find_one({"_id": asked}) is None
        before = hits(daemon)
        assert films.find_one({"_id": asked}) is None
        assert hits(daemon) > before, "nothing is cached: the test shows nothing"
        (straight if behind else films).insert_one({"_id": inserted})
        if behind:
            daemon.catch_up()
        for _ in range(3):
            assert films.find_one({"_id": asked}) == straight.find_one({"_id": asked}) is not None


def test_documents_of_one_answer_are_of_one_moment(
    films: Films, upstream: Upstream, daemon: Daemon, reader: RawConnection
) -> None:
    """One, from memory, was of before the transaction, and the other of behind it."""
    name = films.database.name
    torn = []
    with upstream.client() as direct:
        rows = direct[name].rows
        rows.insert_many([{"_id": i, "v": 0} for i in range(101)])
        daemon.catch_up()
        for i in range(1, 101):
            for _ in range(2):
                reader.request({"find": "rows", "filter": {"_id": 0}, "$db": name})
            with direct.start_session() as session, session.start_transaction():
                for id_ in (0, i):
                    rows.update_one({"_id": id_}, {"$set": {"v": i}}, session=session)
            both = {"find": "rows", "filter": {"_id": {"$in": [0, i]}}, "$db": name}
            for _ in range(3):
                batch = reader.request(both).document["cursor"]["firstBatch"]
                if batch[0]["v"] != batch[1]["v"]:
                    torn.append(batch)
        assert torn == []
        daemon.catch_up()
        reader.request(both)
        before = hits(daemon)
        reader.request(both)
        assert hits(daemon) > before, "and it is answered from the cache once that is known"


@pytest.mark.parametrize("projection", [{"_id.tenant": 1, "v": 1}, {"_id.n": 0}])
def test_a_list_with_parts_of_its_ids_sees_every_write(
    films: Films, daemon: Daemon, projection: Document
) -> None:
    """What stands there for an _id is not the one that writes go by."""
    rows = films.database.rows
    id_ = {"tenant": 7, "n": 1}
    rows.insert_one({"_id": id_, "v": 0})
    read = {
        "find": "rows",
        "filter": {"_id": id_},
        "projection": projection,
        "$db": rows.database.name,
    }
    with Counted(daemon) as counted:
        assert counted.until(read) == [{"_id": {"tenant": 7}, "v": 0}]
        rows.update_one({"_id": id_}, {"$set": {"v": 1}})
        assert counted.found(read)[1] == [{"_id": {"tenant": 7}, "v": 1}]
        counted.until(read)
        rows.delete_one({"_id": id_})
        assert counted.found(read)[1] == []
