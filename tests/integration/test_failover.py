"""The primary dies, comes back and steps down under load through two daemons that share a Redis.

Once with clients that have logged in, by drivers that have to log in anew; once without users.
Nothing that was acknowledged is lost, nothing hangs, nothing stale is answered, and nothing is left
over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pymongo
import pytest
from pymongo.errors import PyMongoError
from support.counted import REQUESTS
from support.judged_load import DATABASE, DRIVER_TIMEOUT, Load
from support.pooled import connections_to
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
CLIENTS = 3
ROUNDS = 3
POOL_SIZE = 8
# The verifier opens a connection of its own, some time.
CALM = "[cache]\nverify_share = 0\n"
POOLED = f'[upstream]\nauth = "pooled"\npool_size = {POOL_SIZE}\n'
HITS = ("l1_hit", "redis_hit", "coalesced")


def kill(upstream: Upstream) -> None:
    upstream.kill()
    upstream.start_again()


def step_down(upstream: Upstream) -> None:
    command = {"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": True}
    with upstream.client() as client:
        with suppress(PyMongoError):  # some servers hang up instead of an answer
            client.admin.command(command)
        assert not client.admin.command("hello")["isWritablePrimary"]
        wait_until(
            lambda: client.admin.command("hello")["isWritablePrimary"],
            deadline=20,
            what="a primary again",
        )


FAULTS: dict[str, Callable[[Upstream], None]] = {"killed": kill, "stepped down": step_down}


LOGIN = {"username": ROOT_USER, "password": ROOT_PASSWORD, "authSource": "admin"}
USER = f'[[user]]\nname = "{ROOT_USER}"\npassword = "{ROOT_PASSWORD}"\n'


@pytest.fixture(params=["nobody logs in", "logged in"])
def login(request: pytest.FixtureRequest) -> Document:
    return LOGIN if request.param == "logged in" else {}


@pytest.fixture
def own_upstream(servers: Servers, login: Document) -> Upstream:
    # Without it a kill loses the last writes, which is a rollback and another test's matter.
    upstream = servers.upstream(auth=bool(login), extra=["--sync-on-commit"])
    with upstream.client() as client:
        client[DATABASE].rows.insert_one({"_id": "first"})
    return upstream


@pytest.fixture
def daemons(servers: Servers, own_upstream: Upstream, login: Document) -> list[Daemon]:
    """One passes its clients' connections through, the other has a pool; they share a Redis."""
    with own_upstream.client() as client:
        name = client.admin.command("hello")["setName"]
    # Not a direct connection: a secondary is no server for it.
    user = f"{ROOT_USER}:{ROOT_PASSWORD}@" if login else ""
    uri = f"mongodb://{user}{own_upstream.address}/?replicaSet={name}"
    redis = servers.redis()
    pooled = POOLED + CALM + (USER if login else "")
    return [servers.daemon(uri, redis.uri, config=config) for config in (CALM, pooled)]


def hits(daemon: Daemon) -> float:
    metrics = daemon.metrics()
    return sum(metrics.value(REQUESTS, outcome=outcome, command="find") for outcome in HITS)


@pytest.mark.parametrize("fault", FAULTS)
def test_failover_under_load(
    own_upstream: Upstream,
    daemons: list[Daemon],
    login: Document,
    fault: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = [connections_to(own_upstream.port, daemon.process.pid) for daemon in daemons]
    load = Load(daemons, CLIENTS, **login)
    resumed = []
    with load:
        load.goes_on()
        logins = [sasl(daemon) for daemon in daemons]
        for _ in range(ROUNDS):
            FAULTS[fault](own_upstream)
            resumed.append(load.goes_on())
        served = [hits(daemon) for daemon in daemons]
    with capsys.disabled():
        took, what = load.longest
        who = "logged in" if login else "nobody logged in"
        print(
            f"\n{fault}, {who}: {len(load.rows)} rows acknowledged, {len(load.in_doubt)} in doubt, "
        )
        print(f"  errors {dict(load.errors)}, longest call {took:.2f} s ({what}), hits {served}, ")
        print(f"  all clients went on after {', '.join(f'{s:.2f}' for s in resumed)} s")
    assert load.violations == []
    assert not any(client.is_alive() or client.failure for client in load.clients)
    assert load.longest[0] < DRIVER_TIMEOUT
    assert "NetworkTimeout" not in load.errors, "a call was left without an answer"
    assert all(count > 0 for count in served), "otherwise nothing was proved of the cache"
    nothing_was_lost(own_upstream, load)
    for daemon in daemons:
        answers_are_the_upstreams(daemon, own_upstream, login)
    if login and fault == "killed":
        # Whose identity was the dead connection's; a pool logs in by itself.
        assert sasl(daemons[0]) >= logins[0] + ROUNDS * CLIENTS
    nothing_is_left_over(own_upstream, daemons, before)


def sasl(daemon: Daemon) -> float:
    return daemon.metrics().value(REQUESTS, command="sasl")


def nothing_was_lost(upstream: Upstream, load: Load) -> None:
    with upstream.client() as client:
        rows = {row["_id"] for row in client[DATABASE].rows.find({"_id": {"$ne": "first"}})}
        counters = {each["_id"]: each["n"] for each in client[DATABASE].counters.find()}
    assert load.rows <= rows
    assert rows <= load.rows | load.in_doubt
    for counter in (client.counter for client in load.clients):
        most = counter.acknowledged + counter.unknown
        assert counter.acknowledged <= counters[counter.id] <= most, counter


def answers_are_the_upstreams(daemon: Daemon, upstream: Upstream, login: Document) -> None:
    """Asked twice: the second answer comes from the cache."""
    daemon.catch_up()
    with upstream.client() as client:
        expected = answers(client)
    with pymongo.MongoClient(daemon.uri, **login) as client:
        before = hits(daemon)
        for turn in ("first", "second"):
            assert answers(client) == expected, turn
        assert hits(daemon) > before


def answers(client: pymongo.MongoClient[Document]) -> dict[str, list[Document]]:
    database = client[DATABASE]
    counters = sorted(each["_id"] for each in database.counters.find({}, {"_id": 1}))
    rows = sorted(each["_id"] for each in database.rows.find({}, {"_id": 1}))
    found = {id_: list(database.counters.find({"_id": id_})) for id_ in counters}
    for at in range(0, len(rows), 100):
        some = {"_id": {"$in": rows[at : at + 100]}}
        found[f"from {rows[at]}"] = list(database.rows.find(some))
    for id_ in counters:
        newest = database.rows.find({"by": id_}).sort("number", -1).limit(5)
        found[f"newest of {id_}"] = list(newest)
    return found


def nothing_is_left_over(upstream: Upstream, daemons: list[Daemon], before: list[int]) -> None:
    """What the pool keeps open it keeps within its size."""
    for daemon, number, kept in zip(daemons, before, (0, POOL_SIZE), strict=True):
        assert daemon.process.alive
        wait_until(
            lambda d=daemon, n=number + kept: connections_to(upstream.port, d.process.pid) <= n,
            what=f"connections to go (there were {number})",
        )
        wait_until(
            lambda d=daemon: d.metrics().value("mongocached_client_connections") == 0,
            what="no client to be counted any more",
        )
        closed = daemon.metrics().by("mongocached_client_disconnects_total", "reason")
        assert "internal" not in closed
