"""Versioned registers: documents whose every value the harness knows, and when it was written.

A register's writes are serial (its `lock` is held from sending until the outcome is known), so its
version numbers are the order of its commits. Every write asks for the version that it replaces, so
one that comes late (a paused daemon wakes) changes nothing once a later one was acknowledged.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
LIST_LIMIT = 8
KINDS = ["comet", "moon", "planet", "star"]
FACTOR = 7919  # of the field that proves that a document was not mixed from two versions


@dataclass(slots=True)
class Version:
    number: int
    content: Document | None
    """None: deleted."""
    path: str
    sent: float
    acked: float = 0.0
    outcome: str = "pending"
    """Or `acked`; or `unknown`: it may or may not be there, or come yet."""


@dataclass(slots=True)
class Known:
    """When versions were surely committed, oldest first: times and numbers both only rise."""

    times: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        if not self.numbers or number > self.numbers[-1]:
            self.numbers.append(number)  # first: readers do not lock, and count the times
            self.times.append(time.monotonic())

    def before(self, moment: float) -> int:
        """The newest version that was known to be committed by then."""
        at = bisect_right(self.times, moment)
        return self.numbers[at - 1] if at else 0

    def replaced(self, number: int) -> tuple[float, int] | None:
        """When a newer version than `number` was first known to be committed, and which one."""
        at = bisect_right(self.numbers, number)
        return (self.times[at], self.numbers[at]) if at < len(self.times) else None


class Register:
    def __init__(self, collection: str, index: int) -> None:
        self.collection = collection
        self.index = index
        self.id = f"{collection}-{index:03d}"
        self.lock = threading.Lock()
        """Held by whoever writes, until the outcome is known."""
        self.may_delete = True
        """Not once an insert's outcome was unknown: it could come after the deletion."""
        self.versions = [Version(0, None, "start", 0.0, outcome="acked")]
        self.known = Known()
        self.by_daemon: dict[str, Known] = {"A": Known(), "B": Known()}
        self.events: deque[str] = deque(maxlen=20)
        self._guard = threading.Lock()
        self._first_sights: dict[str, int] = {}

    # Writing: all of it by the holder of `lock`

    def candidates(self) -> list[Version]:
        """What may be there now: the newest acknowledged version, and unknown ones since."""
        found: list[Version] = []
        for version in reversed(self.versions):
            found.append(version)
            if version.outcome == "acked":
                break
        return found

    @property
    def settled(self) -> bool:
        return self.versions[-1].outcome == "acked"

    @property
    def present(self) -> bool:
        return self.settled and self.versions[-1].content is not None

    def filter(self) -> Document:
        """Matches what may be there now, and nothing newer or older."""
        numbers = [v.number for v in self.candidates() if v.content is not None]
        return {"_id": self.id, "v": numbers[0] if len(numbers) == 1 else {"$in": numbers}}

    def maybe_absent(self) -> bool:
        return any(version.content is None for version in self.candidates())

    def document(self, kind: str, price: int) -> Document:
        """The next version's content."""
        number = len(self.versions)
        proof = number * FACTOR + self.index
        shape = {"_id": self.id, "v": number, "w": proof, "kind": kind, "price": price}
        return {**shape, "group": self.index % 4, "text": f"{self.id} is now {number}"}

    def begin(self, content: Document | None, path: str) -> Version:
        version = Version(len(self.versions), content, path, time.monotonic())
        with self._guard:
            self.versions.append(version)
        self.note(f"v{version.number} sent, {path}{'' if content else ', a deletion'}")
        return version

    def acknowledge(self, version: Version, daemon: str | None) -> None:
        with self._guard:
            self.known.add(version.number)
            if daemon:
                self.by_daemon[daemon].add(version.number)
            version.acked = time.monotonic()
            version.outcome = "acked"
        self.note(f"v{version.number} acknowledged, {version.path}")

    def in_doubt(self, version: Version, why: object, inserts: bool) -> None:
        version.outcome = "unknown"
        if inserts:
            self.may_delete = False
        self.note(f"v{version.number} of unknown outcome, {version.path}: {str(why)[:120]}")

    # Reading

    def seen(self, number: int, reader: str) -> None:
        """Somebody read it, so it is committed, whatever its writer knows."""
        if self._first_sights.get(reader, 0) < number:
            self._first_sights[reader] = number
            self.note(f"v{number} first read by {reader}")
        if not self.known.numbers or number > self.known.numbers[-1]:
            with self._guard:
                self.known.add(number)

    def newest_sent(self, by: float) -> int:
        versions = self.versions
        number = len(versions) - 1
        while versions[number].sent > by:
            number -= 1
        return number

    def newest_deletion(self, by: float) -> int:
        """The newest version that an answer "not there" may stand for."""
        number = self.newest_sent(by)
        while self.versions[number].content is not None:
            number -= 1
        return number

    def oldest_deletion(self, floor: int, by: float) -> int:
        """The oldest version from `floor` on that such an answer may stand for."""
        newest = self.newest_deletion(by)
        return next(v.number for v in self.versions[min(floor, newest) :] if v.content is None)

    def note(self, what: str) -> None:
        self.events.append(f"{time.monotonic():.4f} {what}")


class Registers:
    """All registers of a collection."""

    def __init__(self, collection: str, count: int) -> None:
        self.collection = collection
        self.all = [Register(collection, index) for index in range(count)]
        self.by_id = {register.id: register for register in self.all}
