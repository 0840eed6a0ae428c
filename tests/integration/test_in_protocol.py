"""{mongocached: ...}: what the program says of itself and of its cache, by the protocol."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Binary, Int64
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure
from support.paths import MONGOSH
from support.pooled import log_in as log_in_to_pool
from support.pooled import start as start_pool
from support.raw import EXHAUST_ALLOWED, MORE_TO_COME, RawConnection, connect
from support.scripted_upstream import ScriptedUpstream
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]
PARSE, UNAUTHORIZED, OPTIONS, IN_TRANSACTION = 9, 13, 72, 263
STABLE = ("version", "settings", "freshness", "upstream")
BY_ID: Document = {"filter": {"_id": 1}}
KEPT_IN_REDIS = '[[collection]]\nnamespace = "remote.*"\nmemory = 0\n'
OPS = '[[user]]\nname = "ops"\nadmin = true\n'


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with pymongo.MongoClient(daemon.uri) as client:
        yield client


@pytest.fixture
def films(daemon: Daemon, client: Client, direct: Client) -> Iterator[Collection[Document]]:
    """Films in a database of the test's own, by way of the daemon, which has read one of them."""
    name = f"asked_{uuid.uuid4().hex[:8]}"
    direct[name].films.insert_many([{"_id": i, "n": i, "a": [{"b": i}]} for i in range(5)])
    daemon.catch_up()  # what is found out of a collection is void when its creation is told
    client[name].films.find_one({"_id": 4})
    yield client[name].films
    direct.drop_database(name)


def explain(collection: Collection[Document], **parts: Any) -> Document:
    return explain_command(collection.database, {"find": collection.name, **parts})


def explain_command(database: Database[Document], command: Document) -> Document:
    return database.command({"mongocached": "explain", "command": command})


def read_until_cached(collection: Collection[Document], _id: Any, where: str) -> None:
    def cached() -> bool:
        collection.find_one({"_id": _id})
        return explain(collection, filter={"_id": _id})["cached"] == where

    wait_until(cached, what=f"{_id} in {where}")


def code_of(action: Any) -> int | None:
    with pytest.raises(OperationFailure) as refused:
        action()
    return refused.value.code


# The status


def test_the_status_is_the_side_ports(
    daemon: Daemon, client: Client, films: Collection[Document]
) -> None:
    told = client.admin.command("mongocached")
    status = daemon.status()
    assert told["ok"] == 1
    assert list(told) == [*status, "ok"]
    assert {name: told[name] for name in STABLE} == {name: status[name] for name in STABLE}
    row = next(row for row in told["namespaces"] if row["namespace"] == films.full_name)
    assert row in status["namespaces"]


def test_the_status_shows_no_secret(servers: Servers, upstream: Upstream) -> None:
    config = '[http]\ntoken = "sesame-http"\n[[user]]\nname = "x"\npassword = "sesame-user"\n'
    daemon = servers.daemon(upstream.uri, config=config)
    with pymongo.MongoClient(daemon.uri) as client:
        assert "sesame" not in str(client.admin.command("mongocached"))


def test_what_is_asked_is_counted_as_answered_here(daemon: Daemon, client: Client) -> None:
    def asked() -> dict[str, float]:
        return daemon.metrics().by("mongocached_requests_total", "outcome", command="mongocached")

    before = asked()
    client.admin.command("mongocached")
    wait_until(lambda: asked() != before, what="the request to be counted")
    after = asked()
    assert {how for how in after if after[how] != before.get(how, 0)} == {"local"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"mongocached": 2, "$db": "admin"}, OPTIONS),
        ({"mongocached": "status", "$db": "admin"}, OPTIONS),
        ({"mongocached": 1, "verbose": True, "$db": "admin"}, OPTIONS),
        ({"mongocached": 1, "$db": "films"}, UNAUTHORIZED),
        ({"mongocached": "explain", "$db": "films"}, PARSE),
        ({"mongocached": "explain", "command": {}, "$db": "films"}, PARSE),
        ({"mongocached": "explain", "command": {"find": "x", "$db": "y"}, "$db": "z"}, OPTIONS),
        ({"mongocached": 1, "comment": "x" * 300_000, "$db": "admin"}, PARSE),
    ],
)
def test_what_is_not_understood_is_refused(daemon: Daemon, command: Document, code: int) -> None:
    with connect(daemon) as client:
        reply = client.request(command).document
        assert (reply["ok"], reply["code"]) == (0, code)
        assert client.request({"ping": 1, "$db": "admin"}).document["ok"] == 1


def test_nothing_of_it_reaches_the_upstream(servers: Servers) -> None:
    with ScriptedUpstream() as upstream:
        daemon = servers.daemon(upstream.uri, config='[cache]\nmode = "ttl"\n')
        with connect(daemon) as client:
            for command in (
                {"mongocached": 1, "$db": "admin"},
                {"mongocached": "nonsense", "$db": "admin"},
                {"mongocached": "explain", "command": {"find": "x"}, "$db": "shop"},
                {"mongocached": {"find": "x"}, "$db": "shop"},
                {"mongocached": 1, "comment": "x" * 300_000, "$db": "admin"},
            ):
                client.request(command)
            client.send({"mongocached": 1, "$db": "admin"}, flags=MORE_TO_COME)
            client.request({"ping": 1, "$db": "admin"})
        assert upstream.asked["ping"] == 1
        assert upstream.asked["mongocached"] == 0


def test_flags_and_sequences_of_a_message(daemon: Daemon) -> None:
    status = {"mongocached": 1, "$db": "admin"}
    with connect(daemon) as client:
        assert client.request(status, flags=EXHAUST_ALLOWED).flags == 0
        assert client.request(status, sequences={"x": [{}]}).document["code"] == PARSE
        client.send(status, flags=MORE_TO_COME)
        assert client.request({"ping": 1, "$db": "admin"}).document["ok"] == 1
        session = {"lsid": {"id": Binary(uuid.uuid4().bytes, 4)}, "txnNumber": Int64(1)}
        in_transaction = {**status, **session, "startTransaction": True, "autocommit": False}
        assert client.request(in_transaction).document["code"] == IN_TRANSACTION


def test_compressed(daemon: Daemon) -> None:
    with pymongo.MongoClient(daemon.uri, compressors="zlib") as client:
        assert client.admin.command("mongocached")["ok"] == 1


def test_the_status_is_told_while_everything_else_is_shed(servers: Servers) -> None:
    """An operator asks exactly then."""
    with ScriptedUpstream() as slow:
        daemon = servers.daemon(
            slow.uri, config='[listen]\nmax_in_flight = 1\n[cache]\nmode = "ttl"\n'
        )
        with connect(daemon) as busy, connect(daemon) as client:
            assert client.request({"mongocached": 1, "$db": "admin"}).document["ok"] == 1
            in_flight = "mongocached_requests_in_flight"
            wait_until(lambda: daemon.metrics().value(in_flight) == 0, what="its place to be free")
            with slow.holding("find") as held:
                busy.send({"find": "x", "filter": {}, "$db": "shop"})
                wait_until(held, what="the find to be held")
                assert client.request({"ping": 1, "$db": "admin"}).document["code"] == 262
                told = client.request({"mongocached": 1, "$db": "admin"}).document
                assert (told["ok"], told["overload"]["in_flight"]) == (1, 2)
            busy.receive()


# Who may ask


@pytest.fixture(scope="module")
def guarded(session_servers: Servers) -> Upstream:
    upstream = session_servers.upstream(auth=True)
    with upstream.client() as root:
        root.shop.orders.insert_many([{"_id": i} for i in range(5)])
        for name, db in (("ops", "admin"), ("reader", "admin"), ("ops", "shop")):
            role = {"role": "read", "db": "shop"}
            root[db].command("createUser", name, pwd=f"{name}-pw", roles=[role])
    return upstream


@pytest.fixture(scope="module")
def guard(session_servers: Servers, guarded: Upstream) -> Daemon:
    return session_servers.daemon(guarded.uri, session_servers.redis().uri, config=OPS)


def log_in(daemon: Daemon, user: str, password: str = "", **options: Any) -> Client:
    return pymongo.MongoClient(
        daemon.uri, username=user, password=password or f"{user}-pw", **options
    )


def test_the_administrator_of_the_settings_may_ask(guard: Daemon) -> None:
    with log_in(guard, "ops") as ops:
        assert ops.admin.command("mongocached")["ok"] == 1


def test_others_may_not_whatever_their_rights_upstream(guard: Daemon) -> None:
    for user, password, source in (
        ("reader", "", "admin"),
        (ROOT_USER, ROOT_PASSWORD, "admin"),
        ("ops", "", "shop"),
    ):
        with log_in(guard, user, password, authSource=source) as client:
            assert client.shop.orders.find_one({"_id": 1})
            assert code_of(lambda: client.admin.command("mongocached")) == UNAUTHORIZED


def test_who_has_not_logged_in_may_not(guard: Daemon) -> None:
    with connect(guard) as nobody:
        reply = nobody.request({"mongocached": 1, "$db": "admin"}).document
        assert reply["code"] == UNAUTHORIZED
        assert "[[user]]" in reply["errmsg"]


def test_a_cluster_that_demands_a_login_is_no_open_one(servers: Servers, guarded: Upstream) -> None:
    """No administrator is configured: being on this machine does not do."""
    daemon = servers.daemon(guarded.uri)
    with connect(daemon) as nobody, log_in(daemon, "reader") as reader:
        reply = nobody.request({"mongocached": 1, "$db": "admin"}).document
        assert reply["code"] == UNAUTHORIZED
        assert code_of(lambda: reader.admin.command("mongocached")) == UNAUTHORIZED


def own_address() -> str | None:
    """One that is not loopback's. Nothing is sent: it is what the kernel would choose."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


@pytest.mark.skipif(own_address() is None, reason="this machine has loopback only")
def test_without_a_login_only_this_machine_may(daemon: Daemon) -> None:
    """By the address that a client comes from."""
    with RawConnection("127.0.0.1", daemon.port, source=own_address() or "") as afar:
        assert afar.request({"ping": 1, "$db": "admin"}).document["ok"] == 1
        reply = afar.request({"mongocached": 1, "$db": "admin"}).document
        assert reply["code"] == UNAUTHORIZED


def test_pooled_administrators_may_ask(servers: Servers, guarded: Upstream) -> None:
    daemon = start_pool(servers, guarded)
    with log_in_to_pool(daemon, "chief") as chief, log_in_to_pool(daemon, "ann") as ann:
        assert chief.admin.command("mongocached")["ok"] == 1
        assert code_of(lambda: ann.admin.command("mongocached")) == UNAUTHORIZED
        ann.shop.orders.find_one({"_id": 1})
        assert explain(ann.shop.orders, **BY_ID)["proven"] is True
    with connect(daemon) as nobody:
        for command in (1, "explain"):
            reply = nobody.request({"mongocached": command, "$db": "admin"}).document
            assert reply["code"] == UNAUTHORIZED


def test_pooled_without_users_this_machine_may(servers: Servers, guarded: Upstream) -> None:
    daemon = servers.daemon(guarded.uri, config='[upstream]\nauth = "pooled"\n')
    with pymongo.MongoClient(daemon.uri) as client:
        assert client.admin.command("mongocached")["ok"] == 1


# Would this be cached?


def test_before_and_after_the_first_read(films: Collection[Document]) -> None:
    before = explain(films, **BY_ID)
    assert before["cacheable"] is True
    assert (before["kind"], before["cached"]) == ("by_id", False)
    read_until_cached(films, 1, "memory")
    after = explain(films, **BY_ID)
    assert after["namespace"] == films.full_name
    assert (after["proven"], after["collection"], after["mode"]) == (True, "plain", "bounded")
    assert after["gate"]["open"] is True
    assert after["gate"]["behind_ms"] <= after["max_lag_ms"]
    assert (after["cached"], after["holds"]) == ("memory", "document")
    assert 0 <= after["age_ms"] < after["ttl_ms"]
    assert 0 < after["expires_in_ms"] <= after["ttl_ms"]
    assert "not_now" not in after


def test_asking_counts_and_fills_nothing(daemon: Daemon, films: Collection[Document]) -> None:
    def row() -> Document:
        rows = daemon.status()["namespaces"]
        return next(row for row in rows if row["namespace"] == films.full_name)

    assert explain(films, filter={"_id": 2})["cached"] is False  # the read before it is counted
    before = row()
    for parts in ({"filter": {"_id": 2}}, {"filter": {"n": 2}}, {"filter": {"_id": 4}}):
        for _ in range(3):
            explain(films, **parts)
    assert explain(films, filter={"_id": 2})["cached"] is False
    after = row()
    assert (after["hits"], after["misses"]) == (before["hits"], before["misses"])
    assert after["entries"] <= before["entries"]  # what was written may still be told


def test_an_absent_document_and_a_list(films: Collection[Document]) -> None:
    read_until_cached(films, 77, "memory")
    assert explain(films, filter={"_id": 77})["holds"] == "absent"

    def listed() -> Document:
        list(films.find({}).sort("n", -1).limit(2))
        return explain(films, filter={}, sort={"n": -1}, limit=2)

    told = wait_until(lambda: (one := listed())["cached"] == "memory" and one, what="the list")
    assert (told["kind"], told["holds"]) == ("list", "list")


def test_a_hint_asks_for_something_newer(films: Collection[Document]) -> None:
    read_until_cached(films, 1, "memory")
    for hint in ("mongocached:refresh", "mongocached:ttl=0"):
        told = explain(films, comment=hint, **BY_ID)
        assert (told["cacheable"], told["not_now"], told["cached"]) == (True, "hint", False)
    assert explain(films, comment="mongocached:bypass", **BY_ID)["reason"] == "hint"
    assert "not_now" not in explain(films, comment="mongocached:ttl=1h", **BY_ID)


def test_several_documents(films: Collection[Document]) -> None:
    read_until_cached(films, 1, "memory")
    told = explain(films, filter={"_id": {"$in": [1, 2]}})
    assert (told["kind"], told["cached"]) == ("by_ids", False)
    assert told["keys"] == {"asked": 2, "memory": 1, "redis": 0}


def test_a_write_takes_it_out(films: Collection[Document]) -> None:
    read_until_cached(films, 1, "memory")
    films.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert explain(films, **BY_ID)["cached"] is False


def test_a_write_past_the_daemon_takes_it_out(films: Collection[Document], direct: Client) -> None:
    read_until_cached(films, 1, "memory")
    direct[films.database.name].films.update_many({}, {"$inc": {"n": 1}})
    wait_until(lambda: explain(films, **BY_ID)["cached"] is False, what="the stream to tell")


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("unknown_field", {**BY_ID, "unheardOf": 1}),
        ("read_concern", {**BY_ID, "readConcern": {"level": "available"}}),
        ("cursor_option", {**BY_ID, "noCursorTimeout": True}),
        ("option", {**BY_ID, "returnKey": True}),
        ("expression", {"filter": {"$where": "true"}}),
        ("batch_size", {"filter": {}, "batchSize": 0}),
        (
            "read_preference",
            {**BY_ID, "$readPreference": {"mode": "nearest", "tags": [{"x": "y"}]}},
        ),
        ("transaction", {**BY_ID, "txnNumber": Int64(1), "autocommit": False}),
    ],
)
def test_what_is_never_cached_is_named(
    films: Collection[Document], reason: str, parts: Document
) -> None:
    told = explain(films, **parts)
    assert (told["cacheable"], told["reason"], told["ok"]) == (False, reason, 1)


def test_what_the_document_forbids_is_named(films: Collection[Document]) -> None:
    read_until_cached(films, 1, "memory")
    told = explain(films, **BY_ID, projection={"a.b": 1})
    assert (told["cacheable"], told["reason"]) == (False, "projection_array")


def test_collections_that_are_never_cached(
    daemon: Daemon, films: Collection[Document], direct: Client
) -> None:
    database = films.database
    direct[database.name].create_collection("small", capped=True, size=4096)
    direct[database.name].small.insert_one({"_id": 1})
    daemon.catch_up()
    database.small.find_one({"_id": 1})
    told = explain(database.small, **BY_ID)
    assert (told["reason"], told["collection"]) == ("namespace_kind", "not_cacheable")
    told = explain_command(database.client.admin, {"find": "x"})
    assert told["reason"] == "internal_namespace"


def test_other_commands_are_no_reads(films: Collection[Document]) -> None:
    for command in (
        {"aggregate": "films", "pipeline": []},
        {"insert": "films", "documents": [{}]},
        {"count": "films"},
        {"mongocached": 1},
    ):
        told = explain_command(films.database, command)
        assert (told["cacheable"], told["reason"]) == (False, "not_a_read")


def test_what_only_redis_holds(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, servers.redis().uri, config=KEPT_IN_REDIS)
    name = "remote"
    with upstream.client() as direct, pymongo.MongoClient(daemon.uri) as client:
        direct.drop_database(name)
        direct[name].films.insert_many([{"_id": i} for i in range(3)])
        daemon.catch_up()
        read_until_cached(client[name].films, 1, "redis")
        told = explain(client[name].films, **BY_ID)
        assert (told["holds"], told["proven"]) == ("document", True)
        assert 0 < told["expires_in_ms"] <= told["ttl_ms"]
        assert 0 <= told["age_ms"] <= told["ttl_ms"]
        both = explain(client[name].films, filter={"_id": {"$in": [1, 2]}})
        assert both["keys"] == {"asked": 2, "memory": 0, "redis": 1}
        client[name].films.delete_one({"_id": 1})
        assert explain(client[name].films, **BY_ID)["cached"] is False
        direct.drop_database(name)


def test_whether_it_is_cached_needs_the_proof_of_a_hit(guard: Daemon) -> None:
    with log_in(guard, "ops") as ops, connect(guard) as nobody:
        read_until_cached(ops.shop.orders, 1, "memory")
        question = {"find": "orders", **BY_ID}
        asked = {"mongocached": "explain", "command": question, "$db": "shop"}
        told = nobody.request(asked).document
        assert told == {
            "cacheable": True,
            "namespace": "shop.orders",
            "kind": "by_id",
            "proven": False,
            "not_now": "unproven",
            "ok": 1.0,
        }


def test_a_gate_that_is_shut_is_named(servers: Servers, upstream: Upstream) -> None:
    name = f"gate_{uuid.uuid4().hex[:8]}"
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri)
    with upstream.client() as direct, pymongo.MongoClient(daemon.uri) as client:
        direct[name].films.insert_one({"_id": 1})
        daemon.catch_up()
        read_until_cached(client[name].films, 1, "memory")
        relay.stall()
        told = wait_until(
            lambda: (one := explain(client[name].films, **BY_ID)).get("not_now") and one,
            what="the gate to shut",
        )
        assert (told["not_now"], told["gate"]["open"]) == ("gate_shut", False)
        assert told["gate"]["behind_ms"] >= told["max_lag_ms"]
        assert "max_lag" in told["gate"]["why"]
        assert told["cacheable"] is True
        relay.flow()
        direct.drop_database(name)


def test_mongosh_asks_both(daemon: Daemon, films: Collection[Document], tmp_path: Path) -> None:
    read_until_cached(films, 1, "memory")
    script = """
        const question = {find: "films", filter: {_id: 1}};
        const told = db.runCommand({mongocached: "explain", command: question});
        const status = db.adminCommand({mongocached: 1});
        ({cached: told.cached, kind: told.kind, mode: status.freshness.mode, ok: status.ok})
    """
    uri = f"mongodb://{daemon.address}/{films.database.name}?directConnection=true"
    words = [MONGOSH, uri, "--quiet", "--norc", "--json=relaxed", "--eval", script]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told == {"cached": "memory", "kind": "by_id", "mode": "bounded", "ok": 1}
