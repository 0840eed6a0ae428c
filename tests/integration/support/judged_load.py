"""Clients that write and read under faults, and keep account of what they were told.

A counter is counted up by one client only, so what it may be is known: at least what was
acknowledged, at most that and what failed with an unknown outcome.
"""

from __future__ import annotations

import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pymongo
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from .servers import Daemon
from .wait import wait_until

Document = dict[str, Any]
DATABASE = "load"
DRIVER_TIMEOUT = 20.0
"""Seconds that a driver waits for a reply: longer than the daemon looks for a server."""


@dataclass
class Counter:
    """A document that one client counts up, each time once at most."""

    id: str
    acknowledged: int = 0
    unknown: int = 0
    floor: int = 0
    """What every reader through its owner's daemon sees at least."""


@dataclass
class Told:
    """What a client was told."""

    rows: list[str] = field(default_factory=list)
    """Inserts that were acknowledged."""
    in_doubt: set[str] = field(default_factory=set)
    errors: Tally[str] = field(default_factory=Tally)
    violations: list[str] = field(default_factory=list)
    longest: tuple[float, str] = (0.0, "nothing")
    """Seconds that a call took at most, and which one."""
    done: int = 0
    """Calls that succeeded."""


class LoadClient(threading.Thread):
    """One program with two clients: one that never repeats a write, and one as drivers are."""

    def __init__(self, daemon: Daemon, name: str, peers: Sequence[Counter], **options: Any) -> None:
        super().__init__(name=name, daemon=True)
        self.counter = Counter(name)
        self.peers = peers
        self.told = Told()
        self.failure: BaseException | None = None
        self._stop_asked = threading.Event()
        self._next = 0
        self._once = connected(daemon, retryWrites=False, retryReads=False, **options)
        self._again = connected(daemon, **options)

    def run(self) -> None:
        steps = [self._count, self._read_peers, self._insert, self._count_and_see, self._read_back]
        try:
            with self._once, self._again:
                while not self._stop_asked.is_set():
                    for step in steps:
                        self._timed(step)
        except BaseException as error:
            self.failure = error

    def stop(self) -> None:
        self._stop_asked.set()

    def _timed(self, step: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            step()
            self.told.done += 1
        except PyMongoError as error:
            self.told.errors[type(error).__name__] += 1
        took = time.monotonic() - began
        self.told.longest = max(self.told.longest, (took, step.__name__.strip("_")))

    def _count(self) -> None:
        with self._counting():
            self._once[DATABASE].counters.update_one(
                {"_id": self.counter.id}, {"$inc": {"n": 1}}, upsert=True
            )
        self.counter.acknowledged += 1
        self.counter.floor += 1

    def _count_and_see(self) -> None:
        with self._counting():
            found = self._once[DATABASE].counters.find_one_and_update(
                {"_id": self.counter.id},
                {"$inc": {"n": 1}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        self.counter.acknowledged += 1
        self.counter.floor = found["n"]

    def _counting(self) -> _InDoubt:
        return _InDoubt(self.counter)

    def _insert(self) -> None:
        """Asked for before, so that it may be cached that there is none."""
        rows = self._again[DATABASE].rows
        id_ = f"{self.name} {self._next:06d}"
        self._next += 1
        assert rows.find_one({"_id": id_}) is None
        try:
            rows.insert_one({"_id": id_, "by": self.name, "number": self._next})
        except DuplicateKeyError:  # the server forgot that it had carried out the first attempt
            self.told.in_doubt.add(id_)
        except PyMongoError:
            self.told.in_doubt.add(id_)
            raise
        else:
            self.told.rows.append(id_)

    def _read_back(self) -> None:
        rows = self._again[DATABASE].rows
        if self.told.rows and rows.find_one({"_id": self.told.rows[-1]}) is None:
            self._violated(f"{self.told.rows[-1]} was acknowledged and is not there")
        number = len(self.told.rows)
        found = rows.count_documents({"by": self.name}) if number % 16 == 0 else number
        if found < number:
            self._violated(f"{found} rows of {number} are there")

    def _read_peers(self) -> None:
        for counter in self.peers:
            floor = counter.floor
            for _ in range(2):
                found = self._again[DATABASE].counters.find_one({"_id": counter.id})
                number = found["n"] if found else 0
                if number < floor:
                    self._violated(f"{counter.id} is {number}, and was {floor}")
                floor = max(floor, number)

    def _violated(self, what: str) -> None:
        self.told.violations.append(f"{self.name}: {what}")


class _InDoubt:
    """A write of the counter whose every failure leaves its outcome unknown."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._counter.unknown += 1


def connected(daemon: Daemon, **options: Any) -> pymongo.MongoClient[Document]:
    milliseconds = int(DRIVER_TIMEOUT * 1000)
    times = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
    return pymongo.MongoClient(daemon.uri, **dict.fromkeys(times, milliseconds), **options)


class Load:
    """Several clients of each daemon; inside `with` they are at work.

    `options` are their drivers', such as whom they log in as.
    """

    def __init__(self, daemons: Sequence[Daemon], clients: int, **options: Any) -> None:
        self.clients: list[LoadClient] = []
        for number, daemon in enumerate(daemons):
            peers: list[Counter] = []
            for i in range(clients):
                client = LoadClient(daemon, f"{chr(ord('A') + number)}{i}", peers, **options)
                peers.append(client.counter)
                self.clients.append(client)

    def goes_on(self, calls: int = 15, deadline: float = 40.0) -> float:
        """Waits until every client has succeeded so often from now on; seconds that it took."""
        began = time.monotonic()
        wanted = [(client, client.told.done + calls) for client in self.clients]

        def all_do() -> bool:
            for client in self.clients:
                if client.failure:
                    raise client.failure
            return all(client.told.done >= number for client, number in wanted)

        wait_until(all_do, deadline=deadline, what="every client to go on")
        return time.monotonic() - began

    def __enter__(self) -> Load:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.stop()
        for client in self.clients:
            client.join(2 * DRIVER_TIMEOUT)

    @property
    def rows(self) -> set[str]:
        return {id_ for client in self.clients for id_ in client.told.rows}

    @property
    def in_doubt(self) -> set[str]:
        return {id_ for client in self.clients for id_ in client.told.in_doubt}

    @property
    def errors(self) -> Tally[str]:
        return sum((client.told.errors for client in self.clients), Tally())

    @property
    def violations(self) -> list[str]:
        return [what for client in self.clients for what in client.told.violations]

    @property
    def longest(self) -> tuple[float, str]:
        return max(client.told.longest for client in self.clients)
