"""How a daemon answered: outcomes and reasons of single requests, read from its metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import bson
import pymongo

from .raw import CLOCKS, RawConnection, without_fields
from .servers import Daemon
from .wait import wait_until

Document = dict[str, Any]
REQUESTS = "mongocached_requests_total"
BYPASS = "mongocached_bypass_total"


class Counted:
    """A connection to a daemon, and how a request was answered.

    Nobody else may send finds meanwhile.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.connection = RawConnection("127.0.0.1", daemon.port)

    def ask(self, command: Document) -> tuple[str, bytes]:
        """Outcome and comparable bytes of one request."""
        before = self.daemon.metrics().by(REQUESTS, "outcome", command="find")
        reply = self.connection.request(command)
        after = wait_until(lambda: self.changed(before), what="the request to be counted")
        assert len(after) == 1, after
        return after[0], without_fields(reply.body, CLOCKS)

    def changed(self, before: dict[str, float]) -> list[str]:
        now = self.daemon.metrics().by(REQUESTS, "outcome", command="find")
        return [outcome for outcome, count in now.items() if count > before.get(outcome, 0)]

    def warm(self, command: Document) -> bytes:
        """The first answer may only have proved the right to read; the second fills the cache."""
        self.ask(command)
        return self.ask(command)[1]

    def found(self, command: Document) -> tuple[str, list[Document]]:
        """Outcome and documents of one find."""
        outcome, body = self.ask(command)
        answer = bson.decode(body)
        assert answer["ok"] == 1, answer
        return outcome, answer["cursor"]["firstBatch"]

    def until(self, command: Document, outcome: str = "l1_hit") -> list[Document]:
        """Asks until it is answered so, and returns that answer's documents."""
        return wait_until(
            lambda: [documents for how, documents in [self.found(command)] if how == outcome],
            what=f"{outcome} for {command}",
        )[0]

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def count(daemon: Daemon, outcome: str) -> float:
    return daemon.metrics().value(REQUESTS, outcome=outcome, command="find")


def warm(daemon: Daemon, database: str, documents: int, outcome: str) -> None:
    """Until each of the films 0 to `documents` - 1 is answered so."""
    with pymongo.MongoClient(daemon.uri, maxPoolSize=1) as client:
        films = client[database].films

        def all_so() -> bool:
            before = count(daemon, outcome)
            for id_ in range(documents):
                films.find_one({"_id": id_})
            return count(daemon, outcome) == before + documents

        wait_until(all_so, deadline=30, what=f"{documents} times {outcome}")


def by_id(database: str, id_: Any, collection: str = "films") -> Document:
    return {"find": collection, "filter": {"_id": id_}, "$db": database}


def seen_within(seconds: float, seen: Callable[[], bool], since: float) -> None:
    """Whoever asks more than `seconds` after `since` (time.monotonic()) has to see it."""

    def in_time() -> bool:
        asked = time.monotonic()
        if seen():
            return True
        late = asked - since
        assert late <= seconds, f"not seen by a request sent {late:.3f} s after the write"
        return False

    wait_until(in_time, deadline=seconds + 30, what="the write to be seen")


def pass_by(seconds: float, since: float) -> None:
    """Lets a bound run out that the daemon promises to keep."""
    wait_until(lambda: time.monotonic() - since > seconds, deadline=seconds + 5)
