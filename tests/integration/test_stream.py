"""Mode bounded: a write behind the daemon shows within max_lag and voids only what it must."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import DeleteOne, InsertOne, UpdateOne
from pymongo.collection import Collection
from support.counted import Counted, by_id, seen_within
from support.raw import RawConnection
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until
from test_coherence import WRITES, answers, hits

Document = dict[str, Any]
Films = Collection[Document]
MAX_LAG = 1.0  # the default


@pytest.fixture
def films(upstream: Upstream) -> Iterator[Films]:
    """Straight to the upstream: whatever is written by it is written behind the daemon's back."""
    name = f"stream_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct:
        years = [1990 + i + (i == 3) for i in range(12)]
        films = [{"_id": i, "title": f"t{i}", "year": y, "rating": i} for i, y in enumerate(years)]
        direct[name].films.insert_many(films)
        yield direct[name].films
        direct.drop_database(name)


@pytest.fixture
def counted(daemon: Daemon, films: Films) -> Iterator[Counted]:
    assert films.count_documents({}) == 12
    daemon.catch_up()  # a list that was read before its collection was last written is not stored
    with Counted(daemon) as counted:
        yield counted


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_seen_within_max_lag(
    films: Films, daemon: Daemon, upstream: Upstream, write: Callable[[Films], object]
) -> None:
    """Documents, $in and lists, whatever the write was; and once seen, it is never unseen."""
    name = films.database.name
    with (
        RawConnection("127.0.0.1", daemon.port) as reader,
        RawConnection("127.0.0.1", upstream.port) as straight,
    ):

        def all_hit() -> bool:
            before = hits(daemon)
            answers(reader, name)
            return hits(daemon) - before >= 5

        daemon.catch_up()
        wait_until(all_hit, what="hits")
        write(films)
        written = time.monotonic()
        expected = answers(straight, name)
        seen_within(MAX_LAG, lambda: answers(reader, name) == expected, written)
        for _ in range(5):
            assert answers(reader, name) == expected


def shape(films: Films, **parts: Any) -> Document:
    return {"find": films.name, **parts, "$db": films.database.name}


TOP: Document = {"filter": {"year": {"$gte": 1995}}, "sort": {"rating": -1}, "limit": 3}
READS: dict[str, Document] = {
    "document": {"filter": {"_id": 9}},
    "projection": {"filter": {"_id": 9}, "projection": {"title": 1}},
    "$in": {"filter": {"_id": {"$in": [1, 9]}}},
    "top N": TOP,
}


@pytest.mark.parametrize("parts", READS.values(), ids=READS.keys())
def test_many_writes_in_a_row(films: Films, counted: Counted, parts: Document) -> None:
    """After each of them: what is served is never older than max_lag, and hits come back."""
    read = shape(films, **parts)
    for n in range(10):
        counted.until(read)
        films.update_one({"_id": 9}, {"$set": {"title": f"new {n}"}})
        written = time.monotonic()
        seen_within(MAX_LAG, lambda n=n: titled(counted, read, n), written)


def titled(counted: Counted, read: Document, number: int) -> bool:
    return any(film.get("title") == f"new {number}" for film in counted.found(read)[1])


CANNOT_CHANGE: dict[str, Callable[[Films], object]] = {
    "other field of a document outside": lambda c: c.update_one({"_id": 1}, {"$set": {"plot": 1}}),
    "insert that does not match": lambda c: c.insert_one({"year": 1950, "rating": 99}),
    "insert below the window": lambda c: c.insert_one({"year": 2000, "rating": 0.5}),
    "replace that does not match": lambda c: c.replace_one({"_id": 1}, {"year": 1950}),
    "delete outside the window": lambda c: c.delete_one({"_id": 6}),
    "update many outside": lambda c: c.update_many({"_id": {"$lt": 4}}, {"$set": {"plot": 1}}),
    "another collection": lambda c: c.database.other.insert_one({"year": 2000, "rating": 99}),
}
CAN_CHANGE: dict[str, Callable[[Films], object]] = {
    "field of a document inside": lambda c: c.update_one({"_id": 11}, {"$set": {"plot": 1}}),
    "enters by its sort field": lambda c: c.update_one({"_id": 6}, {"$set": {"rating": 50}}),
    "enters by its filter field": lambda c: c.bulk_write(
        [UpdateOne({"_id": 1}, {"$set": {field: 2001}}) for field in ("rating", "year")]
    ),
    "document leaves": lambda c: c.update_one({"_id": 11}, {"$set": {"year": 1901}}),
    "insert into the window": lambda c: c.bulk_write([InsertOne({"year": 2000, "rating": 60})]),
    "delete from the window": lambda c: c.bulk_write([DeleteOne({"_id": 10})]),
}


@pytest.mark.parametrize("write", CANNOT_CHANGE.values(), ids=CANNOT_CHANGE.keys())
def test_list_that_cannot_change_stays_cached(
    films: Films, counted: Counted, daemon: Daemon, write: Callable[[Films], object]
) -> None:
    read = shape(films, **TOP)
    before = counted.until(read)
    events = daemon.metrics().value("mongocached_stream_events_total")
    write(films)
    daemon.catch_up()
    assert daemon.metrics().value("mongocached_stream_events_total") > events
    assert counted.found(read) == ("l1_hit", before)
    assert list(films.find(TOP["filter"]).sort("rating", -1).limit(3)) == before


@pytest.mark.parametrize("write", CAN_CHANGE.values(), ids=CAN_CHANGE.keys())
def test_list_that_can_change_is_read_again(
    films: Films, counted: Counted, daemon: Daemon, write: Callable[[Films], object]
) -> None:
    """The contrast to the test above: without it, hits prove nothing."""
    read = shape(films, **TOP)
    counted.until(read)
    write(films)
    daemon.catch_up()
    now = list(films.find(TOP["filter"]).sort("rating", -1).limit(3))
    outcome, listed = counted.found(read)
    assert (outcome == "l1_hit", listed) == (False, now)
    assert counted.until(read) == now


def test_documents_beside_the_written_one_stay_cached(
    films: Films, counted: Counted, daemon: Daemon
) -> None:
    name = films.database.name
    for id_ in (4, 5, 6):
        counted.until(by_id(name, id_))
    films.update_one({"_id": 5}, {"$set": {"mark": 1}})
    daemon.catch_up()
    outcomes = {id_: counted.found(by_id(name, id_))[0] for id_ in (4, 5, 6)}
    assert (outcomes[4], outcomes[6]) == ("l1_hit", "l1_hit")
    assert outcomes[5] != "l1_hit"


@pytest.mark.parametrize("behind", [False, True], ids=["through the daemon", "behind its back"])
def test_update_many_leaves_untouched_documents_cached(
    films: Films, counted: Counted, daemon: Daemon, behind: bool
) -> None:
    """Which ones it wrote only the stream tells: until then none is served, then the others are."""
    name = films.database.name
    for id_ in range(12):
        counted.until(by_id(name, id_))
    command = {"update": "films", "$db": name}
    command["updates"] = [{"q": {"year": 1994}, "u": {"$set": {"mark": 1}}, "multi": True}]
    if behind:
        films.update_many({"year": 1994}, {"$set": {"mark": 1}})
    else:
        assert counted.connection.request(command).document["n"] == 2
        assert all("mark" in counted.found(by_id(name, id_))[1][0] for id_ in (3, 4))
    daemon.catch_up()
    touched = [3, 4]
    assert [f["_id"] for f in films.find({"mark": 1}).sort("_id", 1)] == touched
    for id_ in range(12):
        outcome, (film,) = counted.found(by_id(name, id_))
        assert ("mark" in film) == (id_ in touched)
        if id_ not in touched:
            assert outcome == "l1_hit", id_
    if behind:
        assert daemon.metrics().value("mongocached_invalidations_total", source="stream") >= 2


def lags(daemon: Daemon, seconds: float) -> list[int]:
    """What the status said of the lag in that time."""
    since = time.monotonic()
    said: list[int] = []
    while time.monotonic() - since < seconds:
        said.append(daemon.status()["stream"]["lag_ms"])
    return said


def test_hangup_has_the_stream_followed_as_closely_as_a_smaller_max_lag_needs(
    servers: Servers, upstream: Upstream
) -> None:
    """Once it was followed at the pace of the start, and the gate was shut most of the time."""
    daemon = servers.daemon(upstream.uri, config='[cache]\nmax_lag = "60s"\n')
    daemon.reload('[cache]\nmax_lag = "400ms"\n')
    wait_until(lambda: statistics.median(lags(daemon, 2)) < 400, what="the other pace")
    assert daemon.process.log_text().count("following the cluster's changes") == 1
