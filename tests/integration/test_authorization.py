"""Thousands of attempts by users without the right, while others share the cache: no answer.

Everybody connects, logs in, asks and goes, again and again, for the same few documents, which are
cached all the while.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import pooled
from support.counted import REQUESTS, Counted, by_id, seen_within
from support.pooled import LoggedIn, LoginRefusedError
from support.raw import RawConnection, connect
from support.scripted_upstream import STANDALONE, ScriptedUpstream
from support.servers import ROOT_PASSWORD, ROOT_USER, Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
Enter = Callable[[], RawConnection]
UNAUTHORIZED = 13
ATTEMPTS = 3000
A_VISIT = 25
DOCUMENTS = 10
AUTHZ_TTL = 1.0
HITS = ("l1_hit", "redis_hit", "coalesced")
QUESTIONS: list[Document] = [
    *({"find": "orders", "filter": {"_id": i}, "$db": "shop"} for i in range(DOCUMENTS)),
    {"find": "orders", "filter": {"_id": {"$in": [1, 2, 3]}}, "$db": "shop"},
    {"find": "orders", "filter": {"total": {"$gte": 2}}, "limit": 3, "$db": "shop"},
]


class Visitors:
    """Threads that come as somebody, ask a while, and go; and what they were answered."""

    def __init__(self) -> None:
        self.answers: Tally[tuple[str, str]] = Tally()
        self.over = threading.Event()
        self.failure: BaseException | None = None
        self._guard = threading.Lock()
        self._threads: list[threading.Thread] = []

    def come(self, who: str, enter: Enter, visits: int | None = None) -> None:
        """So often, or until the end. Who is refused the login asks without it."""
        thread = threading.Thread(target=self._come, args=(who, enter, visits), daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self, threads: int | None = None) -> None:
        for thread in self._threads[:threads]:
            thread.join(60)
            assert not thread.is_alive()
        if self.failure:
            raise self.failure

    def _come(self, who: str, enter: Enter, visits: int | None) -> None:
        number = 0
        try:
            while not self.over.is_set() and (visits is None or number < visits):
                number += 1
                with enter() as connection:
                    self._ask(who, connection, number)
        except BaseException as error:
            self.failure = error

    def _ask(self, who: str, connection: RawConnection, offset: int) -> None:
        answers: Tally[tuple[str, str]] = Tally()
        for i in range(A_VISIT):
            reply = connection.request(QUESTIONS[(offset + i) % len(QUESTIONS)]).document
            answers[who, "answered" if reply["ok"] else str(reply["code"])] += 1
            assert reply["ok"] or "cursor" not in reply
        with self._guard:
            self.answers += answers

    def of(self, who: str) -> dict[str, int]:
        return {what: number for (name, what), number in self.answers.items() if name == who}


def refused_login(daemon: Daemon, user: str, password: str, source: str = "admin") -> Enter:
    """A connection whose login failed, and that asks all the same."""

    def enter() -> RawConnection:
        connection = RefusedLogin(daemon)
        connection.try_to_log_in(user, password, source)
        return connection

    return enter


class RefusedLogin(LoggedIn):
    def __init__(self, daemon: Daemon) -> None:
        RawConnection.__init__(self, "127.0.0.1", daemon.port, 60.0)

    def try_to_log_in(self, user: str, password: str, source: str) -> None:
        with pytest.raises(LoginRefusedError):
            self._log_in(user, password, source)


def hits(daemon: Daemon) -> float:
    metrics = daemon.metrics()
    return sum(metrics.value(REQUESTS, outcome=outcome, command="find") for outcome in HITS)


def nobody_gets_in(daemon: Daemon, welcome: dict[str, Enter], unwelcome: dict[str, Enter]) -> None:
    visits = -(-ATTEMPTS // (A_VISIT * len(unwelcome)))
    before = hits(daemon)
    visitors = Visitors()
    for who, enter in unwelcome.items():
        visitors.come(who, enter, visits)
    for who, enter in welcome.items():
        visitors.come(who, enter)
    visitors.wait(len(unwelcome))
    visitors.over.set()
    visitors.wait()
    for who in unwelcome:
        assert visitors.of(who) == {str(UNAUTHORIZED): visits * A_VISIT}, who
    answered = 0
    for who in welcome:
        assert set(visitors.of(who)) == {"answered"}, who
        answered += visitors.of(who)["answered"]
    assert sum(sum(visitors.of(who).values()) for who in unwelcome) >= ATTEMPTS
    served = hits(daemon) - before
    assert answered / 2 < served <= answered, "the welcome ones are served from the cache"


def fill(upstream: Upstream) -> None:
    with upstream.client() as root:
        root.shop.orders.insert_many([{"_id": i, "total": i} for i in range(DOCUMENTS)])
        root.open.items.insert_one({"_id": 1})


@pytest.fixture(scope="module")
def guarded(session_servers: Servers) -> Upstream:
    upstream = session_servers.upstream(auth=True)
    fill(upstream)
    with upstream.client() as root:
        read = {name: [{"role": "read", "db": name}] for name in ("shop", "open")}
        for user, database in (("reader", "shop"), ("clerk", "shop"), ("stranger", "open")):
            root.admin.command("createUser", user, pwd=f"{user}-pw", roles=read[database])
        root.open.command("createUser", "elsewhere", pwd="elsewhere-pw", roles=read["open"])
    return upstream


@pytest.fixture(scope="module", params=["256MiB", "0"], ids=["memory", "Redis only"])
def guard(request: pytest.FixtureRequest, session_servers: Servers, guarded: Upstream) -> Daemon:
    config = f'[upstream]\nauthz_ttl = "{AUTHZ_TTL:.0f}s"\n[cache]\nmemory = "{request.param}"\n'
    return session_servers.daemon(guarded.uri, session_servers.redis().uri, config=config)


def as_user(daemon: Daemon, user: str, source: str = "admin") -> Enter:
    return lambda: LoggedIn(daemon, user, password=f"{user}-pw", source=source)


def test_nobody_gets_in_passthrough(guard: Daemon) -> None:
    """Proofs run out all the while, as they are short-lived here, and are given anew."""
    nobody_gets_in(
        guard,
        welcome={user: as_user(guard, user) for user in ("reader", "clerk")},
        unwelcome={
            "a user without the role": as_user(guard, "stranger"),
            "a user of another database": as_user(guard, "elsewhere", "open"),
            "nobody": lambda: connect(guard),
            "a wrong password": refused_login(guard, "reader", "wrong"),
            "a wrong database": refused_login(guard, "reader", "reader-pw", "shop"),
        },
    )


def logged_out(daemon: Daemon, user: str) -> Enter:
    def enter() -> RawConnection:
        connection = LoggedIn(daemon, user)
        assert connection.ask({"count": "orders", "$db": "shop"})["ok"] == 1
        assert connection.ask({"logout": 1, "$db": "admin"})["ok"] == 1
        return connection

    return enter


def test_nobody_gets_in_pooled(servers: Servers, guarded: Upstream) -> None:
    config = pooled.settings(f'authz_ttl = "{AUTHZ_TTL:.0f}s"\n')
    daemon = servers.daemon(guarded.uri, servers.redis().uri, config=config)
    nobody_gets_in(
        daemon,
        welcome={user: (lambda u=user: LoggedIn(daemon, u)) for user in ("ann", "bob")},
        unwelcome={
            "nobody": lambda: connect(daemon),
            "who has logged out": logged_out(daemon, "ann"),
            "a wrong password": refused_login(daemon, "ann", "wrong"),
            "a wrong database": refused_login(daemon, "ann", "ann-pw", "shop"),
            "a user of the upstream": refused_login(daemon, ROOT_USER, ROOT_PASSWORD),
        },
    )


def test_the_pools_own_user_may_not_either(servers: Servers, guarded: Upstream) -> None:
    """What the proxy's own user may not read is nobody's, an administrator's neither."""
    uri = guarded.uri.replace(f"{ROOT_USER}:{ROOT_PASSWORD}@", "stranger:stranger-pw@")
    daemon = servers.daemon(uri, config=pooled.settings('[cache]\nmode = "ttl"\n'))
    for user in ("ann", "chief"):
        with LoggedIn(daemon, user) as client:
            for question in QUESTIONS * 3:
                assert client.ask(question)["code"] == UNAUTHORIZED
            assert client.ask({**by_id("open", 1, "items")})["ok"] == 1


@contextmanager
def temporary_user(guarded: Upstream) -> Iterator[str]:
    name = f"u{uuid.uuid4().hex[:8]}"
    with guarded.client() as root:
        roles = [{"role": "read", "db": "shop"}]
        root.admin.command("createUser", name, pwd=f"{name}-pw", roles=roles)
        yield name
        root.admin.command("dropUser", name)


def revoke(user: str) -> Document:
    return {"revokeRolesFromUser": user, "roles": [{"role": "read", "db": "shop"}], "$db": "admin"}


def prove(daemon: Daemon, client: LoggedIn) -> None:
    """Until the client is served from the cache."""
    before = hits(daemon)

    def served() -> bool:
        assert client.ask(QUESTIONS[0])["ok"] == 1
        return hits(daemon) > before

    wait_until(served, what="a hit")


def test_rights_revoked_through_the_daemon_are_gone_at_once(
    guard: Daemon, guarded: Upstream
) -> None:
    with (
        temporary_user(guarded) as user,
        LoggedIn(guard, ROOT_USER, password=ROOT_PASSWORD) as root,
        LoggedIn(guard, user, password=f"{user}-pw") as before,
    ):
        prove(guard, before)
        served = hits(guard)
        assert root.ask(revoke(user))["ok"] == 1
        before.request(QUESTIONS[0])  # what the upstream says: some servers ask only at the login
        for _ in range(20):
            with as_user(guard, user)() as again:
                assert again.ask(QUESTIONS[0])["code"] == UNAUTHORIZED
        assert hits(guard) == served


def test_rights_revoked_behind_the_daemon_are_gone_with_the_next_login(
    guard: Daemon, guarded: Upstream
) -> None:
    """Though others with the right are served all the while."""
    with temporary_user(guarded) as user, as_user(guard, "reader")() as reader:
        with LoggedIn(guard, user, password=f"{user}-pw") as before:
            prove(guard, before)
        with guarded.client() as root:
            root.admin.command({k: v for k, v in revoke(user).items() if k != "$db"})
        for _ in range(20):
            assert reader.ask(QUESTIONS[0])["ok"] == 1
            with as_user(guard, user)() as again:
                assert again.ask(QUESTIONS[0])["code"] == UNAUTHORIZED


class Forgetful(ScriptedUpstream):
    """Lets nobody read once it is told so, as a server does that looks at every command."""

    refuses = False

    def _reply(self, name: str, command: Document) -> Document:
        if name == "find" and self.refuses:
            return {"ok": 0.0, "code": UNAUTHORIZED, "codeName": "Unauthorized", "errmsg": "no"}
        return super()._reply(name, command)


def refused(counted: Counted, command: Document) -> bool:
    answer = counted.connection.request(command).document
    assert answer["ok"] or answer["code"] == UNAUTHORIZED
    return not answer["ok"]


@pytest.mark.parametrize("auth", ["passthrough", "pooled"])
def test_rights_revoked_behind_the_daemon_are_gone_within_authz_ttl(
    servers: Servers, auth: str
) -> None:
    with Forgetful(STANDALONE) as upstream:
        config = f'[upstream]\nauth = "{auth}"\nauthz_ttl = "{AUTHZ_TTL:.0f}s"\n'
        daemon = servers.daemon(upstream.uri, config=config)
        with Counted(daemon) as counted:
            film = by_id("shop", 1)
            counted.until(film)
            upstream.refuses = True
            seen_within(AUTHZ_TTL, lambda: refused(counted, film), since=time.monotonic())
            served = hits(daemon)
            assert all(refused(counted, film) for _ in range(20))
            assert hits(daemon) == served
            upstream.refuses = False
            counted.until(film)
