"""upstream.auth = "pooled": users of the proxy's own, and few connections for many clients."""

from __future__ import annotations

import signal
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bson
import pymongo
import pytest
from pymongo.errors import AutoReconnect, OperationFailure
from pymongo.write_concern import WriteConcern
from support.paths import daemon_binary
from support.pooled import POOL_SIZE, LoggedIn, connections_to, log_in, settings, start
from support.raw import EXHAUST_ALLOWED, OP_MSG, connect
from support.scripted_upstream import PRIMARY, SECONDARY, ScriptedUpstream
from support.servers import (
    ROOT_PASSWORD,
    ROOT_USER,
    Daemon,
    Servers,
    Unready,
    Upstream,
)
from support.wait import wait_until

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]
UNAUTHORIZED, FAILED, NO_CURSOR, UNREACHABLE, EXPIRED, NO_SERVER = 13, 18, 43, 6, 50, 133
HIT = {"outcome": "l1_hit", "command": "find"}
DOCUMENTS = 60
NO_CACHE = '[cache]\nenabled = false\nmode = "ttl"\n'


@pytest.fixture(scope="module")
def guarded(session_servers: Servers) -> Upstream:
    upstream = session_servers.upstream(auth=True)
    with upstream.client() as root:
        root.shop.orders.insert_many([{"_id": i, "total": i} for i in range(DOCUMENTS)])
    return upstream


@pytest.fixture(scope="module")
def pool(session_servers: Servers, guarded: Upstream) -> Daemon:
    return start(session_servers, guarded)


@pytest.fixture
def ann(pool: Daemon) -> Iterator[Client]:
    with log_in(pool, "ann") as client:
        yield client


def code_of(action: Any) -> int | None:
    with pytest.raises(OperationFailure) as refused:
        action()
    return refused.value.code


# Who may log in


@pytest.mark.parametrize("user", ["ann", "bob", "chief"])
def test_users_of_the_settings_log_in(pool: Daemon, user: str) -> None:
    with log_in(pool, user) as client:
        assert client.shop.orders.find_one({"_id": 3}) == {"_id": 3, "total": 3}
        status = client.admin.command("connectionStatus")["authInfo"]
        assert status["authenticatedUsers"] == [{"user": user, "db": "admin"}]


def test_scram_sha_1_is_served_to_who_asks_for_it(pool: Daemon) -> None:
    with log_in(pool, "ann", authMechanism="SCRAM-SHA-1") as client:
        assert client.shop.orders.count_documents({}) == DOCUMENTS


def test_wrong_password_and_unknown_user_fail_alike(pool: Daemon) -> None:
    details = []
    for user, password in (("ann", "wrong"), ("nobody", "wrong"), ("root", "root-secret")):
        with (
            log_in(pool, user, password=password) as client,
            pytest.raises(OperationFailure) as refused,
        ):
            client.shop.orders.find_one()
        details.append(refused.value.details)
    assert details[0] == details[1] == details[2]
    assert details[0] is not None
    assert details[0]["code"] == FAILED


def test_an_unknown_user_is_shown_a_salt_like_anybody_else(pool: Daemon) -> None:
    def begin(user: str) -> dict[str, str]:
        with connect(pool) as client:
            payload = bson.Binary(f"n,,n={user},r=abc".encode())
            command = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": payload}
            first = client.request({**command, "$db": "admin"}).document
        assert first["ok"] == 1
        return dict(part.split("=", 1) for part in bytes(first["payload"]).decode().split(","))

    known = [begin(user) for user in ("ann", "bob", "chief")]
    unknown, again = begin("nobody"), begin("nobody")
    assert unknown["s"] == again["s"]
    assert unknown["s"] not in [user["s"] for user in known]
    assert (len(unknown["s"]), unknown["i"]) in [(len(user["s"]), user["i"]) for user in known]


def test_hello_names_the_same_mechanisms_for_every_name(pool: Daemon) -> None:
    with connect(pool) as client:
        for user in ("ann", "bob", "nobody"):
            hello = client.request(
                {"hello": 1, "saslSupportedMechs": f"admin.{user}", "$db": "admin"}
            )
            assert hello.document["saslSupportedMechs"] == ["SCRAM-SHA-256"]
            assert hello.document["msg"] == "isdbgrid"


def test_who_has_not_logged_in_gets_the_handshake_and_nothing_else(pool: Daemon) -> None:
    with connect(pool) as client:
        for name in ("hello", "ping", "buildInfo", "connectionStatus"):
            assert client.request({name: 1, "$db": "admin"}).document["ok"] == 1
        for command in (
            {"find": "orders", "filter": {"_id": 3}},
            {"insert": "orders", "documents": [{"_id": 1000}]},
            {"listDatabases": 1},
            {"endSessions": []},
            {"noSuchCommand": 1},
        ):
            reply = client.request({**command, "$db": "shop"}).document
            assert (reply["ok"], reply["code"]) == (0, UNAUTHORIZED)
        large = {"insert": "orders", "documents": [{"x": "y" * 1000}] * 400, "$db": "shop"}
        assert client.request(large).document["ok"] == 0
        assert client.request({"ping": 1, "$db": "admin"}).document["ok"] == 1


def test_a_hit_needs_a_login(pool: Daemon, ann: Client) -> None:
    find = {"find": "orders", "filter": {"_id": 7}, "$db": "shop"}
    for _ in range(3):
        assert ann.shop.orders.find_one({"_id": 7})
    with LoggedIn(pool, "bob") as bob, connect(pool) as nobody:
        before = pool.metrics().value("mongocached_requests_total", **HIT)
        assert bob.ask(find)["ok"] == 1  # proofs are shared: all have the proxy's rights
        assert pool.metrics().value("mongocached_requests_total", **HIT) == before + 1
        assert nobody.request(find).document["code"] == UNAUTHORIZED
        assert bob.ask({"logout": 1, "$db": "admin"})["ok"] == 1
        assert bob.ask(find)["code"] == UNAUTHORIZED
        assert pool.metrics().value("mongocached_requests_total", **HIT) == before + 1


def test_a_conversation_of_another_id_is_none(pool: Daemon) -> None:
    with connect(pool) as client:
        payload = bson.Binary(b"n,,n=ann,r=abc")
        start = {"saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": payload, "$db": "admin"}
        begun = client.request(start).document
        for command in (
            {"saslContinue": 1, "conversationId": begun["conversationId"] + 1, "payload": payload},
            {"saslContinue": 1, "conversationId": begun["conversationId"], "payload": payload},
            {"saslStart": 1, "mechanism": "PLAIN", "payload": bson.Binary(b"\0ann\0ann-pw")},
            {"authenticate": 1, "mechanism": "MONGODB-X509", "user": "ann"},
        ):
            assert client.request({**command, "$db": "admin"}).document["code"] == FAILED


def test_without_users_this_machine_needs_no_login(servers: Servers, guarded: Upstream) -> None:
    daemon = servers.daemon(guarded.uri, config='[upstream]\nauth = "pooled"\n')
    with pymongo.MongoClient(daemon.uri) as client:
        assert client.shop.orders.count_documents({}) == DOCUMENTS


def test_everybody_is_served_where_the_operator_says_so(
    servers: Servers, guarded: Upstream
) -> None:
    daemon = start(servers, guarded, "[listen]\nallow_unauthenticated = true\n")
    with pymongo.MongoClient(daemon.uri) as nobody, log_in(daemon, "ann") as ann:
        for client in (nobody, ann):
            assert client.shop.orders.count_documents({}) == DOCUMENTS
        assert code_of(lambda: nobody.admin.command("usersInfo", 1)) == UNAUTHORIZED


# What belongs to whom


def test_cursors_are_their_openers_own(pool: Daemon) -> None:
    with LoggedIn(pool, "ann") as ann, LoggedIn(pool, "bob") as bob, LoggedIn(pool, "ann") as again:
        find = {"find": "orders", "filter": {}, "batchSize": 5, "$db": "shop"}
        cursor = ann.ask(find)["cursor"]["id"]
        more = {
            "getMore": bson.Int64(cursor),
            "collection": "orders",
            "batchSize": 5,
            "$db": "shop",
        }
        kill = {"killCursors": "orders", "cursors": [bson.Int64(cursor)], "$db": "shop"}
        assert bob.ask(more)["code"] == NO_CURSOR
        assert bob.ask(kill)["cursorsNotFound"] == [cursor]
        assert ann.ask({**more, "collection": "others"})["code"] == NO_CURSOR
        assert len(again.ask(more)["cursor"]["nextBatch"]) == 5  # of the same user, elsewhere
        others = bob.ask(find)["cursor"]["id"]
        both = {**kill, "cursors": [bson.Int64(others), bson.Int64(cursor)]}
        killed = ann.ask(both)
        assert (killed["cursorsKilled"], killed["cursorsNotFound"]) == ([cursor], [others])
        assert ann.ask(more)["code"] == NO_CURSOR
        assert len(bob.ask({**more, "getMore": others})["cursor"]["nextBatch"]) == 5


def test_sessions_and_transactions_are_their_openers_own(pool: Daemon) -> None:
    lsid = {"id": bson.Binary.from_uuid(uuid.uuid4())}
    inside = {"lsid": lsid, "txnNumber": bson.Int64(1), "autocommit": False, "$db": "shop"}
    with LoggedIn(pool, "ann") as ann, LoggedIn(pool, "bob") as bob:
        document = {"_id": uuid.uuid4().hex}
        begin = {"insert": "inside", "documents": [document], **inside, "startTransaction": True}
        assert ann.ask(begin)["ok"] == 1
        for command in (
            {"find": "inside", **inside},
            {"commitTransaction": 1, **inside, "$db": "admin"},
            {"abortTransaction": 1, **inside, "$db": "admin"},
            {"endSessions": [lsid], "$db": "admin"},
            {"killSessions": [lsid], "$db": "admin"},
            {"find": "orders", "lsid": lsid, "$db": "shop", "skip": 1},
        ):
            assert bob.ask(command)["code"] == UNAUTHORIZED
        assert ann.ask({"commitTransaction": 1, **inside, "$db": "admin"})["ok"] == 1
        found = bob.ask({"find": "inside", "filter": document, "$db": "shop"})
        assert found["cursor"]["firstBatch"] == [document]


@pytest.mark.parametrize(
    "field",
    [
        {"$audit": {"$impersonatedUsers": [{"user": "root", "db": "admin"}]}},
        {"$impersonatedUsers": []},
        {"$client": {"application": {"name": "x"}}},
        {"lsid": {"id": bson.Binary.from_uuid(uuid.uuid4()), "uid": bson.Binary(b"x" * 32)}},
    ],
)
def test_nobody_speaks_for_others(pool: Daemon, field: Document) -> None:
    with LoggedIn(pool, "chief") as chief:
        command = {"find": "orders", "filter": {"_id": 3}, "$db": "shop", "tailable": True}
        assert chief.ask({**command, **field})["code"] == UNAUTHORIZED
        # Behind so much that it is beyond what is looked at of a large message at first.
        large = {"insert": "large", "documents": [{"x": "y" * 1000}] * 400, "$db": "shop", **field}
        assert chief.ask(large)["code"] == UNAUTHORIZED
        assert chief.ask({"count": "large", "$db": "shop"})["n"] == 0


def test_users_of_the_upstream_are_for_administrators(pool: Daemon, ann: Client) -> None:
    name = f"u{uuid.uuid4().hex[:8]}"
    create = {"createUser": name, "pwd": "x", "roles": []}
    assert code_of(lambda: ann.admin.command(create)) == UNAUTHORIZED
    assert code_of(lambda: ann.admin["system.users"].find_one()) == UNAUTHORIZED
    assert code_of(lambda: ann.admin.command("killAllSessions", [])) == UNAUTHORIZED
    with log_in(pool, "chief") as chief:
        assert chief.admin.command(create)["ok"] == 1
        assert chief.admin.command("dropUser", name)["ok"] == 1


def test_no_part_of_a_command_reaches_the_upstreams_users(pool: Daemon) -> None:
    named: Document = {"from": "system.users", "pipeline": [], "as": "u"}
    into: Document = {"ns": "admin.system.users"}
    union: Document = {"$unionWith": "system.users"}
    read: Document = {"aggregate": "x", "cursor": {}, "$db": "admin"}
    with LoggedIn(pool, "ann") as ann, LoggedIn(pool, "chief") as chief:
        for stage in (union, {"$lookup": named}, {"$facet": {"a": [union]}}):
            assert ann.ask({**read, "pipeline": [stage]})["code"] == UNAUTHORIZED
        assert chief.ask({**read, "pipeline": [union]})["ok"] == 1
        # In a sequence, and in one behind what is looked at of a large message at first.
        assert ann.ask(read, sequences={"pipeline": [union]})["code"] == UNAUTHORIZED
        ops = [{"delete": 0, "filter": {"x": "y" * 1000}, "multi": False}] * 400
        bulk = {"bulkWrite": 1, "$db": "admin"}
        sequences = {"ops": ops, "nsInfo": [into]}
        assert ann.ask(bulk, sequences=sequences)["code"] == UNAUTHORIZED


def test_while_the_proxys_own_user_is_refused_nobody_is_sent_and_nobody_waits(
    servers: Servers, guarded: Upstream
) -> None:
    """And it is no fault of the client's login. Once the upstream takes the user, all is well."""
    name = f"u{uuid.uuid4().hex[:8]}"
    uri = guarded.uri.replace(f"{ROOT_USER}:{ROOT_PASSWORD}@", f"{name}:late@")
    daemon = Unready(servers.folder(), uri, config=settings())
    servers.running.append(daemon)
    daemon.start()
    reason = "own user cannot log in"
    wait_until(lambda: reason in daemon.readiness()[1], what="the refusal to be known")
    assert daemon.readiness()[0] == 503
    with LoggedIn(daemon, "ann") as ann:
        began = time.monotonic()
        for _ in range(10):
            refused = ann.ask({"count": "orders", "$db": "shop"})
            assert refused["code"] == UNREACHABLE
            assert reason in refused["errmsg"]
        assert time.monotonic() - began < 5
        with guarded.client() as root:
            root.admin.command("createUser", name, pwd="late", roles=["root"])
            wait_until(lambda: daemon.readiness()[0] == 200, what="the login")
            assert ann.ask({"count": "orders", "$db": "shop"})["n"] == DOCUMENTS
            root.admin.command("dropUser", name)


# What drivers do on it


def test_large_requests_and_replies(ann: Client) -> None:
    documents = [{"_id": i, "x": "y" * 20_000} for i in range(100)]
    ann.big.c.drop()
    ann.big.c.insert_many(documents)
    assert list(ann.big.c.find(batch_size=40)) == documents


def test_exhaust_is_answered_reply_by_reply(pool: Daemon) -> None:
    with LoggedIn(pool, "ann") as ann:
        find = {"find": "orders", "filter": {}, "batchSize": 2, "$db": "shop"}
        cursor = ann.ask(find)["cursor"]["id"]
        more = {
            "getMore": bson.Int64(cursor),
            "collection": "orders",
            "batchSize": 2,
            "$db": "shop",
        }
        for _ in range(3):
            reply = ann.request(more, flags=EXHAUST_ALLOWED)
            assert reply.flags == 0
            assert len(reply.document["cursor"]["nextBatch"]) == 2


def test_unacknowledged_writes_keep_their_order(ann: Client) -> None:
    silent = ann.shop.get_collection("silent", write_concern=WriteConcern(w=0))
    for i in range(50):
        name = f"s{i}"
        silent.insert_one({"_id": name})
        assert ann.shop.silent.find_one({"_id": name}) == {"_id": name}


def test_change_streams_and_sessions(ann: Client) -> None:
    with ann.watched.c.watch() as stream, ann.start_session() as session:
        with session.start_transaction():
            ann.watched.c.insert_one({"x": 1}, session=session)
        change = wait_until(stream.try_next, what="the change")
        assert change["fullDocument"]["x"] == 1


# The pool


def test_a_thousand_clients_on_ten_connections(servers: Servers, guarded: Upstream) -> None:
    daemon = start(servers, guarded, NO_CACHE)
    base = connections_to(guarded.port, daemon.process.pid)  # what watches the topology
    most = 0
    over = threading.Event()

    def count() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, connections_to(guarded.port, daemon.process.pid))

    def work(client: LoggedIn, number: int) -> None:
        """A cursor in four batches, and a transaction of two writes, begun before it ends."""
        lsid = {"id": bson.Binary.from_uuid(uuid.uuid4())}
        inside = {"lsid": lsid, "txnNumber": bson.Int64(1), "autocommit": False}
        write = {"insert": "many", "documents": [{"_id": number}], **inside, "$db": "crowd"}
        assert client.ask({**write, "startTransaction": True})["ok"] == 1
        reply = client.ask({"find": "orders", "filter": {}, "batchSize": 15, "$db": "shop"})
        cursor, seen = reply["cursor"]["id"], reply["cursor"]["firstBatch"]
        more = {"getMore": bson.Int64(cursor), "collection": "orders", "batchSize": 15}
        while cursor:
            reply = client.ask({**more, "$db": "shop"})
            cursor, seen = reply["cursor"]["id"], seen + reply["cursor"]["nextBatch"]
        assert [one["_id"] for one in seen] == list(range(DOCUMENTS))
        write["documents"] = [{"_id": number + 10_000}]
        assert client.ask(write)["ok"] == 1
        assert client.ask({"commitTransaction": 1, **inside, "$db": "admin"})["ok"] == 1

    with ExitStack() as stack:
        users = ["ann", "bob"] * 500
        clients = [stack.enter_context(LoggedIn(daemon, user)) for user in users]
        clients[0].ask({"create": "many", "$db": "crowd"})
        counter = threading.Thread(target=count)
        counter.start()
        with ThreadPoolExecutor(200) as workers:
            list(workers.map(work, clients, range(len(clients))))
        over.set()
        counter.join()
        assert clients[0].ask({"count": "many", "$db": "crowd"})["n"] == 2 * len(clients)
    assert 2 <= most - base <= POOL_SIZE


def test_who_waits_for_a_connection_waits_no_longer_than_it_said(servers: Servers) -> None:
    with ExitStack() as stack:
        scripted = stack.enter_context(ScriptedUpstream())
        config = f'[upstream]\nauth = "pooled"\npool_size = 1\n{NO_CACHE}'
        daemon = servers.daemon(scripted.uri, config=config)
        slow, late, first, second = (stack.enter_context(connect(daemon)) for _ in range(4))
        with scripted.holding("count") as arrived:
            slow.send({"count": "c", "$db": "t"})
            wait_until(arrived, what="the only connection to be taken")
            first.send({"distinct": "c", "$db": "t"})
            reply = late.request({"collStats": "c", "maxTimeMS": 300, "$db": "t"}).document
            assert reply["code"] == EXPIRED
            second.send({"dbStats": 1, "$db": "t"})
            assert scripted.asked["distinct"] + scripted.asked["dbStats"] == 0
        for client in (slow, first, second):
            assert client.receive().document["ok"] == 1
        assert scripted.asked["collStats"] == 0


def test_who_is_slow_to_send_a_large_request_keeps_no_connection_that_others_wait_for(
    servers: Servers,
) -> None:
    with ExitStack() as stack:
        scripted = stack.enter_context(ScriptedUpstream())
        config = f'[upstream]\nauth = "pooled"\npool_size = 1\n{NO_CACHE}'
        daemon = servers.daemon(scripted.uri, config=config)
        slow, other = (stack.enter_context(connect(daemon)) for _ in range(2))
        body = bson.encode({"insert": "c", "$db": "t"})
        rest = struct.pack("<i", 999_000) + b"documents\0" + bson.encode({"x": "y" * 34_000})
        header = struct.pack("<iiiiI", 1_000_000, 1, 0, OP_MSG, 0)
        slow.socket.sendall(header + b"\0" + body + b"\1" + rest)
        in_flight = "mongocached_requests_in_flight"
        wait_until(lambda: daemon.metrics().value(in_flight) == 1, what="the upload to begin")
        began = time.monotonic()
        assert other.request({"count": "c", "$db": "t"}).document["ok"] == 1
        assert time.monotonic() - began < 12
        assert slow.closed_by_peer()
        assert daemon.metrics().value("mongocached_client_disconnects_total", reason="stalled") == 1


class Member(ScriptedUpstream):
    """One of two members of a replica set."""

    def __init__(self, kind: Document, tags: Document) -> None:
        super().__init__({**kind, "tags": tags})
        self.hosts: list[str] = []

    def _reply(self, name: str, command: Document) -> Document:
        reply = super()._reply(name, command)
        return {**reply, "hosts": self.hosts} if "hosts" in reply else reply


def test_reads_go_where_their_preference_says(servers: Servers) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(Member(PRIMARY, {"dc": "east"}))
        secondary = stack.enter_context(Member(SECONDARY, {"dc": "west"}))
        primary.hosts = secondary.hosts = [f"127.0.0.1:{m.port}" for m in (primary, secondary)]
        daemon = servers.daemon(primary.uri, config='[upstream]\nauth = "pooled"\n')
        wait_until(
            lambda: (
                "2 members" in str(daemon.status())
                and sum(s["type"] == "secondary" for s in daemon.status()["upstream"]["servers"])
                == 1
            ),
            what="both members to be known",
        )
        client = stack.enter_context(connect(daemon))

        def asked(command: Document, preference: Document | None) -> tuple[int, int]:
            name = next(iter(command))
            before = primary.asked[name], secondary.asked[name]
            extra = {"$readPreference": preference} if preference else {}
            reply = client.request({**command, **extra, "$db": "t"}).document
            assert reply["ok"] == 1, reply
            return primary.asked[name] - before[0], secondary.asked[name] - before[1]

        count: Document = {"count": "c"}
        to_primary, to_secondary = (1, 0), (0, 1)
        assert asked(count, None) == to_primary
        assert asked(count, {"mode": "primaryPreferred"}) == to_primary
        assert asked(count, {"mode": "secondary"}) == to_secondary
        assert asked(count, {"mode": "secondaryPreferred"}) == to_secondary
        assert asked(count, {"mode": "nearest", "tags": [{"dc": "east"}]}) == to_primary
        assert asked(count, {"mode": "nearest", "tags": [{"dc": "west"}]}) == to_secondary
        east = [{"dc": "east"}]
        assert asked(count, {"mode": "secondaryPreferred", "tags": east}) == to_primary
        assert asked({"insert": "c", "documents": []}, {"mode": "secondary"}) == to_primary
        none = {"mode": "secondary", "tags": east}
        refused = {**count, "maxTimeMS": 300, "$readPreference": none, "$db": "t"}
        assert client.request(refused).document["code"] == NO_SERVER
        stale = {"mode": "secondary", "maxStalenessSeconds": 10}
        assert (
            client.request({**count, "$readPreference": stale, "$db": "t"}).document["code"] == 160
        )
        # A secondary's answer is not kept; the primary's is, and satisfies every mode.
        find: Document = {"find": "c", "filter": {"_id": 1}}
        for _ in range(3):
            assert asked(find, {"mode": "secondary"}) == to_secondary
        assert daemon.metrics().value("mongocached_bypass_total", reason="read_preference") >= 3
        wait_until(lambda: asked(find, None) == (0, 0), what="a hit")
        assert asked(find, {"mode": "secondary"}) == (0, 0)


def test_an_upstream_that_restarts_is_told_and_survived(servers: Servers) -> None:
    upstream = servers.upstream()
    daemon = start(servers, upstream)
    with LoggedIn(daemon, "ann") as ann, log_in(daemon, "bob") as bob:
        bob.t.c.insert_one({"_id": 1})
        upstream.kill()
        reply = ann.ask({"count": "c", "$db": "t", "maxTimeMS": 500})
        assert reply["ok"] == 0
        assert reply["code"] in (UNREACHABLE, EXPIRED, NO_SERVER)
        upstream.start_again()
        wait_until(
            lambda: bob.t.c.update_one({"_id": 1}, {"$set": {"n": 1}}, upsert=True).acknowledged,
            deadline=30,
            ignore=(AutoReconnect, OperationFailure),
            what="a write after the restart",
        )
        assert ann.ask({"ping": 1, "$db": "admin"})["ok"] == 1  # the same connection as before


def test_stepdown_is_survived_on_the_same_connections(servers: Servers) -> None:
    upstream = servers.upstream()
    daemon = start(servers, upstream)
    with LoggedIn(daemon, "ann") as ann:
        assert ann.ask({"insert": "c", "documents": [{"_id": 1}], "$db": "t"})["ok"] == 1
        command = {"replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": True}
        ann.ask({**command, "$db": "admin"})

        def written() -> bool:
            update = {"q": {"_id": 1}, "u": {"$set": {"n": 1}}}
            return ann.ask({"update": "c", "updates": [update], "$db": "t"}).get("n") == 1

        wait_until(written, deadline=40, pause=0.1, what="a write after the stepdown")


# Settings


def test_a_reload_shuts_out_who_is_no_user_any_more(servers: Servers, guarded: Upstream) -> None:
    daemon = start(servers, guarded)
    find = {"find": "orders", "filter": {"_id": 3}, "$db": "shop"}
    with LoggedIn(daemon, "ann") as ann, LoggedIn(daemon, "bob") as bob:
        for client in (ann, bob):
            wait_until(lambda c=client: c.ask(find)["ok"] == 1, what="an answer")
        file = daemon.directory / "mongocached.toml"
        file.write_text(daemon.config.replace('name = "ann"', 'name = "anna"'))
        daemon.process.signal(signal.SIGHUP)
        assert ann.closed_by_peer()
        assert bob.ask(find)["ok"] == 1
        with log_in(daemon, "anna", password="ann-pw") as anna:
            assert anna.shop.orders.find_one({"_id": 3})


def test_drivers_go_on_when_their_entry_changes(servers: Servers, guarded: Upstream) -> None:
    """Rights or the form of the secret: the credentials they have are still good."""
    daemon = start(servers, guarded)
    with log_in(daemon, "ann") as ann, log_in(daemon, "bob") as bob:
        clients = (ann, bob)
        sessions = [client.start_session() for client in clients]
        cursors = [client.shop.orders.find(batch_size=2) for client in clients]
        for client, session, cursor in zip(clients, sessions, cursors, strict=True):
            assert client.shop.orders.find_one({"_id": 3}, session=session)
            next(cursor)
        # Bob's keys are made anew of the same password.
        daemon.reload(settings().replace('name = "ann"', 'name = "ann"\nadmin = true'))
        for client, session, cursor in zip(clients, sessions, cursors, strict=True):
            for _ in range(5):
                assert client.shop.orders.count_documents({}, session=session) == DOCUMENTS
            assert len(list(cursor)) == DOCUMENTS - 1
        assert ann.admin.command({"mongocached": 1})["ok"] == 1


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ('[[user]]\nname = "a"\nscram_sha_256 = "SCRAM-SHA-256$9:a$b:c"', "fewer than 15000"),
        ('[[user]]\nname = "a"\npassword = "\\u0007"', "user[1].password"),
        ('[listen]\naddress = "0.0.0.0:0"', "no [[user]] may connect"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, config: str, complaint: str
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(f'{config}\n[upstream]\nauth = "pooled"\nuri = "mongodb://a.example/"\n')
    argv = [daemon_binary(), "--config", file, "--check-config"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
