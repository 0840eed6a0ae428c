"""Daemon and upstream die and come back: of Redis only what is known to be right is used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.counted import Counted, by_id, seen_within
from support.raw import RawConnection
from support.servers import Daemon, Redis, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
MAX_LAG = 1.0  # the default
OLD: Document = {"find": "films", "filter": {"year": {"$lt": 1950}}, "sort": {"_id": 1}}
NEW: Document = {"find": "films", "filter": {"year": {"$gte": 1950}}, "sort": {"_id": 1}}
LISTS: dict[str, Document] = {"old": {**OLD, "$db": "t"}, "new": {**NEW, "$db": "t"}}
PROOF = by_id("t", "nobody")


@pytest.fixture
def own_upstream(servers: Servers) -> Upstream:
    upstream = servers.upstream()
    with upstream.client() as client:
        client.t.films.insert_many([{"_id": i, "year": 1940 + 2 * i} for i in range(10)])
    return upstream


@pytest.fixture
def killed(servers: Servers, own_upstream: Upstream, redis: Redis) -> Iterator[Daemon]:
    """Its process is dead; Redis holds documents 0 to 9 and two lists."""
    daemon = servers.daemon(own_upstream.uri, redis.uri)
    with Counted(daemon) as counted:
        for id_ in range(10):
            counted.until(by_id("t", id_))
        for command in LISTS.values():
            counted.until(command)
        wait_until(lambda: values_in(redis) >= 12, what="fills in Redis")
    daemon.kill()
    return daemon


def held(redis: Redis) -> dict[bytes, bytes | None]:
    with redis.client() as client:
        return {key: client.get(key) for key in client.scan_iter("*:v:*")}


def values_in(redis: Redis) -> int:
    return len(held(redis))


def outcomes(counted: Counted) -> dict[Any, str]:
    counted.ask(PROOF)
    return {id_: counted.ask(by_id("t", id_))[0] for id_ in range(10)}


def test_what_is_still_right_is_used_and_nothing_else(
    own_upstream: Upstream, killed: Daemon
) -> None:
    with own_upstream.client() as behind:
        behind.t.films.update_one({"_id": 2}, {"$set": {"title": "written"}})
        behind.t.films.delete_one({"_id": 3})
        behind.t.films.replace_one({"_id": 8}, {"year": 1960})
    killed.start_again()
    with Counted(killed) as counted:
        counted.ask(PROOF)
        for id_ in range(10):
            outcome, found = counted.found(by_id("t", id_))
            with own_upstream.client() as straight:
                assert found == list(straight.t.films.find({"_id": id_}))
            if id_ in (2, 3, 8):
                assert outcome not in ("redis_hit", "l1_hit"), id_
            else:
                assert outcome == "redis_hit", id_
        assert counted.found(LISTS["old"])[1][2] == {"_id": 2, "year": 1944, "title": "written"}
        assert [f["_id"] for f in counted.found(LISTS["new"])[1]] == [5, 6, 7, 8, 9]


def test_list_that_the_missed_writes_leave_alone_is_used(
    own_upstream: Upstream, killed: Daemon
) -> None:
    """R3: every event since its L is run through the matcher."""
    with own_upstream.client() as behind:
        behind.t.films.update_one({"_id": 2}, {"$set": {"title": "written"}})
    killed.start_again()
    with Counted(killed) as counted:
        counted.ask(PROOF)
        outcome, found = counted.found(LISTS["old"])
        assert (outcome == "redis_hit", found[2].get("title")) == (False, "written")
        assert counted.found(LISTS["new"])[0] == "redis_hit"


@pytest.mark.parametrize("lost", ["everything", "the mark"])
def test_redis_without_a_mark(
    own_upstream: Upstream, killed: Daemon, redis: Redis, lost: str
) -> None:
    """Nobody knows what was written since: nothing of before is served."""
    with own_upstream.client() as behind:
        behind.t.films.update_one({"_id": 2}, {"$set": {"title": "written"}})
    with redis.client() as client:
        if lost == "everything":
            client.flushall()
        else:
            assert client.delete(*client.scan_iter("*:mark")) == 1
    before = held(redis)
    killed.start_again()
    with Counted(killed) as counted:
        assert set(outcomes(counted).values()) == {"miss"}
        assert counted.until(by_id("t", 2))[0]["title"] == "written"
        counted.until(by_id("t", 5))

    def fresh() -> int:
        return sum(before.get(key) != value for key, value in held(redis).items())

    wait_until(lambda: fresh() == 11, what="each of the ten, and the proof, in Redis anew")
    killed.kill()
    killed.start_again()
    with Counted(killed) as counted:
        assert set(outcomes(counted).values()) == {"redis_hit"}, "Redis is of use again"


def test_dropped_collection_is_not_resurrected(own_upstream: Upstream, killed: Daemon) -> None:
    """Race 31: dropped and filled anew while nobody followed."""
    with own_upstream.client() as behind:
        behind.t.films.drop()
        behind.t.films.insert_one({"_id": 1, "year": 1999})
    killed.start_again()
    with Counted(killed) as counted:
        for _ in range(2):
            for id_ in range(10):
                expected = [{"_id": 1, "year": 1999}] if id_ == 1 else []
                assert counted.found(by_id("t", id_))[1] == expected
            assert counted.found(LISTS["old"])[1] == []
            assert counted.found(LISTS["new"])[1] == [{"_id": 1, "year": 1999}]


def lose_a_write(upstream: Upstream, writer: RawConnection, number: int) -> bool:
    """Writes, caches what was written, kills the upstream at once; whether the write is gone."""
    update = {"q": {"_id": 1}, "u": {"$set": {"n": number}}}
    assert writer.request({"update": "films", "updates": [update], "$db": "t"}).document["n"] == 1
    for _ in range(3):
        batch = writer.request(by_id("t", 1)).document["cursor"]["firstBatch"]
        assert batch[0]["n"] == number
    upstream.kill()
    upstream.start_again()
    with upstream.client() as straight:
        return straight.t.films.find_one({"_id": 1}).get("n") != number


@pytest.mark.parametrize("memory", ["256MiB", "0"], ids=["memory", "Redis only"])
def test_lost_write_is_not_served_on(
    servers: Servers, own_upstream: Upstream, redis: Redis, memory: str
) -> None:
    """Race 8: the upstream comes back without a write that it had acknowledged.

    It reports a majority before it has saved anything: a sample between write and kill settles what
    is lost. Once in a hundred kills; not twice in three.
    """
    config = f'[cache]\nmemory = "{memory}"\nmax_lag = "4s"\n'
    daemon = servers.daemon(own_upstream.uri, redis.uri, config=config)
    lost = number = served_on = 0
    while lost < 3 and (number := number + 1) < 9:
        with RawConnection("127.0.0.1", daemon.port, timeout=30) as writer:
            lost += lose_a_write(own_upstream, writer, number)
        back = time.monotonic()
        wait_until(lambda: daemon.metrics().value("mongocached_upstream_up") == 1, deadline=30)
        with own_upstream.client() as straight, Counted(daemon) as counted:
            truth = straight.t.films.find_one({"_id": 1})
            try:
                seen_within(4.0, lambda t=truth: counted.found(by_id("t", 1))[1] == [t], back)
                hit = wait_until(lambda: hit_of(counted), deadline=20, what="hits to come back")
                served_on += hit != [truth]
            except AssertionError:
                served_on += 1
        daemon.post("/flush")
    if not lost:
        pytest.skip("no kill lost a write: the test shows nothing")
    assert served_on <= 1, f"{served_on} of {lost} lost writes were served on"


def hit_of(counted: Counted) -> list[Document]:
    """What the cache answers; empty if it does not."""
    outcome, found = counted.found(by_id("t", 1))
    return found if outcome in ("l1_hit", "redis_hit") else []
