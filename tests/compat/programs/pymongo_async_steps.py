"""The steps with PyMongo's asynchronous client, or Motor's:
pymongo_async_steps.py pymongo|motor URI DATABASE TOPOLOGY."""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import Any

import pymongo
from pymongo.errors import CursorNotFound, DuplicateKeyError
from pymongo.write_concern import WriteConcern
from pymongo_listeners import Commands, Topology
from tap import check, step


async def settled(value: Any) -> Any:
    """Motor returns at once what PyMongo lets one await, and the other way round."""
    return await value if inspect.isawaitable(value) else value


def library(which: str) -> tuple[Any, Any]:
    if which == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorGridFSBucket

        return AsyncIOMotorClient, AsyncIOMotorGridFSBucket
    from gridfs.asynchronous import AsyncGridFSBucket

    return pymongo.AsyncMongoClient, AsyncGridFSBucket


async def fail_once(client: Any, command: str) -> None:
    data = {"failCommands": [command], "closeConnection": True}
    mode = {"times": 1}
    await client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


async def main(which: str, uri: str, name: str, expected: str) -> None:
    make_client, make_bucket = library(which)
    commands, topology = Commands(), Topology()
    client = make_client(uri, event_listeners=[commands, topology], serverSelectionTimeoutMS=10_000)
    database = client[name]
    things = database.things
    await client.drop_database(name)

    with step("crud"):
        await things.insert_one({"_id": 1, "n": 1})
        for _ in range(3):
            check(await things.find_one({"_id": 1}) == {"_id": 1, "n": 1}, "as it was written")
        await things.update_one({"_id": 1}, {"$inc": {"n": 1}})
        check(await things.find_one({"_id": 1}) == {"_id": 1, "n": 2}, "the update is seen")
        changed = await things.find_one_and_update(
            {"_id": 1}, {"$set": {"n": 9}}, return_document=True
        )
        check(changed == {"_id": 1, "n": 9}, "find_one_and_update answers the new one")
        await things.replace_one({"_id": 1}, {"n": 10})
        check(await things.find_one({"_id": 1}) == {"_id": 1, "n": 10}, "the replacement is seen")
        check((await things.delete_one({"_id": 1})).deleted_count == 1, "one is deleted")
        check(await things.find_one({"_id": 1}) is None, "the delete is seen")
    with step("bulk"):
        await things.insert_many([{"_id": i, "n": i % 10} for i in range(500)])
        result = await things.bulk_write(
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
            await things.insert_one({"_id": 1})
        except DuplicateKeyError as error:
            check(error.code == 11000, str(error))
        else:
            raise AssertionError("no error")
    with step("cursor batches"):
        found = await things.find({"n": {"$gte": 0}}, batch_size=7).sort("_id", 1).to_list(None)
        check([d["_id"] for d in found] == list(range(499)), f"{len(found)} documents")
    with step("cursor killed"):
        cursor = things.find({}, batch_size=5)
        await anext(cursor)
        killed = await database.command("killCursors", "things", cursors=[cursor.cursor_id])
        check(killed["cursorsKilled"] == [cursor.cursor_id], str(killed))
        try:
            await cursor.to_list(None)
        except CursorNotFound:
            pass
        else:
            raise AssertionError("a killed cursor goes on")
    with step("count distinct aggregate"):
        check(await things.count_documents({"n": 4}) == 50, "count")
        check(sorted(await things.distinct("n", {"n": {"$gte": 0}})) == list(range(10)), "distinct")
        sums = [{"$match": {"n": {"$gt": 7}}}, {"$group": {"_id": "$n", "c": {"$sum": 1}}}]
        grouped = {d["_id"]: d["c"] async for d in await settled(things.aggregate(sums))}
        check(grouped == {8: 50, 9: 49}, str(grouped))
    with step("indexes"):
        made = await things.create_index([("n", 1)])
        check(made in await things.index_information(), made)
        check("things" in await database.list_collection_names(), "things is listed")
        await things.drop_index(made)
    with step("session reads its writes"):
        async with await settled(client.start_session(causal_consistency=True)) as session:
            await things.insert_one({"_id": "causal"}, session=session)
            check(await things.find_one({"_id": "causal"}, session=session), "the write is seen")
            check(session.operation_time and session.cluster_time, "the session knows the time")
    with step("transaction commits"):
        async with await settled(client.start_session()) as session:
            async with await settled(session.start_transaction()):
                await things.insert_one({"_id": "tx"}, session=session)
                check(await things.find_one({"_id": "tx"}, session=session), "seen inside")
                check(await things.find_one({"_id": "tx"}) is None, "not seen outside")
            check(await things.find_one({"_id": "tx"}), "seen after the commit")
    with step("transaction aborts"):
        async with await settled(client.start_session()) as session:
            await settled(session.start_transaction())
            await things.delete_one({"_id": "tx"}, session=session)
            await session.abort_transaction()
            check(await things.find_one({"_id": "tx"}), "still there")
    with step("change stream"):
        async with await settled(things.watch(max_await_time_ms=500)) as stream:
            await stream.try_next()  # Motor opens it only now
            await things.insert_one({"_id": "watched"})
            change = await stream.next()
            check(change["documentKey"] == {"_id": "watched"}, str(change))
    with step("change stream resumes"):
        async with await settled(things.watch(max_await_time_ms=500)) as stream:
            await stream.try_next()
            await things.insert_many([{"_id": "first"}, {"_id": "second"}])
            token = (await stream.next())["_id"]
        again = things.watch(resume_after=token, max_await_time_ms=500)
        async with await settled(again) as stream:
            change = await stream.next()
            check(change["documentKey"] == {"_id": "second"}, "goes on behind the token")
    with step("gridfs"):
        bucket = make_bucket(database, chunk_size_bytes=50_000)
        content = bytes(range(256)) * 1000
        stored = await bucket.upload_from_stream("file", content)
        for _ in range(2):
            file = await bucket.open_download_stream(stored)
            check(await file.read() == content, "the same bytes")
        await bucket.delete(stored)
    with step("retryable read"):
        before = commands.count("distinct")
        await fail_once(client, "distinct")  # no cache answers it, and no proxy repeats it
        check(await things.distinct("n", {"n": 5}) == [5], "read again")
        check(commands.count("distinct") == before + 2, "by the driver")
    with step("retryable write"):
        await fail_once(client, "insert")
        await things.insert_one({"_id": "retried"})
        check(await things.count_documents({"_id": "retried"}) == 1, "written once")
    with step("unacknowledged write"):
        silent = things.with_options(write_concern=WriteConcern(w=0))
        await silent.insert_one({"_id": "silent"})
        for _ in range(200):
            if await things.find_one({"_id": "silent"}):
                break
        else:
            raise AssertionError("never seen")
    with step("command monitoring"):
        await things.find_one({"_id": 1})
        names = set(commands.done.values())
        check({"find", "insert", "getMore", "commitTransaction"} <= names, str(names))
        check(all(commands.begun[at] == what for at, what in commands.done.items()), "in pairs")
    with step("topology monitoring"):
        for _ in range(100):  # PyMongo tells it from a thread of its own, a little later
            if expected in topology.seen:
                break
            await asyncio.sleep(0.05)
        check(expected in topology.seen, f"{topology.seen} without {expected}")
    await client.drop_database(name)
    await settled(client.close())


asyncio.run(main(*sys.argv[1:]))
