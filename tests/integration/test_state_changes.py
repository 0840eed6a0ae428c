"""Every error that says "primary no more": it passes, the new one is found, the cache is void.

The members tell nobody of an election, and are asked every ten seconds only: without the error
nobody would know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId
from support.counted import Counted, by_id
from support.raw import CLOCKS, RawConnection, without_fields
from support.scripted_cluster import ScriptedSet
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
HEARTBEAT = 10.0
FILM = by_id("t", 1)
INSERT: Document = {"insert": "c", "documents": [{"_id": 1}], "$db": "t"}
CODES = {
    91: "ShutdownInProgress",
    189: "PrimarySteppedDown",
    10107: "NotWritablePrimary",
    11600: "InterruptedAtShutdown",
    11602: "InterruptedDueToReplStateChange",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
}
# What a server may say besides, and what nobody knows yet.
MORE: Document = {"topologyVersion": {"processId": ObjectId(), "counter": 7}, "new": [1, {"x": 2}]}


def as_error(code: int) -> Document:
    labels = {"errorLabels": ["RetryableWriteError"]}
    return {**MORE, "ok": 0.0, "errmsg": "no", "code": code, "codeName": CODES[code], **labels}


def as_write_concern_error(code: int) -> Document:
    error = {"code": code, "codeName": CODES[code], "errmsg": "no", "errInfo": {"x": 1}}
    return {"n": 1, **MORE, "writeConcernError": error, "ok": 1.0}


def as_write_error(code: int) -> Document:
    return {"n": 0, **MORE, "writeErrors": [{"index": 0, "code": code, "errmsg": "no"}], "ok": 1.0}


SHAPES = {"error": as_error, "write concern": as_write_concern_error, "write": as_write_error}
EACH_SHAPE = [("error", 10107), ("write concern", 91), ("write", 10107)]
CASES = [
    *(("passthrough", "error", code) for code in CODES if code != 10107),
    *((auth, shape, code) for auth in ("passthrough", "pooled") for shape, code in EACH_SHAPE),
]


@pytest.fixture(scope="module")
def members() -> Iterator[ScriptedSet]:
    with ScriptedSet() as members:
        yield members


@pytest.fixture(scope="module")
def daemon(
    request: pytest.FixtureRequest, session_servers: Servers, members: ScriptedSet
) -> Daemon:
    return session_servers.daemon(members.uri, config=f'[upstream]\nauth = "{request.param}"\n')


@pytest.mark.parametrize(("daemon", "shape", "code"), CASES, indirect=["daemon"])
def test_state_change(members: ScriptedSet, daemon: Daemon, shape: str, code: int) -> None:
    old, new = members.primary, members.secondary
    with Counted(daemon) as counted, RawConnection("127.0.0.1", old.port) as straight:
        counted.until(FILM)
        old.refusals["insert"] = SHAPES[shape](code)
        members.elect(new)
        begun = time.monotonic()
        relayed = counted.connection.request(INSERT)
        original = straight.request(INSERT)
        assert_same_but_for_the_topology_version(relayed.body, original.body)
        inserts, finds = new.asked["insert"], new.asked["find"]
        # The client's own connection stays: it believes that it talks to a mongos.
        wait_until(
            lambda: (
                counted.connection.request(INSERT).document["ok"] == 1
                and new.asked["insert"] > inserts
            ),
            what="the new primary to be written to",
        )
        assert time.monotonic() - begun < HEARTBEAT / 2, "the error was the signal"
        counted.found(FILM)
        assert new.asked["find"] > finds, "what the old one said is cached no more"
        old.refusals.clear()


def assert_same_but_for_the_topology_version(relayed: bytes, original: bytes) -> None:
    assert without_fields(relayed, CLOCKS) == without_fields(original, CLOCKS | {"topologyVersion"})
    assert without_fields(original, frozenset({"topologyVersion"})) != original
