#!/usr/bin/env python3
"""Writes the seed corpus of cache/'s fuzz targets: read_plan, query_shape, write_plan, stored_form, projection, change_event, push. Needs
pymongo's bson; run it by hand when a target learns new fields. Crashes found by fuzzing are kept beside the seeds and are not touched.

    python3 tests/fuzz/make_policy_corpus.py
"""

import struct

import bson
from bson import SON, Binary, Decimal128, Int64, ObjectId, Regex, Timestamp
from make_corpus import CLUSTER_TIME, crc32c, op_msg, save

OID = ObjectId("0123456789abcdef01234567")
LSID = {"id": Binary(bytes(16), 4)}


def find(filter, **more):
    return SON([("find", "things"), ("filter", filter), *more.items(), ("$db", "shop")])


def read_plans():
    ids = {
        "oid": OID,
        "text": "user:17",
        "int": 17,
        "long": Int64(17),
        "double": 17.5,
        "decimal": Decimal128("50E-1"),
        "uuid": Binary(bytes(16), 4),
        "date": bson.datetime.datetime(2024, 1, 1),
        "document": SON([("t", 5), ("u", "a")]),
        "bool": True,
        "timestamp": Timestamp(7, 1),
        "null": None,
        "regex": Regex("^a"),
        "array": [1],
    }
    for name, value in ids.items():
        yield f"id_{name}", find({"_id": value}, limit=1, singleBatch=True, lsid=LSID)
    yield (
        "in",
        find({"_id": {"$in": [7, 5.0, Int64(6), Decimal128("7.0"), 5]}}, limit=2, batchSize=5),
    )
    yield "in_texts", find({"_id": {"$in": ["b", "a", "b"]}}, projection={"a.b": 1, "_id": 0})
    yield "eq", find({"_id": {"$eq": OID}}, projection={"a": 0})
    yield (
        "arguments",
        find(
            {"_id": OID},
            sort={"a": 1},
            skip=1,
            limit=2,
            batchSize=3,
            singleBatch=False,
            hint="a_1",
            collation={"locale": "de"},
            let={"x": 1},
            allowDiskUse=True,
            noCursorTimeout=False,
            tailable=False,
            maxTimeMS=5,
            comment="c",
            apiVersion="1",
            apiStrict=False,
            apiDeprecationErrors=False,
            readConcern={"level": "majority", "afterClusterTime": Timestamp(7, 1)},
            **{
                "$clusterTime": CLUSTER_TIME,
                "$readPreference": {"mode": "nearest", "maxStalenessSeconds": 90},
            },
        ),
    )
    yield (
        "operators",
        find(
            {
                "$and": [
                    {"a": {"$gte": 1, "$not": {"$size": 2}}},
                    {"$or": [{"b": Regex("x")}, {"c": {"$exists": True}}]},
                ],
                "d": {"$elemMatch": {"e": {"$in": [1, None]}}},
                "f": {"$all": [{"$elemMatch": {"$gt": 1}}]},
                "g": {"$mod": [4, 0]},
                "h": {"$regex": "^x", "$options": "i"},
                "i": {"$geoWithin": {"$box": [[0, 0], [1, 1]]}},
            }
        ),
    )
    yield (
        "expression",
        find({"$expr": {"$gt": [{"$add": ["$a", "$$x"]}, {"$literal": "$$NOW"}]}}, let={"x": 1}),
    )
    yield "refused", find({"$expr": {"$gt": ["$a", "$$NOW"]}, "$where": "f()"})
    yield (
        "projection",
        find(
            {},
            projection={
                "a": {"$slice": 1},
                "b": {"$elemMatch": {"c": 1}},
                "s": {"$meta": "textScore"},
                "d": {"e": 1},
                "f": "$g",
            },
            sort={"s": {"$meta": "textScore"}},
        ),
    )
    comment = "report 7 mongocached:refresh mongocached:ttl=30s"
    yield "comment", find({"_id": OID}, comment=comment)


def query_shapes():
    yield (
        "find",
        find(
            {
                "$or": [{"a": 1}, {"a": 2}, {"b.c": {"$in": ["x", None, Regex("y")]}}],
                "odd \u202e\n name": {"$not": {"$elemMatch": {"d": [[1], [2]]}}},
                "n" * 70: 1,
            },
            sort={"a": -1},
            projection={"a": 1, "_id": 0},
            hint={"a": 1},
            comment="why",
            unheardOf="secret",
        ),
    )
    pipeline = [{"$match": {"a": "secret"}}, {"$group": {"_id": "$a"}}, 5]
    yield "aggregate", {"aggregate": "things", "pipeline": pipeline, "cursor": {}, "$db": "shop"}
    yield "aggregate_database", {"aggregate": 1, "pipeline": [{"$changeStream": {}}], "$db": "shop"}
    yield "count", {"count": "things", "query": {"a": {"b": {"c": 1}}}, "limit": 5, "$db": "shop"}
    yield "distinct", {"distinct": "things", "key": "secret", "query": {}, "$db": "shop"}
    yield "wide", find({f"field{i}": i for i in range(90)})
    yield "other", {"hello": 1, "$db": "admin"}


def write_plans():
    statements = [
        {"q": {"_id": OID, "v": 3}, "u": {"$set": {"a": 1}}, "multi": False, "upsert": True},
        {"q": {"_id": {"$in": [1, "a"]}}, "u": {}, "collation": {"locale": "de"}},
    ]
    target = {"into": {"db": "stats", "coll": "sums"}, "on": "_id"}
    yield (
        "insert",
        {"insert": "things", "$db": "shop"},
        [("documents", [{"_id": OID}, {"_id": 5.0, "a": 1}])],
    )
    yield (
        "insert_body",
        {"insert": "things", "documents": [{"_id": 1}, {"a": 1}], "$db": "shop"},
        [],
    )
    yield "update", {"update": "things", "$db": "shop"}, [("updates", statements)]
    yield (
        "delete",
        {"delete": "things", "writeConcern": {"w": 0}, "$db": "shop"},
        [("deletes", [{"q": {"_id": {"$eq": 1}}, "limit": 1}])],
    )
    yield (
        "find_and_modify",
        {"findAndModify": "things", "query": {"_id": {"$in": [1]}}, "remove": True, "$db": "shop"},
        [],
    )
    yield (
        "bulk_write",
        {"bulkWrite": 1, "$db": "admin"},
        [
            (
                "ops",
                [
                    {"insert": 0, "document": {"_id": 1}},
                    {"update": 1, "filter": {"_id": 2}, "updateMods": {}, "multi": False},
                    {"delete": 0, "filter": {}, "multi": True},
                ],
            ),
            ("nsInfo", [{"ns": "shop.things"}, {"ns": "blog.posts"}]),
        ],
    )
    yield (
        "merge",
        {
            "aggregate": "things",
            "pipeline": [{"$match": {}}, {"$merge": target}],
            "cursor": {"batchSize": 0},
            "$db": "shop",
        },
        [],
    )
    yield (
        "out",
        {
            "aggregate": "things",
            "pipeline": [{"$out": {"db": "stats", "coll": "sums"}}],
            "cursor": {},
            "$db": "shop",
        },
        [],
    )
    yield (
        "map_reduce",
        {
            "mapReduce": "things",
            "map": "f",
            "reduce": "g",
            "out": {"merge": "sums", "db": "stats"},
            "$db": "shop",
        },
        [],
    )
    yield (
        "rename",
        {"renameCollection": "shop.things", "to": "blog.posts", "dropTarget": True, "$db": "admin"},
        [],
    )
    yield "shard", {"shardCollection": "shop.things", "key": {"a": 1}, "$db": "admin"}, []
    yield "drop", {"drop": "things", "$db": "shop"}, []
    yield "views", {"insert": "system.views", "documents": [{"_id": "shop.v"}], "$db": "shop"}, []
    yield "users", {"createUser": "u", "pwd": "x", "roles": [], "$db": "admin"}, []
    yield (
        "commit",
        {"commitTransaction": 1, "txnNumber": Int64(1), "autocommit": False, "$db": "admin"},
        [],
    )
    yield "unknown", {"frobnicate": "things", "$db": "shop"}, []


def stored(kind, key, value):
    body = (
        bytes(range(16))
        + bytes(16)
        + struct.pack("<BB4sBBIQQI", kind, 1, b"oc", 1, 0, 1, 5, 6, len(key))
        + key
        + value
    )
    return b"mcd2" + struct.pack("<I", crc32c(body)) + body


def change_event(operation, **more):
    return SON(
        [
            ("_id", {"_data": "8265000001000000022B042C0100296E"}),
            ("operationType", operation),
            ("clusterTime", Timestamp(0x65000001, 2)),
            ("wallTime", bson.datetime.datetime(2023, 9, 12)),
            ("ns", {"db": "shop", "coll": "things"}),
            *more.items(),
        ]
    )


def change_events():
    key = {"documentKey": {"region": "eu", "_id": OID}}
    item = {"_id": OID, "name": "tea", "price": {"net": 5}}
    yield "insert", change_event("insert", **key, fullDocument=item)
    yield "replace", change_event("replace", **key, fullDocument=None)
    yield "delete", change_event("delete", documentKey={"_id": 17})
    description = {
        "updatedFields": {"a.b": 1, "c": {"d": 2}},
        "removedFields": ["e", "f.0"],
        "truncatedArrays": [{"field": "g", "newSize": 3}],
        "disambiguatedPaths": {"f.0": ["f", "0"]},
    }
    yield "update", change_event("update", **key, updateDescription=description)
    yield "update_without_paths", change_event("update", **key, updateDescription={})
    yield (
        "update_of_odd_paths",
        change_event("update", **key, updateDescription={"removedFields": ["a", 1]}),
    )
    yield (
        "transaction",
        change_event("insert", **key, fullDocument=item, lsid=LSID, txnNumber=Int64(3)),
    )
    yield "drop", change_event("drop")
    yield "create_indexes", change_event("createIndexes")
    yield "invalidate", change_event("invalidate")
    yield "drop_database", change_event("dropDatabase", ns={"db": "shop"})
    yield "rename", change_event("rename", to={"db": "store", "coll": "goods"})
    yield "rename_to_nowhere", change_event("rename", to={"db": "store"})
    yield "odd_namespace", change_event("delete", ns={"db": "a.b", "coll": "c"}, **key)
    yield "without_time", change_event("delete", clusterTime=None, **key)
    token = bson.encode({"t": Timestamp(0x65000001, 2), "s": 1}).hex()
    yield "token_of_a_document", change_event("drop", _id={"_data": token})


def push(ids=(), flags=0, ns=b"shop.things", fence=b"6500000100000002"):
    keys = [b"d" + ns + b"\0" + id for id in ids]
    parts = [struct.pack("<I", len(key)) + key for key in keys]
    return bytes(range(16)) + fence + bytes([flags]) + ns + b"\0" + b"".join(parts)


def pushes():
    yield "key", push([b"i" + bytes(8)])
    yield "keys", push([b"i" + bytes(8), b"stea", b"o" + OID.binary], flags=2)
    yield "documents_and_lists", push(flags=3)
    yield "capitals", push([b"a"], fence=b"65000001000000AB")
    yield "longest_namespace", push([b"a"], ns=b"shop." + b"t" * 250)
    yield "unknown_flag", push(flags=4)
    yield "key_of_another", push([b"a"]).replace(b"dshop", b"dshoe")


def main():
    for name, body in read_plans():
        save("read_plan", name, op_msg(body))
        save("write_plan", "find_" + name, op_msg(body))
    for name, body in query_shapes():
        save("query_shape", name, op_msg(body))
    for name, body, sequences in write_plans():
        save("write_plan", name, op_msg(body, sequences=sequences))
    document = bson.encode({"_id": 1, "a": "x"})
    for kind, name, value in (
        (0, "document", document),
        (1, "absent", b""),
        (2, "list", bson.encode({"0": {"_id": 1}})),
        (3, "too_large", b""),
    ):
        save(
            "stored_form",
            name,
            stored(kind, (b"l" if kind == 2 else b"d") + b"shop.things\0i" + bytes(8), value),
        )
    item = bson.encode(
        SON(
            [
                ("_id", 1),
                ("name", "tea"),
                ("price", {"net": 5, "gross": {"de": 6, "fr": 7}}),
                ("tags", [{"a": 1}]),
                ("n", 9),
            ]
        )
    )
    specs = {
        "empty": {},
        "include": {"name": 1, "price.gross.fr": True, "_id": 0},
        "exclude": {"price.net": 0, "n": 0.0, "name.x": False},
        "array": {"tags.a": 1},
        "id": {"_id": 1},
        "mixed": {"a": 1, "b": 0},
        "positional": {"a.$": 1},
        "numeric": {"a.0": 1},
        "colliding": {"a": 1, "a.b": 1},
        "operator": {"a": {"$slice": 1}},
    }
    for name, spec in specs.items():
        save("projection", name, bson.encode(spec) + item)
    for name, event in change_events():
        save("change_event", name, bson.encode(event))
    for name, message in pushes():
        save("push", name, message)


if __name__ == "__main__":
    main()
