"""What an application does with PyMongo works through the daemon as it does without."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import bson
import gridfs
import pymongo
import pymongo.errors
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo import CursorType, DeleteOne, InsertOne, ReturnDocument, UpdateOne, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from support.wait import wait_until

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]
MEBIBYTE = 1 << 20


@pytest.fixture
def things(database: Database[Document]) -> Collection[Document]:
    return database.things


@pytest.fixture
def ten(things: Collection[Document]) -> Collection[Document]:
    """Ten documents: `_id` 0 to 9, `square` and `odd`."""
    things.insert_many([{"_id": i, "square": i * i, "odd": bool(i % 2)} for i in range(10)])
    return things


# Reading and writing


def test_inserted_document_is_found(things: Collection[Document]) -> None:
    inserted = things.insert_one({"name": "a"}).inserted_id
    for _ in range(2):
        assert things.find_one({"_id": inserted}) == {"_id": inserted, "name": "a"}


def test_absent_document_is_found_once_it_is_inserted(things: Collection[Document]) -> None:
    for _ in range(2):
        assert things.find_one({"_id": "new"}) is None
    things.insert_one({"_id": "new"})
    assert things.find_one({"_id": "new"}) == {"_id": "new"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.update_one({"_id": 3}, {"$set": {"square": -1}}), -1),
        (lambda c: c.update_many({"odd": True}, {"$inc": {"square": 100}}), 109),
        (lambda c: c.replace_one({"_id": 3}, {"square": "replaced"}), "replaced"),
        (lambda c: c.find_one_and_update({"_id": 3}, {"$set": {"square": 7}}), 7),
        (lambda c: c.find_one_and_replace({"_id": 3}, {"square": 8}), 8),
        (lambda c: c.delete_one({"_id": 3}), None),
        (lambda c: c.delete_many({"odd": True}), None),
        (lambda c: c.find_one_and_delete({"_id": 3}), None),
        (lambda c: c.drop(), None),
        (lambda c: c.aggregate([{"$match": {"_id": 0}}, {"$out": c.name}]), None),
        (lambda c: c.database.client.drop_database(c.database.name), None),
    ],
    ids=[
        *("update_one", "update_many", "replace_one", "find_one_and_update"),
        *("find_one_and_replace", "delete_one", "delete_many", "find_one_and_delete"),
        *("drop", "out", "drop_database"),
    ],
)
def test_the_next_read_sees_a_write(
    ten: Collection[Document], change: Callable[[Collection[Document]], object], expected: object
) -> None:
    for _ in range(2):
        assert ten.find_one({"_id": 3})["square"] == 9
        assert [d["_id"] for d in ten.find({"square": {"$gt": 8}}).sort("_id").limit(2)] == [3, 4]
    change(ten)
    found = ten.find_one({"_id": 3})
    assert (found and found["square"]) == expected
    listed = [d["_id"] for d in ten.find({"square": 9})]
    assert listed == []


def test_upsert_reports_its_id_and_is_seen(things: Collection[Document]) -> None:
    assert things.find_one({"_id": 1}) is None
    result = things.update_one({"_id": 1}, {"$set": {"a": 1}}, upsert=True)
    assert result.upserted_id == 1
    assert things.find_one({"_id": 1}) == {"_id": 1, "a": 1}


def test_find_and_modify_returns_both_sides(ten: Collection[Document]) -> None:
    change = {"$set": {"square": 50}}
    before = ten.find_one_and_update({"_id": 5}, change)
    after = ten.find_one_and_update({"_id": 5}, change, return_document=ReturnDocument.AFTER)
    assert (before["square"], after["square"]) == (25, 50)


def test_queries_of_every_kind(ten: Collection[Document]) -> None:
    assert ten.count_documents({"odd": True}) == 5
    assert ten.estimated_document_count() == 10
    assert sorted(ten.distinct("odd")) == [False, True]
    assert [d["_id"] for d in ten.find().sort("_id", -1).skip(2).limit(3)] == [7, 6, 5]
    assert ten.find_one({"_id": 4}, {"square": 1, "_id": 0}) == {"square": 16}
    assert {d["_id"] for d in ten.find({"_id": {"$in": [1, 5, 77]}})} == {1, 5}
    total = ten.aggregate([{"$group": {"_id": "$odd", "sum": {"$sum": "$square"}}}])
    assert {d["_id"]: d["sum"] for d in total} == {False: 120, True: 165}


def test_indexes_and_collections(database: Database[Document]) -> None:
    database.create_collection("made")
    name = database.made.create_index([("a", 1), ("b", -1)], unique=True)
    assert name in database.made.index_information()
    assert "made" in database.list_collection_names()
    database.made.rename("renamed")
    assert database.list_collection_names() == ["renamed"]


def test_every_type_comes_back_as_it_went(things: Collection[Document]) -> None:
    document: Document = {
        "_id": ObjectId(),
        "double": 1.5,
        "string": "\u00e9\u0000x",
        "document": {"a": {"b": {}}},
        "array": [1, [2], {"c": 3}],
        "binary": Binary(b"\0\1\2", 128),
        "uuid": Binary.from_uuid(uuid.UUID(int=7)),
        "true": True,
        "date": datetime(2024, 2, 29, 12, 30, 15, 123000),
        "null": None,
        "regex": Regex("^a", "im"),
        "reference": DBRef("other", 1),
        "code": Code("function() {}"),
        "int": 2**31 - 1,
        "timestamp": Timestamp(1, 2),
        "long": Int64(2**40),
        "decimal": Decimal128("1.10"),
        "min": MinKey(),
        "max": MaxKey(),
    }
    things.insert_one(document)
    for _ in range(2):
        assert things.find_one({"_id": document["_id"]}) == document


@pytest.mark.parametrize(
    "identity",
    [
        *(1, Int64(2**40), 2.5, "text", "", True, ObjectId(), datetime(2024, 1, 1)),
        *(b"\1\2", Binary(b"\1\2", 128), {"a": 1, "b": "x"}, Decimal128("7"), Timestamp(5, 6)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_documents_are_found_by_ids_of_every_type(
    things: Collection[Document], identity: object
) -> None:
    things.insert_one({"_id": identity, "n": 1})
    for _ in range(2):
        assert things.find_one({"_id": identity}) == {"_id": identity, "n": 1}
    things.update_one({"_id": identity}, {"$inc": {"n": 1}})
    assert things.find_one({"_id": identity})["n"] == 2


def test_errors_keep_their_codes(ten: Collection[Document]) -> None:
    with pytest.raises(pymongo.errors.DuplicateKeyError):
        ten.insert_one({"_id": 3})
    with pytest.raises(pymongo.errors.OperationFailure) as bad_query:
        ten.find_one({"_id": {"$nonsense": 1}})
    assert bad_query.value.code == 2
    with pytest.raises(pymongo.errors.OperationFailure) as unknown:
        ten.database.command("noSuchCommand")
    assert unknown.value.code == 59


def test_bulk_write_of_every_kind(ten: Collection[Document]) -> None:
    assert ten.find_one({"_id": 1})["square"] == 1
    result = ten.bulk_write(
        [
            InsertOne({"_id": 10}),
            UpdateOne({"_id": 1}, {"$set": {"square": -1}}),
            UpdateOne({"_id": 11}, {"$set": {"a": 1}}, upsert=True),
            DeleteOne({"_id": 2}),
        ]
    )
    assert (result.inserted_count, result.modified_count, result.deleted_count) == (1, 1, 1)
    assert result.upserted_ids == {2: 11}
    assert ten.find_one({"_id": 1})["square"] == -1
    assert ten.find_one({"_id": 2}) is None


def test_bulk_write_reports_where_it_failed(ten: Collection[Document]) -> None:
    with pytest.raises(pymongo.errors.BulkWriteError) as failed:
        ten.insert_many([{"_id": 20}, {"_id": 3}, {"_id": 21}], ordered=False)
    assert failed.value.details["nInserted"] == 2
    assert [error["index"] for error in failed.value.details["writeErrors"]] == [1]


def test_client_bulk_write_over_collections(client: Client, database: Database[Document]) -> None:
    first, second = f"{database.name}.a", f"{database.name}.b"
    assert database.a.find_one({"_id": 1}) is None
    models = [
        InsertOne({"_id": 1}, namespace=first),
        InsertOne({"_id": 2}, namespace=second),
        UpdateOne({"_id": 1}, {"$set": {"x": 1}}, namespace=first),
    ]
    assert client.bulk_write(models).inserted_count == 2
    assert database.a.find_one({"_id": 1}) == {"_id": 1, "x": 1}


# Cursors


def test_cursor_walks_all_its_batches(things: Collection[Document]) -> None:
    things.insert_many([{"_id": i} for i in range(500)])
    assert [d["_id"] for d in things.find(batch_size=7).sort("_id")] == list(range(500))


def test_cursors_of_many_threads_share_a_pool(uri: str, database: Database[Document]) -> None:
    database.things.insert_many([{"_id": i} for i in range(200)])
    with (
        pymongo.MongoClient(uri, maxPoolSize=3) as client,
        ThreadPoolExecutor(12) as threads,
    ):
        collection = client[database.name].things

        def walk(size: int) -> list[int]:
            return [d["_id"] for d in collection.find(batch_size=size).sort("_id")]

        assert list(threads.map(walk, range(2, 26))) == [list(range(200))] * 24


def test_another_connection_continues_a_cursor(uri: str, ten: Collection[Document]) -> None:
    cursor = ten.database.command("find", "things", sort={"_id": 1}, batchSize=4)["cursor"]
    with pymongo.MongoClient(uri) as other:
        more = other[ten.database.name].command("getMore", cursor["id"], collection="things")
    assert [d["_id"] for d in more["cursor"]["nextBatch"]] == [4, 5, 6, 7, 8, 9]


def test_killed_cursor_is_gone(ten: Collection[Document]) -> None:
    cursor = ten.database.command("find", "things", batchSize=2)["cursor"]
    killed = ten.database.command("killCursors", "things", cursors=[cursor["id"]])
    assert killed["cursorsKilled"] == [cursor["id"]]
    with pytest.raises(pymongo.errors.CursorNotFound):
        ten.database.command("getMore", cursor["id"], collection="things")


def test_cursor_outlives_the_connection_that_opened_it(uri: str, ten: Collection[Document]) -> None:
    with pymongo.MongoClient(uri) as opener:
        answer = opener[ten.database.name].command("find", "things", sort={"_id": 1}, batchSize=3)
    more = ten.database.command("getMore", answer["cursor"]["id"], collection="things")
    assert len(more["cursor"]["nextBatch"]) == 7


def test_exhaust_cursor_streams_everything(things: Collection[Document]) -> None:
    things.insert_many([{"_id": i} for i in range(300)])
    cursor = things.find(cursor_type=CursorType.EXHAUST, batch_size=10)
    assert sorted(d["_id"] for d in cursor) == list(range(300))
    assert things.count_documents({}) == 300


def test_tailable_cursor_sees_what_is_added(database: Database[Document]) -> None:
    capped = database.create_collection("log", capped=True, size=1 << 16)
    capped.insert_one({"_id": 1})
    cursor = capped.find(cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(100)
    assert next(cursor)["_id"] == 1
    capped.insert_one({"_id": 2})
    assert wait_until(lambda: next(cursor, None))["_id"] == 2
    cursor.close()


# Sessions and transactions


@pytest.fixture
def session(client: Client) -> Iterator[ClientSession]:
    with client.start_session(causal_consistency=True) as session:
        yield session


def test_session_reads_its_own_writes(session: ClientSession, things: Collection[Document]) -> None:
    for number in range(20):
        things.insert_one({"_id": number}, session=session)
        assert things.find_one({"_id": number}, session=session) == {"_id": number}


def test_session_that_starts_with_anothers_time_sees_its_write(
    uri: str, session: ClientSession, things: Collection[Document]
) -> None:
    assert things.find_one({"_id": 1}) is None
    with pymongo.MongoClient(uri) as other, other.start_session() as writer:
        other[things.database.name].things.insert_one({"_id": 1}, session=writer)
        session.advance_cluster_time(writer.cluster_time)
        session.advance_operation_time(writer.operation_time)
    assert things.find_one({"_id": 1}, session=session) == {"_id": 1}


def test_committed_transaction_is_seen(session: ClientSession, ten: Collection[Document]) -> None:
    for _ in range(2):
        assert ten.find_one({"_id": 1})["square"] == 1
    with session.start_transaction():
        ten.update_one({"_id": 1}, {"$set": {"square": -1}}, session=session)
        ten.insert_one({"_id": "in transaction"}, session=session)
        assert ten.find_one({"_id": 1}, session=session)["square"] == -1
        assert ten.find_one({"_id": 1})["square"] == 1
    assert ten.find_one({"_id": 1})["square"] == -1
    assert ten.find_one({"_id": "in transaction"}) is not None


def test_aborted_transaction_leaves_nothing(
    session: ClientSession, ten: Collection[Document]
) -> None:
    session.start_transaction()
    ten.delete_one({"_id": 1}, session=session)
    assert ten.find_one({"_id": 1}, session=session) is None
    session.abort_transaction()
    assert ten.find_one({"_id": 1})["square"] == 1


def test_with_transaction_retries_a_conflict(uri: str, ten: Collection[Document]) -> None:
    def add(client: Client) -> None:
        def body(session: ClientSession) -> None:
            collection = client[ten.database.name].things
            square = collection.find_one({"_id": 0}, session=session)["square"]
            collection.update_one({"_id": 0}, {"$set": {"square": square + 1}}, session=session)

        with client.start_session() as session:
            for _ in range(5):
                session.with_transaction(body)

    with pymongo.MongoClient(uri) as client, ThreadPoolExecutor(3) as threads:
        list(threads.map(add, [client] * 3))
    assert ten.find_one({"_id": 0})["square"] == 15


def test_conflicting_transaction_gets_its_label(client: Client, ten: Collection[Document]) -> None:
    change = {"$inc": {"square": 1}}
    with client.start_session() as first, client.start_session() as second:
        first.start_transaction()
        second.start_transaction()
        ten.update_one({"_id": 1}, change, session=first)
        with pytest.raises(pymongo.errors.OperationFailure) as conflict:
            ten.update_one({"_id": 1}, change, session=second)
        assert conflict.value.has_error_label("TransientTransactionError")
        first.commit_transaction()
    assert ten.find_one({"_id": 1})["square"] == 2


@pytest.mark.parametrize(
    "fault",
    [{"closeConnection": True}, {"errorCode": 91, "errorLabels": ["RetryableWriteError"]}],
    ids=["connection lost", "server shutting down"],
)
def test_driver_retries_a_write(
    uri: str, direct: Client, database: Database[Document], fault: Document
) -> None:
    data = {"failCommands": ["insert"], **fault}
    fail_once = {"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data}
    # A driver that was told of a shutdown looks for the server again at its next heartbeat.
    with pymongo.MongoClient(uri, heartbeatFrequencyMS=500) as client:
        things = client[database.name].things
        assert things.find_one({"_id": 1}) is None
        direct.admin.command(fail_once)
        try:
            things.insert_one({"_id": 1})
        finally:
            direct.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        assert things.find_one({"_id": 1}) == {"_id": 1}


# Change streams


@pytest.mark.parametrize("scope", ["collection", "database", "cluster"])
def test_change_stream_tells_every_change(
    client: Client, database: Database[Document], scope: str
) -> None:
    watched: Any = {"collection": database.things, "database": database, "cluster": client}[scope]
    database.things.insert_one({"_id": 0})
    pipeline = [{"$match": {"ns.db": database.name}}]
    with watched.watch(pipeline, max_await_time_ms=200) as stream:
        database.things.insert_one({"_id": 1})
        database.things.update_one({"_id": 1}, {"$set": {"a": 2}})
        database.things.delete_one({"_id": 1})
        changes = [next(stream) for _ in range(3)]
    assert [c["operationType"] for c in changes] == ["insert", "update", "delete"]
    assert changes[1]["updateDescription"]["updatedFields"] == {"a": 2}


def test_change_stream_resumes_where_it_was(things: Collection[Document]) -> None:
    things.insert_one({"_id": 0})
    with things.watch(max_await_time_ms=200) as stream:
        things.insert_many([{"_id": 1}, {"_id": 2}])
        token = next(stream)["_id"]
    with things.watch(resume_after=token, max_await_time_ms=200) as stream:
        assert next(stream)["documentKey"] == {"_id": 2}


def test_waiting_change_stream_leaves_others_alone(
    client: Client, things: Collection[Document]
) -> None:
    things.insert_one({"_id": 0})
    seen: list[Document] = []
    with things.watch(max_await_time_ms=5000) as stream:
        waiter = threading.Thread(target=lambda: seen.append(next(stream)))
        waiter.start()
        for _ in range(20):
            client.admin.command("ping")
        things.insert_one({"_id": 1})
        waiter.join(10)
    assert [change["documentKey"] for change in seen] == [{"_id": 1}]


# Unacknowledged writes


def test_unacknowledged_writes_arrive_in_order(uri: str, things: Collection[Document]) -> None:
    with pymongo.MongoClient(uri, maxPoolSize=1, w=0) as client:
        silent = client[things.database.name].things
        for number in range(50):
            silent.insert_one({"_id": number})
        silent.update_one({"_id": 7}, {"$set": {"a": 1}})
        # The same connection: what follows a silent write is answered after it.
        assert silent.find_one({"_id": 7}) == {"_id": 7, "a": 1}
    assert things.count_documents({}) == 50


def test_unacknowledged_write_is_seen_by_others_soon(ten: Collection[Document]) -> None:
    for _ in range(2):
        assert ten.find_one({"_id": 1})["square"] == 1
    silent = ten.with_options(write_concern=WriteConcern(w=0))
    silent.update_one({"_id": 1}, {"$set": {"square": -1}})
    wait_until(lambda: ten.find_one({"_id": 1})["square"] == -1, what="the silent write is seen")


# Size


def test_document_of_16_mebibytes(things: Collection[Document]) -> None:
    overhead = len(bson.encode({"_id": 1, "data": b""}))
    largest = {"_id": 1, "data": bytes(16 * MEBIBYTE - overhead)}
    things.insert_one(largest)
    for _ in range(2):
        assert things.find_one({"_id": 1}) == largest


def test_too_large_a_document_is_refused(things: Collection[Document]) -> None:
    with pytest.raises(pymongo.errors.DocumentTooLarge):
        things.insert_one({"_id": 1, "data": bytes(17 * MEBIBYTE)})
    assert things.find_one({"_id": 1}) is None


def test_message_of_44_megabytes(things: Collection[Document]) -> None:
    documents = [{"_id": i, "data": bytes([i]) * 1_000_000} for i in range(44)]
    things.insert_many(documents)
    assert list(things.find().sort("_id")) == documents


def test_gridfs_round_trip(database: Database[Document]) -> None:
    files = gridfs.GridFS(database)
    content = bytes(range(256)) * 20_000
    name = files.put(content, filename="a", chunk_size=100_000)
    for _ in range(2):
        assert files.get(name).read() == content
    files.delete(name)
    assert not files.exists(name)


def test_fifty_clients_at_once(uri: str, ten: Collection[Document]) -> None:
    def work(number: int) -> int:
        with pymongo.MongoClient(uri) as client:
            collection = client[ten.database.name].things
            collection.insert_one({"_id": f"client {number}"})
            assert collection.find_one({"_id": f"client {number}"})
            return collection.find_one({"_id": number % 10})["square"]

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(work, range(50))) == [(i % 10) ** 2 for i in range(50)]
