"""The matcher against the upstream's own answers, on random documents and writes (coherence M)."""

from __future__ import annotations

import datetime
import random
import subprocess
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson import Int64, ObjectId, Timestamp
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from support.paths import matcher_probe
from support.servers import Upstream

Document = dict[str, Any]
SEED = 20260
NAMES = ("a", "b", "c", "0")
OID = ObjectId("0123456789abcdef01234567")
DAY = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
SCALARS = [None, 0, 1, -1, 2, 2.5, Int64(1), 1.0, True, False, "", "a", "ab", "b", OID, DAY, b"x"]
SCALARS += [Timestamp(1, 1)]
OPERATORS = ["value", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type"]
OPERATORS += ["$size", "$all", "$elemMatch", "$not"]


@pytest.fixture(scope="module")
def scratch(upstream: Upstream) -> Iterator[Collection[Document]]:
    with upstream.client(tz_aware=True) as client:
        yield client.matcher.scratch
        client.drop_database("matcher")


def ask(questions: list[Document]) -> list[str]:
    sent = b"".join(bson.encode(question) for question in questions)
    done = subprocess.run([matcher_probe()], input=sent, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


class Maker:
    """Small documents and filters over few names, so that they meet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        kind = self.random.random()
        if depth < 2 and kind < 0.2:
            return [self.value(depth + 1) for _ in range(self.random.randrange(3))]
        if depth < 2 and kind < 0.4:
            return self.fields(depth + 1)
        return self.random.choice(SCALARS)

    def fields(self, depth: int = 0) -> Document:
        names = self.random.sample(NAMES, self.random.randrange(4))
        return {name: self.value(depth) for name in names}

    def path(self) -> str:
        return ".".join(self.random.choices(NAMES, k=self.random.choice((1, 1, 2, 3))))

    def condition(self, depth: int = 0) -> Any:
        chosen = self.random.choice(OPERATORS)
        match chosen:
            case "value":
                return self.value(1)
            case "$in" | "$nin" | "$all":
                return {chosen: [self.value(1) for _ in range(self.random.randrange(1, 4))]}
            case "$exists":
                return {chosen: self.random.choice((True, False))}
            case "$type":
                return {chosen: self.random.choice(("int", "number", "string", "array", "null", 3))}
            case "$size":
                return {chosen: self.random.randrange(3)}
            case "$elemMatch" if depth < 2:
                if self.random.random() < 0.5:
                    return {chosen: self.filter(depth + 1)}
                return {chosen: {"$gt": self.random.choice(SCALARS), "$lt": 5}}
            case "$not" if depth < 2:
                inner = self.condition(depth + 1)
                is_operator = isinstance(inner, dict) and next(iter(inner), "").startswith("$")
                return {"$not": inner if is_operator else {"$eq": inner}}
            case "$elemMatch" | "$not":
                return {"$gt": 0}
        return {chosen: self.value(1)}

    def filter(self, depth: int = 0) -> Document:
        if depth < 2 and self.random.random() < 0.2:
            operator = self.random.choice(("$and", "$or", "$nor"))
            return {operator: [self.filter(depth + 1) for _ in range(self.random.randrange(1, 3))]}
        return {self.path(): self.condition(depth) for _ in range(self.random.choice((1, 1, 2)))}


def test_filters_match_what_the_upstream_finds(scratch: Collection[Document]) -> None:
    make = Maker(SEED)
    documents = [{"_id": i, **make.fields()} for i in range(250)]
    scratch.insert_many(documents)
    stored = list(scratch.find().sort("_id", 1))
    questions, found = [], []
    while len(questions) < 1500:
        filter_ = make.filter()
        try:
            ids = {d["_id"] for d in scratch.find(filter_, {"_id": 1})}
        except OperationFailure:
            continue  # the upstream refuses it
        questions.append({"f": filter_, "d": stored})
        found.append(ids)
    decided = unknown = 0
    for question, ids, answers in zip(questions, found, ask(questions), strict=True):
        for document, answer in zip(stored, answers, strict=True):
            if answer == "u":
                unknown += 1
                continue
            decided += 1
            says = f"{question['f']} on {document}: the matcher says {answer}"
            assert (answer == "y") == (document["_id"] in ids), says
    assert decided > 9 * unknown, f"{unknown} of {decided + unknown} unknown"


def test_writes_that_leave_a_list_alone_do(scratch: Collection[Document]) -> None:
    """Where the matcher says that a write cannot change a result, the upstream gives it again."""
    make = Maker(SEED + 1)
    scratch.delete_many({})
    scratch.insert_many([{"_id": i, **make.fields()} for i in range(60)])
    questions, changed = [], []
    while len(questions) < 1200:
        query = random_query(make)
        try:
            before = answer(scratch, query)
            write = random_write(make, scratch)
            after = answer(scratch, query)
        except OperationFailure:
            continue
        questions.append({"q": query, "r": before, "w": write})
        changed.append(before != after)
    stays = 0
    for question, did, says in zip(questions, changed, ask(questions), strict=True):
        assert says == "c" or not did, f"{question}: it changed"
        stays += says == "s"
    assert stays > len(questions) // 10, f"only {stays} of {len(questions)} were left alone"


def random_query(make: Maker) -> Document:
    query: Document = {"filter": make.filter() if make.random.random() < 0.8 else {}}
    if make.random.random() < 0.7:
        query["sort"] = {make.random.choice(NAMES): make.random.choice((1, -1)), "_id": 1}
        query["limit"] = make.random.choice((0, 1, 3, 10))
    return query


def answer(scratch: Collection[Document], query: Document) -> list[Document]:
    sort = list(query.get("sort", {"_id": 1}).items())
    return list(scratch.find(query["filter"]).sort(sort).limit(query.get("limit", 0)))


def random_write(make: Maker, scratch: Collection[Document]) -> Document:
    id_ = make.random.randrange(80)
    there = scratch.find_one({"_id": id_}) is not None
    if not there:
        scratch.insert_one({"_id": id_, **make.fields()})
        return {"what": "inserted", "document": scratch.find_one({"_id": id_})}
    kind = make.random.random()
    if kind < 0.2:
        scratch.delete_one({"_id": id_})
        return {"what": "deleted", "id": id_}
    if kind < 0.4:
        scratch.replace_one({"_id": id_}, make.fields())
        return {"what": "replaced", "document": scratch.find_one({"_id": id_})}
    path = make.path()
    scratch.update_one({"_id": id_}, {"$set": {path: make.value(1)}})
    return {"what": "updated", "id": id_, "paths": [path]}
