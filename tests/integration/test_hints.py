"""What a find's `comment` asks of the cache: bypass, refresh, ttl."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from support.counted import BYPASS, REQUESTS, Counted, by_id, pass_by
from support.servers import Daemon, Redis, Servers, Upstream
from support.stored import values
from support.wait import wait_until

Document = dict[str, Any]
Films = Collection[Document]
# Without a change stream nothing tells of writes behind the daemon: what is cached stays.
TTL = '[cache]\nmode = "ttl"\nttl = "10m"\nverify_share = 0\n'
REDIS_ONLY = TTL + 'memory = "0"\n'


def hinted(films: Films, id_: int, comment: Any) -> Document:
    return by_id(films.database.name, id_) | {"comment": comment}


def listed(films: Films, comment: Any) -> Document:
    database = films.database.name
    return {"find": "films", "filter": {"k": 1}, "comment": comment, "$db": database}


def change(films: Films, id_: int, n: int) -> None:
    """Behind the daemon."""
    films.update_one({"_id": id_}, {"$set": {"n": n}})


def await_fills(redis: Redis, entries: int) -> None:
    """Nobody waits for Redis to be filled."""
    with redis.client() as client:
        wait_until(lambda: len(list(values(client))) == entries, what="Redis to be filled")


def learn_time(counted: Counted) -> None:
    """Without a change stream a daemon shows only what is not newer than replies it has seen."""
    counted.connection.request({"ping": 1, "$db": "admin"})


@pytest.fixture
def ttl_daemon(servers: Servers, upstream: Upstream) -> Daemon:
    return servers.daemon(upstream.uri, config=TTL)


def test_pymongo_says_it_in_the_comment(ttl_daemon: Daemon, films: Films) -> None:
    """By `find_one`, by a cursor, by `find_raw_batches`; other commands are not touched."""

    def hits() -> float:
        return ttl_daemon.metrics().value(REQUESTS, outcome="l1_hit")

    with pymongo.MongoClient(ttl_daemon.uri, maxPoolSize=1) as client:
        mine = client[films.database.name].films

        def is_hit() -> bool:
            before = hits()
            mine.find_one({"_id": 5})
            return hits() > before

        wait_until(is_hit, what="film 5 to be cached")
        before = hits()
        change(films, 5, 7)
        assert mine.find_one({"_id": 5}) == {"_id": 5, "n": 0}
        bypass = "nightly report mongocached:bypass"
        assert mine.find_one({"_id": 5}, comment=bypass) == {"_id": 5, "n": 7}
        assert list(mine.find({"_id": 5}).comment(bypass)) == [{"_id": 5, "n": 7}]
        assert list(mine.find({"_id": 5}, comment="mongocached:ttl=1h")) == [{"_id": 5, "n": 0}]
        assert mine.count_documents({"_id": 5}, comment=bypass) == 1
        assert mine.find_one({"_id": 5}, comment="mongocached:refresh") == {"_id": 5, "n": 7}
        assert mine.find_one({"_id": 5}) == {"_id": 5, "n": 7}
        assert hits() == before + 3
    wait_until(lambda: ttl_daemon.metrics().value(BYPASS, reason="hint") == 2, what="counted")


@pytest.mark.parametrize("command", [lambda films, c: hinted(films, 5, c), listed])
def test_documents_and_lists(
    ttl_daemon: Daemon, films: Films, command: Callable[[Films, Any], Document]
) -> None:
    films.update_one({"_id": 5}, {"$set": {"k": 1}})

    def n(documents: list[Document]) -> int:
        return documents[0]["n"]

    with Counted(ttl_daemon) as counted:
        assert n(counted.until(command(films, "who asks"))) == 0
        change(films, 5, 1)
        for comment, outcome, seen in [
            ("who asks", "l1_hit", 0),
            ({"mongocached:": "bypass"}, "l1_hit", 0),
            ("mongocached:bypass", "bypass", 1),
            ("mongocached:foo", "bypass", 1),
            ("mongocached:ttl=abc", "bypass", 1),
            ("mongocached:ttl=1h", "l1_hit", 0),
            ("mongocached:ttl=1h mongocached:ttl=1ns", "miss", 1),
            ("", "l1_hit", 0),
            ("mongocached:ttl=1h mongocached:refresh", "miss", 1),
            ("who asks", "l1_hit", 1),
        ]:
            found = counted.found(command(films, comment))
            assert (found[0], n(found[1])) == (outcome, seen), comment


def test_what_is_read_for_a_while_lasts_no_longer(ttl_daemon: Daemon, films: Films) -> None:
    with Counted(ttl_daemon) as counted:
        counted.until(hinted(films, 6, ""))
        assert counted.found(hinted(films, 5, "mongocached:ttl=300ms"))[0] == "miss"
        change(films, 5, 1)
        # Far from the ttl of the settings; nothing else drops it.
        wait_until(
            lambda: counted.found(hinted(films, 5, ""))[1] == [{"_id": 5, "n": 1}],
            what="the short-lived entry to expire",
        )
        assert counted.found(hinted(films, 6, ""))[0] == "l1_hit"


def test_entries_in_redis_know_their_age(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """One daemon fills, another without memory of its own finds it in Redis."""
    writer = servers.daemon(upstream.uri, redis.uri, config=TTL)
    reader = servers.daemon(upstream.uri, redis.uri, config=REDIS_ONLY)
    with Counted(writer) as filling, Counted(reader) as counted:
        counted.until(hinted(films, 9, ""), "redis_hit")
        filling.until(hinted(films, 5, ""))
        await_fills(redis, 2)
        change(films, 5, 1)
        learn_time(counted)
        assert counted.found(hinted(films, 5, "")) == ("redis_hit", [{"_id": 5, "n": 0}])
        old = hinted(films, 5, "mongocached:ttl=1h")
        assert counted.found(old) == ("redis_hit", [{"_id": 5, "n": 0}])
        # It was read at least a millisecond ago, by the time that Redis keeps.
        fresh = hinted(films, 5, "mongocached:ttl=1ns")
        assert wait_until(
            lambda: [f for f in [counted.found(fresh)] if f[0] == "miss"], what="a read upstream"
        )[0] == ("miss", [{"_id": 5, "n": 1}])


def test_refresh_fills_redis_anew(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    one, other = (servers.daemon(upstream.uri, redis.uri, config=REDIS_ONLY) for _ in range(2))
    with Counted(one) as refreshing, Counted(other) as counted:
        counted.until(hinted(films, 9, ""), "redis_hit")
        refreshing.until(hinted(films, 5, ""), "redis_hit")
        change(films, 5, 1)
        learn_time(counted)
        assert counted.found(hinted(films, 5, "")) == ("redis_hit", [{"_id": 5, "n": 0}])
        anew = hinted(films, 5, "mongocached:refresh")
        assert refreshing.found(anew) == ("miss", [{"_id": 5, "n": 1}])
        learn_time(counted)
        # Nobody waits for the fill; the old entry may be served until then.
        found = wait_until(
            lambda: [f for f in [counted.found(hinted(films, 5, ""))] if f[1][0]["n"] == 1]
        )
        assert found[0] == ("redis_hit", [{"_id": 5, "n": 1}])


def test_what_came_through_redis_is_as_old_as_its_first_read(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    writer, reader = (servers.daemon(upstream.uri, redis.uri, config=TTL) for _ in range(2))
    with Counted(writer) as filling, Counted(reader) as counted:
        counted.until(hinted(films, 9, ""))
        filling.until(hinted(films, 5, ""))
        filled = time.monotonic()
        await_fills(redis, 2)
        change(films, 5, 1)
        learn_time(counted)
        pass_by(1.2, filled)
        assert counted.found(hinted(films, 5, ""))[0] == "redis_hit"
        assert counted.found(hinted(films, 5, "mongocached:ttl=1h"))[0] == "l1_hit"
        bound = hinted(films, 5, "mongocached:ttl=1s")
        assert counted.found(bound) == ("miss", [{"_id": 5, "n": 1}])
