"""No change stream: none there, none for this user, none asked for, none until a reload."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pymongo
import pytest
from support.behind import FILM, MAX_LAG, fill, stream_up, write_behind
from support.counted import BYPASS, Counted, pass_by, seen_within
from support.scripted_upstream import PRIMARY, STANDALONE, ScriptedUpstream
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]


def refused(daemon: Daemon) -> Document:
    status = daemon.status()
    assert status["stream"]["state"] == "refused", status["stream"]
    assert not status["stream"]["up"]
    assert status["freshness"]["mode"] == "ttl"
    assert "no change stream here: mode ttl" in daemon.process.log_text()
    return status


@pytest.fixture
def guarded(servers: Servers) -> Upstream:
    upstream = servers.upstream(auth=True)
    with upstream.client() as root:
        root.t.films.insert_one({"_id": 1, "n": 1})
        roles = [{"role": "readWrite", "db": "t"}]
        root.admin.command("createUser", "app", pwd="app-pw", roles=roles)
    return upstream


def as_user(upstream: Upstream, user: str) -> str:
    """What the daemon is given; no user where the text is empty."""
    return f"mongodb://{user}{upstream.address}/?directConnection=true"


@pytest.mark.parametrize(
    "user",
    ["", "app:app-pw@", "app:wrong-pw@"],
    ids=["no user", "a user without the privilege", "a wrong password"],
)
def test_who_may_not_read_the_stream_gets_nothing_from_the_cache(
    servers: Servers, guarded: Upstream, user: str
) -> None:
    """Once it was mode ttl: what was written behind the daemon showed after minutes."""
    daemon = servers.daemon(as_user(guarded, user), servers.redis().uri)
    login = {"username": ROOT_USER, "password": ROOT_PASSWORD, "authSource": "admin"}
    with pymongo.MongoClient(daemon.uri, maxPoolSize=1, **login) as client:
        for n in range(2, 12):
            write_behind(guarded, n)
            assert client.t.films.find_one({"_id": 1}) == {"_id": 1, "n": n}
    metrics = daemon.metrics()
    assert metrics.value(BYPASS, reason="gate_shut") == 10
    assert metrics.value("mongocached_stream_state", state="denied") == 1
    assert metrics.value("mongocached_stream_up") == 0
    status = daemon.status()
    assert (status["stream"]["state"], status["stream"]["up"]) == ("denied", False)
    assert status["stream"]["reason"]
    assert status["freshness"]["mode"] == "bounded"
    with urllib.request.urlopen(f"{daemon.http_url}/readyz", timeout=5) as answer:
        assert "everything is relayed" in json.load(answer)["note"]
    log = daemon.process.log_text()
    assert log.count("put a user who may read change streams into upstream.uri") == 1
    assert "-pw" not in log + str(status)


def test_who_asks_for_ttl_needs_no_privilege(servers: Servers, guarded: Upstream) -> None:
    config = '[cache]\nmode = "ttl"\nttl = "2s"\n'
    daemon = servers.daemon(as_user(guarded, ""), servers.redis().uri, config=config)
    assert daemon.status()["stream"]["state"] == "not asked for"
    by_ttl(daemon, guarded, ttl=2.0)


def by_ttl(daemon: Daemon, upstream: Upstream, ttl: float) -> None:
    with pymongo.MongoClient(
        daemon.uri, username="app", password="app-pw", authSource="admin", maxPoolSize=1
    ) as client:
        films = client.t.films

        def l1_hits() -> float:
            return daemon.metrics().value("mongocached_requests_total", outcome="l1_hit")

        def hit() -> bool:
            before = l1_hits()
            films.find_one({"_id": 1})
            return l1_hits() == before + 1

        wait_until(hit, what="a hit")
        written = write_behind(upstream, 2)
        assert hit(), "without a stream an entry lives for its ttl"
        seen_within(ttl, lambda: films.find_one({"_id": 1}) == {"_id": 1, "n": 2}, written)
        films.update_one({"_id": 1}, {"$set": {"n": 3}})
        assert films.find_one({"_id": 1}) == {"_id": 1, "n": 3}


@pytest.mark.parametrize(
    "before", ['mode = "ttl"\n', "enabled = false\n"], ids=["mode ttl", "nothing cached"]
)
@pytest.mark.parametrize("after", ["bounded", "strict"])
def test_reload_to_a_mode_that_needs_the_stream_follows_it(
    servers: Servers, before: str, after: str
) -> None:
    """Once it was served by ttl from then on, under the other mode's name."""
    upstream = servers.upstream()
    fill(upstream)
    daemon = servers.daemon(upstream.uri, servers.redis().uri, config=f"[cache]\n{before}")
    with Counted(daemon) as counted:
        if "ttl" in before:
            counted.until(FILM)
        write_behind(upstream, 42)
        daemon.reload(f'[cache]\nmode = "{after}"\n')
        begun = time.monotonic()
        seen_within(MAX_LAG, lambda: counted.found(FILM)[1][0]["n"] == 42, begun)
        wait_until(lambda: stream_up(daemon), what="the stream to be followed")
        assert daemon.status()["freshness"]["mode"] == after
        for n in range(3):
            counted.until(FILM, "redis_hit" if after == "strict" else "l1_hit")
            written = write_behind(upstream, 100 + n)
            seen_within(MAX_LAG, lambda n=n: counted.found(FILM)[1][0]["n"] == 100 + n, written)
        wait_until(lambda: daemon.status()["redis"]["covered"], what="Redis to be trusted")


def test_reload_where_there_is_no_stream_says_so(servers: Servers, guarded: Upstream) -> None:
    daemon = servers.daemon(as_user(guarded, ""), config='[cache]\nmode = "ttl"\n')
    daemon.reload('[cache]\nmode = "bounded"\n')
    wait_until(lambda: daemon.status()["stream"]["state"] == "denied")
    assert daemon.status()["freshness"]["mode"] == "bounded"
    with pymongo.MongoClient(
        daemon.uri, username="app", password="app-pw", authSource="admin", maxPoolSize=1
    ) as client:

        def relayed() -> bool:
            client.t.films.find_one({"_id": 1})
            return daemon.metrics().value(BYPASS, reason="gate_shut") > 0

        wait_until(relayed, what="the threads to take the new settings")
        for n in range(2, 12):
            write_behind(guarded, n)
            assert client.t.films.find_one({"_id": 1}) == {"_id": 1, "n": n}


@pytest.mark.parametrize("kind", [PRIMARY, STANDALONE], ids=["replica set", "standalone"])
def test_server_without_streams_gets_mode_ttl(servers: Servers, kind: Document) -> None:
    with ScriptedUpstream(kind) as upstream:
        daemon = servers.daemon(upstream.uri, servers.redis().uri, config='[cache]\nttl = "1s"\n')
        assert "no change streams" in refused(daemon)["stream"]["reason"]
        with Counted(daemon) as counted:
            counted.until(FILM)
            filled = time.monotonic()
            pass_by(1.0, filled)
            assert counted.found(FILM)[0] == "miss"
