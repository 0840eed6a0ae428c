"""Random writes for the differential test: every kind that changes what a read answers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import bson
import pymongo
from bson.codec_options import CodecOptions
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateMany, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from .queries import IDS, Document, Queries


class Writes:
    """Writes through one client; an error is the server's word, and changes what it changes."""

    def __init__(self, client: pymongo.MongoClient[Document], queries: Queries) -> None:
        self.random: Random = queries.random
        self.queries = queries
        options = CodecOptions(tz_aware=True)
        self.database: Database[Document] = client.get_database(queries.database, options)
        self.done: dict[str, int] = {}
        self.kinds: list[Callable[[Collection[Document]], object]] = [
            *[self.insert] * 3,
            *[self.update_by_id] * 4,
            *[self.replace] * 2,
            *[self.delete] * 2,
            self.upsert,
            self.update_by_filter,
            self.update_many,
            self.delete_many,
            self.find_and_modify,
            self.find_and_delete,
            self.collection_bulk,
            self.client_bulk,
            self.transaction,
            self.aborted,
            self.unacknowledged,
            self.merge,
            self.out,
            self.index,
        ]
        self.rare: list[Callable[[Collection[Document]], object]] = [
            self.drop_and_refill,
            self.rename_away_and_back,
        ]

    def fill(self, names: list[str]) -> None:
        for name in names:
            documents = [self.queries.document(id_) for id_ in IDS]
            self.random.shuffle(documents)
            self.database[name].insert_many(documents, ordered=False)

    def one(self) -> None:
        kind = self.random.choice(self.rare if self.random.random() < 0.02 else self.kinds)
        try:
            kind(self.database[self.random.choice(self.queries.collections[:2])])
        except PyMongoError:
            self.done["failed"] = self.done.get("failed", 0) + 1
        self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1

    def change(self) -> Document:
        r = self.random
        return r.choice(
            [
                {"$inc": {"n": 1}},
                {"$set": {"sub.x": self.queries.scalar()}},
                {"$push": {"a": r.randrange(9)}},
                {"$unset": {"when": 1}},
                {"$set": {"m": r.randrange(5), "rows.0.k": 3}},
            ]
        )

    def insert(self, c: Collection[Document]) -> None:
        c.insert_one(self.queries.document(self.queries.some_id()))

    def update_by_id(self, c: Collection[Document]) -> None:
        c.update_one({"_id": self.queries.some_id()}, self.change())

    def replace(self, c: Collection[Document]) -> None:
        id_ = self.random.choice(IDS)
        c.replace_one({"_id": id_}, self.queries.document(id_), upsert=True)

    def delete(self, c: Collection[Document]) -> None:
        c.delete_one({"_id": self.queries.some_id()})

    def upsert(self, c: Collection[Document]) -> None:
        c.update_one({"_id": self.queries.some_id()}, self.change(), upsert=True)

    def update_by_filter(self, c: Collection[Document]) -> None:
        c.update_one({"n": self.random.randrange(12)}, self.change())

    def update_many(self, c: Collection[Document]) -> None:
        c.update_many({"n": {"$gt": self.random.randrange(12)}}, {"$set": {"m": 1}})

    def delete_many(self, c: Collection[Document]) -> None:
        c.delete_many({"n": self.random.randrange(12), "sub.y": self.random.randrange(5)})

    def find_and_modify(self, c: Collection[Document]) -> None:
        c.find_one_and_update({"_id": self.queries.some_id()}, self.change(), upsert=True)

    def find_and_delete(self, c: Collection[Document]) -> None:
        c.find_one_and_delete({"n": self.random.randrange(12)}, sort=[("_id", 1)])

    def collection_bulk(self, c: Collection[Document]) -> None:
        ids = self.random.sample(IDS, 4)
        operations = [InsertOne(self.queries.document(ids[0])), DeleteOne({"_id": ids[1]})]
        operations += [
            UpdateOne({"_id": ids[2]}, self.change()),
            UpdateMany({"n": 2}, self.change()),
        ]
        operations.append(ReplaceOne({"_id": ids[3]}, self.queries.document(ids[3]), upsert=True))
        c.bulk_write(self.random.sample(operations, 3), ordered=self.random.random() < 0.5)

    def client_bulk(self, c: Collection[Document]) -> None:
        first, second = self.random.sample(IDS, 2)
        operations: list[Document] = [
            {"update": 0, "filter": {"_id": first}, "updateMods": self.change()},
            {"delete": 0, "filter": {"_id": second}},
            {"insert": 0, "document": self.queries.document(second)},
        ]
        command = {"bulkWrite": 1, "ops": operations, "nsInfo": [{"ns": c.full_name}]}
        self.database.client.admin.command(command)

    def transaction(self, c: Collection[Document]) -> None:
        with self.database.client.start_session() as session, session.start_transaction():
            c.update_one({"_id": self.random.choice(IDS)}, self.change(), session=session)
            c.delete_one({"_id": self.random.choice(IDS)}, session=session)

    def aborted(self, c: Collection[Document]) -> None:
        with self.database.client.start_session() as session:
            session.start_transaction()
            c.update_one({"_id": self.random.choice(IDS)}, self.change(), session=session)
            session.abort_transaction()

    def unacknowledged(self, c: Collection[Document]) -> None:
        """Waits by a write on the same collection, which no server carries out before it."""
        loose = c.with_options(write_concern=WriteConcern(w=0))
        with pymongo.timeout(10):
            loose.update_one({"_id": self.random.choice(IDS)}, {"$set": {"loose": c.name}})
            c.update_one({"_id": "marker"}, {"$inc": {"n": 1}}, upsert=True)

    def merge(self, c: Collection[Document]) -> None:
        into = self.queries.collections[1]
        stages = [
            {"$match": {"n": {"$lt": 3}}},
            {"$set": {"merged": 1}},
            {"$merge": {"into": into}},
        ]
        c.aggregate(stages)

    def out(self, c: Collection[Document]) -> None:
        c.aggregate([{"$match": {"n": {"$lt": 9}}}, {"$out": self.queries.collections[1]}])

    def index(self, c: Collection[Document]) -> None:
        if "n_1" in c.index_information():
            c.drop_index("n_1")
        else:
            c.create_index("n")

    def drop_and_refill(self, c: Collection[Document]) -> None:
        c.drop()
        self.fill([c.name])

    def rename_away_and_back(self, c: Collection[Document]) -> None:
        c.rename("aside", dropTarget=True)
        c.update_one({"_id": 1}, {"$set": {"between": bson.Int64(1)}}, upsert=True)
        self.database["aside"].rename(c.name, dropTarget=True)
