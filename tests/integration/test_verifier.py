"""The built-in verifier: silent while all is right, and loud about a value that is wrong."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from support.counted import Counted, by_id
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Redis, Servers, Upstream
from support.stored import crc32c, forge, holding
from support.wait import wait_until

Document = dict[str, Any]
Films = Collection[Document]
ALL = "[cache]\nverify_share = 1.0\n"
TRUE, FALSE = b"true title 4", b"fake title 4"
PROOF = -1


@pytest.fixture
def films(upstream: Upstream) -> Iterator[Films]:
    """Straight to the upstream."""
    name = f"verifier_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct:
        films = [{"_id": i, "title": f"true title {i}", "year": 1990 + i} for i in range(10)]
        direct[name].films.insert_many(films)
        yield direct[name].films
        direct.drop_database(name)


def top(films: Films) -> Document:
    parts: Document = {"filter": {"year": {"$gte": 1992}}, "sort": {"year": 1}, "limit": 4}
    return {"find": "films", **parts, "$db": films.database.name}


def verified(daemon: Daemon) -> dict[str, float]:
    return daemon.metrics().by("mongocached_verified_total", "result")


def staleness(daemon: Daemon) -> float:
    return daemon.metrics().value("mongocached_staleness_seconds_count")


def test_crc32c() -> None:
    """The check value of CRC-32C."""
    assert crc32c(b"123456789") == 0xE3069283


def test_normal_traffic_matches(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """Reads in every shape between writes through the daemon and behind its back."""
    daemon = servers.daemon(upstream.uri, redis.uri, config=ALL)
    name = films.database.name
    with Counted(daemon) as counted, pymongo.MongoClient(daemon.uri) as client:
        for n in range(40):
            (films if n % 2 else client[name].films).update_one({"_id": n % 7}, {"$set": {"n": n}})
            several = {"find": "films", "filter": {"_id": {"$in": [1, n % 10]}}, "$db": name}
            shown = {**by_id(name, n % 10), "projection": {"title": 1}}
            for command in (by_id(name, n % 10), several, shown, top(films)) * 2:
                counted.ask(command)
        for command in (by_id(name, 3), top(films)):
            counted.until(command)
    wait_until(lambda: verified(daemon).get("match", 0) >= 20, what="matches")
    assert set(verified(daemon)) <= {"match", "unclear", "stale"}
    assert "an answer from the cache was wrong" not in daemon.process.log_text()


def test_quiet_traffic_only_matches(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """Without writes nothing is unclear: each hit is compared, and right."""
    daemon = servers.daemon(upstream.uri, redis.uri, config=ALL)
    daemon.catch_up()
    with Counted(daemon) as counted:
        for command in (by_id(films.database.name, 3), top(films)):
            for n in range(10):
                counted.until(command)
                wait_until(lambda n=n: sum(verified(daemon).values()) >= n, what="the comparison")
    wait_until(lambda: verified(daemon).get("match", 0) >= 20, what="matches")
    assert set(verified(daemon)) == {"match"}
    assert staleness(daemon) == 0


@pytest.fixture
def forged(servers: Servers, upstream: Upstream, redis: Redis, films: Films) -> Daemon:
    """A daemon with nothing in memory; Redis holds a document and a list that are wrong."""
    filler = servers.daemon(upstream.uri, redis.uri)
    filler.catch_up()
    with Counted(filler) as counted, redis.client() as client:
        for command in (by_id(films.database.name, 4), top(films)):
            counted.until(command)
        wait_until(lambda: len(holding(client, TRUE)) == 2, what="fills in Redis")
        filler.stop()
        assert forge(client, TRUE, FALSE) == 2
    return servers.daemon(upstream.uri, redis.uri, config=ALL)


def titles(found: list[Document]) -> set[str]:
    return {film["title"] for film in found}


@pytest.mark.parametrize("kind", ["document", "list"])
def test_wrong_value_is_reported_and_dropped(
    forged: Daemon, films: Films, redis: Redis, kind: str
) -> None:
    name = films.database.name
    command = by_id(name, 4) if kind == "document" else top(films)
    with Counted(forged) as counted, redis.client() as client:
        counted.ask(by_id(name, PROOF))
        outcome, found = counted.found(command)
        assert (outcome, FALSE.decode() in titles(found)) == ("redis_hit", True), "not planted"
        wait_until(lambda: verified(forged).get("mismatch", 0) >= 1, what="the mismatch")
        assert staleness(forged) >= 1
        log = [line for line in forged.process.log_text().splitlines() if "was wrong" in line]
        assert log
        assert name in log[0]
        assert kind in log[0]
        assert FALSE.decode() not in log[0], "the log shows no data"
        # Dropped from memory and from Redis: what this process serves from now on is right.
        wait_until(lambda: FALSE.decode() not in titles(counted.found(command)[1]))
        for _ in range(10):
            assert FALSE.decode() not in titles(counted.found(command)[1])
        assert TRUE.decode() in titles(counted.until(command))
        if kind == "document":  # of a list the namespace's token falls
            assert len(holding(client, FALSE)) == 1


def test_wrong_value_in_memory_is_reported_and_dropped(
    forged: Daemon, films: Films, redis: Redis
) -> None:
    """Redis no longer has it, so that what is served again can only be memory's."""
    name = films.database.name
    with Counted(forged) as counted, redis.client() as client:
        counted.ask(by_id(name, PROOF))
        assert counted.found(by_id(name, 4))[0] == "redis_hit"
        client.delete(*holding(client, FALSE))
        wait_until(lambda: verified(forged).get("mismatch", 0) >= 1, what="the mismatch")
        outcome, found = counted.found(by_id(name, 4))
        assert (outcome, titles(found)) == ("miss", {TRUE.decode()})
        assert titles(counted.until(by_id(name, 4))) == {TRUE.decode()}


def test_share_of_zero_verifies_nothing(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films
) -> None:
    """The contrast: as many hits, and nobody asks the upstream about them."""
    config = "[cache]\nverify_share = 0\n"
    daemon = servers.daemon(upstream.uri, redis.uri, config=config)
    with Counted(daemon) as counted:
        counted.until(by_id(films.database.name, 4))
        for _ in range(100):
            assert counted.ask(by_id(films.database.name, 4))[0] == "l1_hit"
    assert verified(daemon) == {}


@pytest.mark.parametrize("kind", ["document", "list"])
def test_staleness_in_mode_ttl(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films, kind: str
) -> None:
    config = f'{ALL}mode = "ttl"\nttl = "60s"\n'
    daemon = servers.daemon(upstream.uri, redis.uri, config=config)
    command = by_id(films.database.name, 4) if kind == "document" else top(films)
    with Counted(daemon) as counted:
        counted.until(command)
        wait_until(lambda: verified(daemon).get("match", 0) >= 1, what="a match")
        films.update_one({"_id": 4}, {"$set": {"title": "written behind"}})
        outcome, found = counted.found(command)
        assert (outcome, "written behind" in titles(found)) == ("l1_hit", False)
        wait_until(lambda: verified(daemon).get("stale", 0) >= 1, what="the staleness")
        assert staleness(daemon) >= 1
        assert "mismatch" not in verified(daemon)
        assert "was wrong" not in daemon.process.log_text(), "mode ttl allows it"


def test_no_user_of_its_own_is_said_once(servers: Servers) -> None:
    upstream = servers.upstream(auth=True)
    with upstream.client() as root:
        root.t.films.insert_one({"_id": 4})
    uri = f"mongodb://{upstream.address}/?directConnection=true"
    daemon = servers.daemon(uri, config=f'{ALL}mode = "ttl"\n')
    with pymongo.MongoClient(
        daemon.uri, username=ROOT_USER, password=ROOT_PASSWORD, maxPoolSize=1
    ) as client:

        def compared() -> bool:
            assert client.t.films.find_one({"_id": 4}) == {"_id": 4}
            return verified(daemon).get("unclear", 0) >= 5

        wait_until(compared, deadline=30, what="comparisons")
    assert set(verified(daemon)) == {"unclear"}
    assert daemon.process.log_text().count("hits cannot be verified") == 1
