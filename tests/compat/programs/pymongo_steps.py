"""The steps with PyMongo: pymongo_steps.py URI DATABASE TOPOLOGY."""

from __future__ import annotations

import sys
import time
from typing import Any

import gridfs
import pymongo
from pymongo.errors import CursorNotFound, DuplicateKeyError
from pymongo.write_concern import WriteConcern
from pymongo_listeners import Commands, Topology
from tap import check, step

Document = dict[str, Any]


def fail_once(client: pymongo.MongoClient[Document], command: str) -> None:
    data = {"failCommands": [command], "closeConnection": True}
    client.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data})


def main(uri: str, name: str, expected: str) -> None:
    commands, topology = Commands(), Topology()
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(
        uri, event_listeners=[commands, topology], serverSelectionTimeoutMS=10_000
    )
    database = client[name]
    things = database.things
    client.drop_database(name)

    with step("crud"):
        things.insert_one({"_id": 1, "n": 1})
        for _ in range(3):
            check(things.find_one({"_id": 1}) == {"_id": 1, "n": 1}, "found as it was written")
        things.update_one({"_id": 1}, {"$inc": {"n": 1}})
        check(things.find_one({"_id": 1}) == {"_id": 1, "n": 2}, "the update is seen")
        changed = things.find_one_and_update({"_id": 1}, {"$set": {"n": 9}}, return_document=True)
        check(changed == {"_id": 1, "n": 9}, "find_one_and_update answers the new one")
        things.replace_one({"_id": 1}, {"n": 10})
        check(things.find_one({"_id": 1}) == {"_id": 1, "n": 10}, "the replacement is seen")
        check(things.delete_one({"_id": 1}).deleted_count == 1, "one is deleted")
        check(things.find_one({"_id": 1}) is None, "the delete is seen")
    with step("bulk"):
        things.insert_many([{"_id": i, "n": i % 10} for i in range(500)])
        result = things.bulk_write(
            [
                pymongo.InsertOne({"_id": "b"}),
                pymongo.UpdateMany({"n": 3}, {"$set": {"three": True}}),
                pymongo.DeleteOne({"_id": 499}),
                pymongo.ReplaceOne({"_id": "new"}, {"n": -1}, upsert=True),
            ]
        )
        counts = (result.inserted_count, result.modified_count, result.deleted_count)
        check(counts == (1, 50, 1) and result.upserted_ids == {3: "new"}, str(result))
    with step("duplicate key"):
        try:
            things.insert_one({"_id": 1})
        except DuplicateKeyError as error:
            check(error.code == 11000, str(error))
        else:
            raise AssertionError("no error")
    with step("cursor batches"):
        found = list(things.find({"n": {"$gte": 0}}, batch_size=7).sort("_id", 1))
        check([d["_id"] for d in found] == list(range(499)), f"{len(found)} documents")
    with step("cursor killed"):
        cursor = things.find({}, batch_size=5)
        next(cursor)
        killed = database.command("killCursors", "things", cursors=[cursor.cursor_id])
        check(killed["cursorsKilled"] == [cursor.cursor_id], str(killed))
        try:
            list(cursor)
        except CursorNotFound:
            pass
        else:
            raise AssertionError("a killed cursor goes on")
    with step("count distinct aggregate"):
        check(things.count_documents({"n": 4}) == 50, "count")
        check(sorted(things.distinct("n", {"n": {"$gte": 0}})) == list(range(10)), "distinct")
        sums = [{"$match": {"n": {"$gt": 7}}}, {"$group": {"_id": "$n", "c": {"$sum": 1}}}]
        grouped = {d["_id"]: d["c"] for d in things.aggregate(sums)}
        check(grouped == {8: 50, 9: 49}, str(grouped))
    with step("indexes"):
        made = things.create_index([("n", 1)])
        check(made in things.index_information(), made)
        check("things" in database.list_collection_names(), "things is listed")
        things.drop_index(made)
    with step("session reads its writes"), client.start_session(causal_consistency=True) as session:
        things.insert_one({"_id": "causal"}, session=session)
        check(things.find_one({"_id": "causal"}, session=session), "the write is seen")
        check(session.operation_time and session.cluster_time, "the session knows the time")
    with step("transaction commits"), client.start_session() as session:
        with session.start_transaction():
            things.insert_one({"_id": "tx"}, session=session)
            check(things.find_one({"_id": "tx"}, session=session), "seen inside")
            check(things.find_one({"_id": "tx"}) is None, "not seen outside")
        check(things.find_one({"_id": "tx"}), "seen after the commit")
    with step("transaction aborts"), client.start_session() as session:
        session.start_transaction()
        things.delete_one({"_id": "tx"}, session=session)
        session.abort_transaction()
        check(things.find_one({"_id": "tx"}), "still there")
    with step("change stream"), things.watch(max_await_time_ms=500) as stream:
        things.insert_one({"_id": "watched"})
        change = next(stream)
        check(change["documentKey"] == {"_id": "watched"}, str(change))
    with step("change stream resumes"):
        with things.watch(max_await_time_ms=500) as stream:
            things.insert_many([{"_id": "first"}, {"_id": "second"}])
            token = next(stream)["_id"]
        with things.watch(resume_after=token, max_await_time_ms=500) as stream:
            check(next(stream)["documentKey"] == {"_id": "second"}, "goes on behind the token")
    with step("gridfs"):
        bucket = gridfs.GridFSBucket(database, chunk_size_bytes=50_000)
        content = bytes(range(256)) * 1000
        stored = bucket.upload_from_stream("file", content)
        for _ in range(2):
            check(bucket.open_download_stream(stored).read() == content, "the same bytes")
        bucket.delete(stored)
    with step("retryable read"):
        before = commands.count("distinct")
        fail_once(client, "distinct")  # no cache answers it, and no proxy repeats it
        check(things.distinct("n", {"n": 5}) == [5], "read again")
        check(commands.count("distinct") == before + 2, "by the driver")
    with step("retryable write"):
        fail_once(client, "insert")
        things.insert_one({"_id": "retried"})
        check(things.count_documents({"_id": "retried"}) == 1, "written once")
    with step("unacknowledged write"):
        things.with_options(write_concern=WriteConcern(w=0)).insert_one({"_id": "silent"})
        for _ in range(200):
            if things.find_one({"_id": "silent"}):
                break
        else:
            raise AssertionError("never seen")
    with step("command monitoring"):
        things.find_one({"_id": 1})
        names = set(commands.done.values())
        check({"find", "insert", "getMore", "commitTransaction"} <= names, str(names))
        check(all(commands.begun[at] == what for at, what in commands.done.items()), "in pairs")
    with step("topology monitoring"):
        for _ in range(100):  # PyMongo tells it from a thread of its own, a little later
            if expected in topology.seen:
                break
            time.sleep(0.05)
        check(expected in topology.seen, f"{topology.seen} without {expected}")
    client.drop_database(name)
    client.close()


main(*sys.argv[1:])
