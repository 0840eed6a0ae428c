"""Random documents, reads and writes for the differential test. One seed gives one sequence."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

Document = dict[str, Any]
DAY = datetime(2020, 5, 17, 12, tzinfo=UTC)
WORDS = ["ant", "Bee", "cat", "dog", "éclair", "fox", "a.b", "$x", "", "zebra\0z"]


def _ids() -> list[Any]:
    """Values of every type that may be an `_id`; no two of them are equal for a server."""
    plain: list[Any] = [ObjectId(f"{i:024x}") for i in range(12)]
    plain += [*WORDS, *range(-3, 16), Int64(2**40), Int64(-(2**62)), Int64(2**53 + 1), 2.0**53]
    plain += [
        0.5,
        -7.25,
        1e300,
        float("inf"),
        float("nan"),
        Decimal128("3.75"),
        Decimal128("1E+30"),
    ]
    plain += [Decimal128("77"), Timestamp(5, 1), Timestamp(5, 2), True, False]
    plain += [Binary(uuid.UUID(int=i).bytes, 4) for i in range(4)]
    # Different bytes: SecantusDB takes binaries of different subtypes for equal.
    plain += [Binary(b"a%d" % kind, kind) for kind in (0, 3, 5, 128)] + [
        Binary(b"", 0),
        Binary(b"abc", 0),
    ]
    plain += [DAY + timedelta(days=i) for i in range(5)] + [DAY - timedelta(days=30_000)]
    plain += [{}, {"a": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": {"b": "x"}}, {"a": [1, 2]}]
    return [*plain, {"n": 2.5}, {"u": Binary(uuid.UUID(int=9).bytes, 4)}, None, Code("f"), MinKey()]


IDS = _ids()
ODD_IDS: list[Any] = [Regex("^a"), [1, 2], MaxKey(), {"$gt": 3}, {"$ref": "c"}, {"$oid": "x"}]
FIELDS = [
    "n",
    "s",
    "a",
    "sub",
    "sub.x",
    "sub.y",
    "sub.deep.z",
    "rows",
    "rows.k",
    "when",
    "m",
    "_id",
]


class Queries:
    def __init__(self, random: Random, database: str, collections: list[str]) -> None:
        self.random = random
        self.database = database
        self.collections = collections

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # Values and documents

    def scalar(self) -> Any:
        r = self.random
        return r.choice(
            [
                *(r.randrange(12), float(r.randrange(12)), Int64(r.randrange(12)), r.choice(WORDS)),
                *(None, r.random() < 0.5, DAY + timedelta(days=r.randrange(4)), Decimal128("2.50")),
            ]
        )

    def document(self, id_: Any) -> Document:
        r = self.random
        made: Document = {"_id": id_, "n": r.randrange(12), "s": r.choice(WORDS)}
        rows = [{"k": r.randrange(5), "v": r.choice(WORDS)} for _ in range(r.randrange(4))]
        for name, value in {
            "a": [self.scalar() for _ in range(r.randrange(5))],
            "sub": {"x": self.scalar(), "y": r.randrange(5), "deep": {"z": r.randrange(3)}},
            "rows": rows,
            "when": DAY + timedelta(days=r.randrange(6)),
            "m": self.scalar(),
        }.items():
            if self.chance(0.8):
                made[name] = value
        if self.chance(0.1):
            made["sub"] = rows  # the same path leads through an array here
        return made

    def some_id(self) -> Any:
        """Mostly one that is there; numbers in any of the types that compare equal."""
        id_ = self.random.choice(ODD_IDS if self.chance(0.03) else IDS)
        if type(id_) is int and self.chance(0.5):
            kinds: list[Callable[[int], Any]] = [Int64, float, lambda n: Decimal128(str(n))]
            kinds.append(lambda n: Decimal128(f"{n}.00"))
            return self.random.choice(kinds)(id_)
        return self.random.choice(["nobody", 999, ObjectId()]) if self.chance(0.08) else id_

    # Reads

    def read(self) -> bytes:
        shapes = (
            [self.by_id] * 6 + [self.by_in] * 5 + [self.listing] * 6 + [self.broken, self.other]
        )
        return self.random.choice(shapes)()

    def find(self, parts: Document) -> Document:
        r = self.random
        command: Document = {"find": r.choice(self.collections), **parts}
        common: list[tuple[float, str, Callable[[], Any]]] = [
            (0.2, "comment", lambda: r.choice(["why", {"a": 1}])),
            (0.15, "maxTimeMS", lambda: r.choice([30_000, Int64(60_000)])),
            (
                0.25,
                "readConcern",
                lambda: r.choice([{"level": "local"}, {"level": "majority"}, {}]),
            ),
            (0.03, "readConcern", lambda: {"level": r.choice(["available", "snapshot", "wrong"])}),
            (0.5, "lsid", lambda: {"id": Binary(uuid.UUID(int=7).bytes, 4)}),
            (0.2, "$readPreference", lambda: {"mode": r.choice(["primary", "primaryPreferred"])}),
            (0.04, "allowDiskUse", lambda: self.chance(0.5)),
            (0.03, "noCursorTimeout", lambda: self.chance(0.5)),
            (0.03, "allowPartialResults", lambda: self.chance(0.5)),
            (0.03, "returnKey", lambda: self.chance(0.3)),
            (0.03, "showRecordId", lambda: self.chance(0.3)),
            (0.02, "tailable", lambda: self.chance(0.5)),
            (0.02, "unheardOf", lambda: 1),
            (0.03, "apiVersion", lambda: "1"),
        ]
        return command | {name: make() for share, name, make in common if self.chance(share)}

    def encode(self, command: Document) -> bytes:
        return bson.encode(command | {"$db": self.database})

    def options(self, *shares: tuple[float, str, Any]) -> Document:
        return {name: make() for share, name, make in shares if self.chance(share)}

    def batch(self) -> int:
        return self.random.choice([0, 1, 2, 3, 5, 101, 500])

    def by_id(self) -> bytes:
        id_ = self.some_id()
        filter_: Document = {"_id": {"$eq": id_} if self.chance(0.25) else id_}
        if self.chance(0.05):
            filter_["n"] = self.random.randrange(12)
        extra = self.options(
            *(
                (0.4, "projection", self.projection),
                (0.4, "limit", lambda: 1),
                (0.08, "skip", lambda: 1),
            ),
            *((0.3, "singleBatch", lambda: True), (0.1, "batchSize", self.batch)),
            *((0.03, "collation", self.collation), (0.03, "hint", lambda: {"_id": 1})),
            *((0.04, "sort", self.sort), (0.02, "let", lambda: {"x": 1})),
        )
        return self.encode(self.find({"filter": filter_, **extra}))

    def by_in(self) -> bytes:
        r = self.random
        kind = type(r.choice(IDS))
        same = [i for i in IDS if type(i) is kind]
        pool = same if self.chance(0.7) else IDS
        members = [r.choice(pool) for _ in range(r.choice([0, 1, 2, 3, 5, 12]))]
        if self.chance(0.3) and members:
            members += [members[0], self.some_id()]
        if any(isinstance(member, dict) for member in members):
            members = members[:1] * 2  # SecantusDB gives these in natural order, a mongod by _id
        extra = self.options(
            *((0.35, "projection", self.projection), (0.25, "limit", lambda: r.randrange(5))),
            *((0.2, "batchSize", self.batch), (0.1, "singleBatch", lambda: True)),
            *((0.1, "sort", self.sort), (0.05, "skip", lambda: 1)),
            *((0.03, "collation", self.collation), (0.03, "hint", lambda: "_id_")),
        )
        return self.encode(self.find({"filter": {"_id": {"$in": members}}, **extra}))

    def listing(self) -> bytes:
        r = self.random
        extra = self.options(
            *((0.4, "projection", self.projection), (0.6, "sort", self.sort)),
            *(
                (0.5, "limit", lambda: r.choice([0, 1, 3, 10, Int64(4), 2.0])),
                (0.25, "skip", lambda: r.randrange(6)),
            ),
            *((0.25, "batchSize", self.batch), (0.1, "singleBatch", lambda: True)),
            *((0.08, "collation", self.collation), (0.06, "hint", self.hint)),
        )
        parts: Document = {"filter": self.filter(), **extra}
        if self.chance(0.05):
            parts |= {"filter": {"$expr": {"$gt": ["$n", "$$low"]}}, "let": {"low": r.randrange(9)}}
        return self.encode(self.find(parts))

    def filter(self) -> Document:
        r = self.random
        field = r.choice(FIELDS)
        one = self.scalar
        conditions: list[Callable[[], Any]] = [
            one,
            lambda: {r.choice(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]): one()},
            lambda: {"$gt": r.randrange(6), "$lte": r.randrange(6, 12)},
            lambda: {r.choice(["$in", "$nin"]): [one() for _ in range(r.randrange(4))]},
            lambda: {"$exists": self.chance(0.5)},
            lambda: {"$type": r.choice(["int", "string", "array", 16, "number"])},
            lambda: {"$size": r.randrange(4)},
            lambda: {"$mod": [3, 1]},
            lambda: {"$regex": "^[ac]", "$options": "i"},
            lambda: Regex("o", "i"),
            lambda: {"$not": {"$gt": one()}},
            lambda: {"$all": [r.randrange(5)]},
            lambda: {"$elemMatch": r.choice([{"$gt": 2}, {"k": r.randrange(5)}])},
            lambda: {"$bitsAnySet": 3},
        ]
        simple: Document = {field: r.choice(conditions)()}
        if self.chance(0.15):
            return {r.choice(["$and", "$or", "$nor"]): [simple, {"n": {"$lt": r.randrange(12)}}]}
        if self.chance(0.05):
            return {"$expr": r.choice([{"$eq": ["$n", "$sub.y"]}, {"$lt": ["$n", 4]}])}
        return {} if self.chance(0.1) else simple | ({"n": 3} if self.chance(0.1) else {})

    def projection(self) -> Document:
        r = self.random
        some = r.sample(FIELDS[:-1], r.randrange(1, 4))
        on, off = r.choice([1, True, 1.0, Int64(7)]), r.choice([0, False, 0.0])
        shapes: list[Document] = [
            dict.fromkeys(some, on),
            dict.fromkeys(some, off),
            dict.fromkeys(some, on) | {"_id": off},
            dict.fromkeys(some, off) | {"_id": on},
            *(
                {"_id": 1},
                {"_id": 0},
                {},
                {"sub.x": 1, "sub.y": 1},
                {"sub.deep": 0},
                {"sub": {"x": 1}},
            ),
            {"a": {"$slice": r.choice([1, -2, [1, 2]])}},
            {"rows": {"$elemMatch": {"k": r.randrange(5)}}},
        ]
        odd: list[Document] = [
            *({"a.$": 1}, {"rows.0": 1}, {"n": 1, "s": 0}, {"sub": 1, "sub.x": 1}, {"n": "$s"}),
            *({"made": {"$add": ["$n", 1]}}, {"$bad": 1}, {"": 1}, {"n": None}, {"sub..x": 1}),
        ]
        return r.choice(odd if self.chance(0.15) else shapes)

    def sort(self) -> Document:
        r = self.random
        keys = r.sample(["n", "s", "when", "m", "sub.y"], r.randrange(1, 3))
        made: Document = {key: r.choice([1, -1]) for key in keys} | {"_id": r.choice([1, -1])}
        return {"n": r.choice([0, 2, "up"])} if self.chance(0.05) else made

    def collation(self) -> Document:
        return self.random.choice(
            [{"locale": "en", "strength": 2}, {"locale": "simple"}, {"locale": 5}]
        )

    def hint(self) -> Any:
        return self.random.choice([{"_id": 1}, "_id_", {"$natural": 1}, {"n": 1}, "not_there"])

    def broken(self) -> bytes:
        name = self.collections[0]
        id_ = self.some_id()
        commands: list[Document] = [
            {"find": 5, "filter": {"_id": 1}},
            {"find": "", "filter": {"_id": 1}},
            {"find": name, "filter": 1},
            {"find": name, "filter": {"_id": 1}, "limit": -1},
            {"find": name, "filter": {"_id": 1}, "batchSize": -1},
            {"find": name, "filter": {"_id": {"$in": 5}}},
            {"find": name, "filter": {"$bogus": 5}},
            {"find": name, "filter": {"_id": id_}, "projection": 3},
            {"find": name, "filter": {"_id": id_}, "sort": "n"},
            {"find": name, "filter": {"_id": id_}, "readConcern": 1},
            {"find": name, "filter": {"_id": id_}, "apiVersion": "9"},
            {"find": name, "filter": {"_id": id_}, "projection": {"n": 1, "s": 0}},
            {"Find": name, "filter": {"_id": id_}},
        ]
        return self.encode(self.random.choice(commands))

    def other(self) -> bytes:
        name = self.random.choice(self.collections)
        commands: list[Document] = [
            {"count": name, "query": self.filter()},
            {"distinct": name, "key": self.random.choice(FIELDS[:3])},
            {
                "aggregate": name,
                "pipeline": [{"$match": self.filter()}, {"$sort": {"_id": 1}}],
                "cursor": {},
            },
            {"find": name, "filter": {}, "sort": {"_id": 1}, "limit": 5},
        ]
        return self.encode(self.random.choice(commands))
