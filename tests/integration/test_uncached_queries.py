"""GET /status: which queries are most often not served from the cache, and why."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
Films = Collection[Document]
SECRET = "s3cr3t"


@pytest.fixture
def fresh(servers: Servers, upstream: Upstream) -> Daemon:
    return servers.daemon(upstream.uri)


def uncached(daemon: Daemon, name: str) -> list[Document]:
    return [q for q in daemon.status()["uncached_queries"] if q["namespace"].startswith(name)]


def test_shapes_and_reasons(fresh: Daemon, films: Films) -> None:
    name = films.database.name
    with pymongo.MongoClient(fresh.uri, maxPoolSize=1) as client:
        mine = client[name].films
        for i in range(7):
            pipeline = [{"$match": {"n": i, "title": SECRET}}, {"$group": {"_id": "$n"}}]
            list(mine.aggregate(pipeline))
        for i in range(3):
            filter_ = {"_id": {"$in": [f"{SECRET}{i}"]}, "n": {"$gt": i}}
            list(mine.find(filter_, return_key=True, sort=[("n", 1)], comment=SECRET))
        mine.distinct("n", {"title": SECRET})
        client[name].command("count", "films", query={"n": 1})
        list(mine.find({"_id": 5}, comment="mongocached:bypass"))
        client.admin.command("ping")
        list(client.admin.things.find({"a": SECRET}))
    found = wait_until(lambda: [q for q in [uncached(fresh, name)] if len(q) == 5])[0]
    sort = "sort: {n: ?}"
    expected = {
        "aggregate {pipeline: [$match, $group]}": (7, "not_a_read"),
        f"find {{filter: {{_id: {{$in: [?]}}, n: {{$gt: ?}}}}, {sort}, returnKey}}": (3, "option"),
        "distinct {key, query: {title: ?}}": (1, "not_a_read"),
        "count {query: {n: ?}}": (1, "not_a_read"),
        "find {filter: {_id: ?}}": (1, "hint"),
    }
    seen = {q["shape"]: (q["requests"], q["reason"]) for q in found}
    assert seen == expected
    assert [q["requests"] for q in found] == sorted((n for n, _ in seen.values()), reverse=True)
    assert all(q["namespace"] == f"{name}.films" and q["at_most_over"] == 0 for q in found)
    text = json.dumps(fresh.status())
    assert SECRET not in text
    assert not [q for q in fresh.status()["uncached_queries"] if q["namespace"].startswith("admin")]


def test_many_shapes_are_bounded_and_the_often_ones_stay(fresh: Daemon, films: Films) -> None:
    name = films.database.name
    with pymongo.MongoClient(fresh.uri, maxPoolSize=1) as client:
        for _ in range(300):
            client[name].command("count", "films", query={uuid.uuid4().hex: SECRET})
            client[name].command("count", "films", query={"often": SECRET})
    found = uncached(fresh, name)
    assert len(found) == 20
    assert found[0]["shape"] == "count {query: {often: ?}}"
    assert found[0]["requests"] >= 128  # of 300: a flood is sampled


def test_odd_names_are_shown_safely(fresh: Daemon, films: Films) -> None:
    name = films.database.name
    odd = 'a"b\n\u202e\\' + "x" * 100
    with pymongo.MongoClient(fresh.uri, maxPoolSize=1) as client:
        client[name].command("count", "films", query={odd: 1})
    (found,) = wait_until(lambda: uncached(fresh, name))
    cut = "x" * (64 - len('a"b\n\\') - len("\u202e".encode()))
    assert found["shape"] == f'count {{query: {{"a\\"b\\u000a\\u202e\\\\{cut}...": ?}}}}'
