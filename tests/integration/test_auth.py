"""Users: nobody gets from the cache what the upstream would refuse, and rights felt at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure, PyMongoError
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.tls import make_certificates
from support.wait import wait_until

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
HIT = {"outcome": "l1_hit", "command": "find"}


@pytest.fixture(scope="module")
def guarded(session_servers: Servers) -> Upstream:
    upstream = session_servers.upstream(auth=True)
    with upstream.client() as root:
        root.shop.orders.insert_many([{"_id": i, "total": i} for i in range(20)])
        root.open.items.insert_one({"_id": 1})
        root.admin.command(
            "createUser", "reader", pwd="reader-pw", roles=[{"role": "read", "db": "shop"}]
        )
        root.admin.command(
            "createUser", "stranger", pwd="stranger-pw", roles=[{"role": "read", "db": "open"}]
        )
    return upstream


@pytest.fixture(scope="module")
def guard(session_servers: Servers, guarded: Upstream) -> Daemon:
    redis = session_servers.redis()
    return session_servers.daemon(guarded.uri, redis.uri)


def log_in(server: Daemon | Upstream, user: str, password: str, **options: Any) -> Client:
    return pymongo.MongoClient(
        f"mongodb://127.0.0.1:{server.port}/", username=user, password=password, **options,
        directConnection=True, serverSelectionTimeoutMS=5000,
    )  # fmt: skip


@pytest.fixture
def reader(guard: Daemon) -> Iterator[Client]:
    with log_in(guard, "reader", "reader-pw") as client:
        yield client


@pytest.fixture
def stranger(guard: Daemon) -> Iterator[Client]:
    with log_in(guard, "stranger", "stranger-pw") as client:
        yield client


@pytest.fixture
def root(guard: Daemon) -> Iterator[Client]:
    with log_in(guard, ROOT_USER, ROOT_PASSWORD) as client:
        yield client


def l1_hits(daemon: Daemon) -> float:
    return daemon.metrics().value("mongocached_requests_total", **HIT)


def code_of(action: Any) -> int | None:
    with pytest.raises(OperationFailure) as refused:
        action()
    return refused.value.code


def test_logged_in_users_are_served_from_the_cache(guard: Daemon, reader: Client) -> None:
    for _ in range(2):
        assert reader.shop.orders.find_one({"_id": 3}) == {"_id": 3, "total": 3}
    before = l1_hits(guard)
    assert reader.shop.orders.find_one({"_id": 3}) == {"_id": 3, "total": 3}
    assert l1_hits(guard) == before + 1


def test_speculative_authentication_is_relayed(guard: Daemon) -> None:
    """PyMongo puts its first SCRAM message into its hello, so that one saslContinue is enough."""
    name = "mongocached_requests_total"
    before = guard.metrics().value(name, command="sasl")
    with log_in(guard, "reader", "reader-pw", maxPoolSize=1) as client:
        client.shop.orders.find_one()
    assert guard.metrics().value(name, command="sasl") == before + 1


def test_a_second_connection_of_the_same_user_hits_at_once(guard: Daemon, reader: Client) -> None:
    for _ in range(2):
        reader.shop.orders.find_one({"_id": 4})
    with log_in(guard, "reader", "reader-pw") as second:
        second.shop.orders.find_one({"_id": 4})  # asks who it is
        before = l1_hits(guard)
        second.shop.orders.find_one({"_id": 4})
        assert l1_hits(guard) == before + 1


def test_who_may_not_read_is_never_served(
    guard: Daemon, guarded: Upstream, reader: Client, stranger: Client, root: Client
) -> None:
    with log_in(guarded, "stranger", "stranger-pw") as straight:
        expected = code_of(lambda: straight.shop.orders.find_one({"_id": 1}))
    assert expected == UNAUTHORIZED
    for i in range(300):
        query: Document = [
            {"_id": i % 20},
            {"total": {"$gt": i % 5}},
            {"_id": {"$in": [1, i % 20]}},
        ][i % 3]
        assert list(reader.shop.orders.find(query)) == list(root.shop.orders.find(query))
        assert code_of(lambda q=query: list(stranger.shop.orders.find(q))) == expected
        if i % 50 == 0:
            assert stranger.open.items.find_one({"_id": 1}) == {"_id": 1}
    assert l1_hits(guard) > 200


def test_clients_without_login_are_refused(guard: Daemon, reader: Client) -> None:
    reader.shop.orders.find_one({"_id": 5})
    with pymongo.MongoClient(guard.uri) as nobody:
        assert code_of(lambda: nobody.shop.orders.find_one({"_id": 5})) == UNAUTHORIZED


def test_wrong_password_is_the_upstreams_error(guard: Daemon, guarded: Upstream) -> None:
    details = []
    for server in (guarded, guard):
        with (
            log_in(server, "reader", "wrong") as client,
            pytest.raises(OperationFailure) as refused,
        ):
            client.shop.orders.find_one()
        shown = dict(refused.value.details or {})
        details.append(
            {k: v for k, v in shown.items() if k not in ("operationTime", "$clusterTime")}
        )
    assert details[0] == details[1]
    assert details[0]["code"] == AUTHENTICATION_FAILED


def test_dropped_user_loses_the_cache_at_once(guard: Daemon, root: Client) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    root.admin.command("createUser", name, pwd="pw", roles=[{"role": "read", "db": "shop"}])
    with log_in(guard, name, "pw") as client:
        before = l1_hits(guard)
        for _ in range(3):
            assert client.shop.orders.find_one({"_id": 6}) is not None
        assert l1_hits(guard) > before
        root.admin.command("dropUser", name)
        before = l1_hits(guard)
        with suppress(PyMongoError):  # some servers forget a user only at the next login
            client.shop.orders.find_one({"_id": 6})
        assert l1_hits(guard) == before


def test_changed_roles_are_asked_for_again(guard: Daemon, root: Client) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    root.admin.command("createUser", name, pwd="pw", roles=[{"role": "read", "db": "shop"}])
    with log_in(guard, name, "pw") as client:
        before = l1_hits(guard)
        for _ in range(3):
            client.shop.orders.find_one({"_id": 7})
        assert l1_hits(guard) > before
        root.admin.command("updateUser", name, roles=[{"role": "read", "db": "open"}])
        before = l1_hits(guard)
        with suppress(OperationFailure):  # some servers learn of it only at the next login
            client.shop.orders.find_one({"_id": 7})
        assert l1_hits(guard) == before


def test_logout_ends_the_proof(guard: Daemon, guarded: Upstream) -> None:
    codes = []
    for server in (guarded, guard):
        with log_in(server, "reader", "reader-pw", maxPoolSize=1) as client:
            for _ in range(3):
                client.shop.orders.find_one({"_id": 8})
            try:
                client.admin.command("logout")
            except OperationFailure:
                pytest.skip("SecantusDB has no logout")
            codes.append(code_of(lambda c=client: c.shop.orders.find_one({"_id": 8})))
    assert codes[0] == codes[1] == UNAUTHORIZED


def test_stepdown_is_retried_and_recovered_from(servers: Servers) -> None:
    upstream = servers.upstream()
    daemon = servers.daemon(upstream.uri)
    with pymongo.MongoClient(daemon.uri, serverSelectionTimeoutMS=20_000) as client:
        client.t.c.insert_one({"_id": 1, "n": 0})
        for _ in range(3):
            client.t.c.find_one({"_id": 1})
        command = {"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": True}
        with suppress(PyMongoError):  # it may answer, or hang up
            client.admin.command(command)

        def written() -> bool:
            client.t.c.update_one({"_id": 1}, {"$set": {"n": 1}})
            return True

        # A mongos' own errors are retried once; the program tries again as it would.
        wait_until(
            written, deadline=40, pause=0.1, ignore=(PyMongoError,), what="a write after stepdown"
        )
        with upstream.client() as straight:
            assert straight.t.c.find_one({"_id": 1}) == client.t.c.find_one({"_id": 1})


def test_tls_upstream_with_its_ca(servers: Servers) -> None:
    certificates = make_certificates(servers.folder())
    upstream = servers.upstream(tls=certificates)
    daemon = servers.daemon(upstream.uri)
    with pymongo.MongoClient(daemon.uri) as client:
        client.t.c.insert_one({"_id": 1})
        for _ in range(3):
            assert client.t.c.find_one({"_id": 1}) == {"_id": 1}
    assert l1_hits(daemon) >= 1
