"""Writers: every path to the upstream and every kind of write, one register's writes in turn.

An error means that the outcome is unknown, whatever the error: the next write then asks for any of
the versions that may be there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

import pymongo
from pymongo import ReplaceOne, ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError
from registers import FACTOR, KINDS, Document, Register, Registers, Version
from report import Report

DATABASE = "soak"
Client = pymongo.MongoClient[Document]
Films = Collection[Document]


class LostWriteError(Exception):
    """The upstream does not have what it acknowledged: not the daemon's fault, but no test."""


def client(uri: str, timeout: float, **options: Any) -> Client:
    """Nothing is repeated behind our back; what takes longer than `timeout` s failed."""
    milliseconds = int(timeout * 1000)
    times = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
    return pymongo.MongoClient(
        uri,
        directConnection=True,
        retryReads=False,
        retryWrites=False,
        **dict.fromkeys(times, milliseconds),
        **options,
    )


class Door:
    """One way to the upstream, used by one thread."""

    def __init__(self, uri: str, path: str, timeout: float = 2.0) -> None:
        self.path = path
        self.daemon = path if path in ("A", "B") else None
        self.client = client(uri, timeout)

    def films(self, collection: str) -> Films:
        return self.client[DATABASE][collection]


class Writer:
    """What one thread writes, through any of its doors."""

    def __init__(self, report: Report, random: Random, doors: dict[str, Door]) -> None:
        self.report = report
        self.random = random
        self.doors = doors

    def content(self, register: Register) -> Document:
        return register.document(self.random.choice(KINDS), self.random.randrange(1000))

    def one(
        self, register: Register, path: str, kind: str = "", session: ClientSession | None = None
    ) -> Version | None:
        """One write of one register; its version when it was acknowledged."""
        with register.lock:
            return self._one(register, self.doors[path], kind, session)

    def _one(
        self, register: Register, door: Door, kind: str, session: ClientSession | None
    ) -> Version | None:
        films = door.films(register.collection)
        upsert = register.maybe_absent()
        query = register.filter()
        certain = register.settled
        kind = kind or self.random.choice(["update", "update", "replace", "modify", "delete"])
        if kind == "delete" and not (register.present and register.may_delete):
            kind = "update"
        if certain and not register.present:
            kind = "insert"
        content = None if kind == "delete" else self.content(register)
        with self.writing([register], [content], f"{kind} {door.path}", door, upsert) as versions:
            if content is None:
                done = films.delete_one(query, session=session).deleted_count
            elif kind == "insert":
                done = bool(films.insert_one(dict(content), session=session).acknowledged)
            elif kind == "replace":
                result = films.replace_one(query, content, upsert=upsert, session=session)
                done = result.matched_count or result.upserted_id is not None
            elif kind == "modify":
                done = films.find_one_and_update(
                    query,
                    {"$set": without_id(content)},
                    upsert=upsert,
                    return_document=ReturnDocument.AFTER,
                    session=session,
                )
            else:
                change = {"$set": without_id(content)}
                result = films.update_one(query, change, upsert=upsert, session=session)
                done = result.matched_count or result.upserted_id is not None
            if not done:
                raise LostWriteError(f"{register.id} is at none of {query['v']}")
            return versions[0]
        return None

    def bulk(self, registers: list[Register], path: str, of_client: bool = False) -> None:
        """Several registers in one go: a collection's bulkWrite, or the command of that name."""
        door = self.doors[path]
        with self.holding(registers) as held:
            if not held:
                return
            contents: list[Document | None] = [self.content(register) for register in held]
            pairs = [(r.filter(), c or {}) for r, c in zip(held, contents, strict=True)]
            name = "client bulk" if of_client else "bulk"
            with self.writing(held, contents, f"{name} {path}", door):
                films = door.films(held[0].collection)
                matched = client_bulk(films, pairs) if of_client else self._bulk(films, pairs)
                self._expect(matched, held)

    def _bulk(self, films: Films, pairs: list[tuple[Document, Document]]) -> int:
        requests: list[UpdateOne | ReplaceOne[Document]] = [
            ReplaceOne(query, content)
            if self.random.random() < 0.3
            else UpdateOne(query, {"$set": without_id(content)})
            for query, content in pairs
        ]
        return films.bulk_write(requests).matched_count

    def many(self, registers: list[Register], path: str) -> None:
        """updateMany by a filter that is not on `_id`."""
        door = self.doors[path]
        with self.holding(registers) as held:
            if not held:
                return
            step = self.random.randrange(-200, 200)
            kind = self.random.choice(KINDS)
            olds = [register.versions[-1].content or {} for register in held]
            query = {"$or": [{"text": old["text"], "v": old["v"]} for old in olds]}
            contents: list[Document | None] = [
                {**register.document(kind, old["price"] + step), "text": old["text"]}
                for register, old in zip(held, olds, strict=True)
            ]
            change = {"$inc": {"v": 1, "w": FACTOR, "price": step}, "$set": {"kind": kind}}
            with self.writing(held, contents, f"updateMany {path}", door):
                result = door.films(held[0].collection).update_many(query, change)
                self._expect(result.matched_count, held)

    def transaction(self, registers: list[Register], path: str) -> None:
        door = self.doors[path]
        films = door.films(registers[0].collection)
        with self.holding(registers) as held:
            if not held:
                return
            contents = [self.content(register) for register in held]
            with (
                self.writing(held, contents, f"transaction {path}", door),
                door.client.start_session() as session,
                session.start_transaction(),
            ):
                for register, content in zip(held, contents, strict=True):
                    change = {"$set": without_id(content)}
                    result = films.update_one(register.filter(), change, session=session)
                    self._expect(result.matched_count, [register])

    @staticmethod
    def _expect(matched: int, registers: list[Register]) -> None:
        if matched != len(registers):
            names = [register.id for register in registers]
            raise LostWriteError(f"{matched} matched of {names}")

    @contextmanager
    def holding(self, registers: list[Register]) -> Iterator[list[Register]]:
        """The locks of all; yields those that are surely there."""
        with ExitStack() as stack:
            for register in sorted(registers, key=lambda r: r.index):
                stack.enter_context(register.lock)
            yield [register for register in registers if register.present]

    @contextmanager
    def writing(
        self,
        registers: list[Register],
        contents: list[Document | None],
        path: str,
        door: Door,
        inserts: bool = False,
    ) -> Iterator[list[Version]]:
        """Around one write: its versions are begun before it, and its outcome noted after it."""
        certain = all(register.settled for register in registers)
        pairs = list(zip(registers, contents, strict=True))
        versions = [register.begin(content, path) for register, content in pairs]
        try:
            yield versions
        except (PyMongoError, LostWriteError) as error:
            self.report.count(f"writes of unknown outcome, {path}")
            for register, version in zip(registers, versions, strict=True):
                register.in_doubt(version, error, inserts)
            if isinstance(error, LostWriteError | DuplicateKeyError) and certain:
                events = [list(register.events) for register in registers]
                lost = {"rule": "lost write", "path": path, "error": str(error), "events": events}
                self.report.violation(lost)
        else:
            self.report.count(f"writes, {path}")
            for register, version in zip(registers, versions, strict=True):
                register.acknowledge(version, door.daemon)


def client_bulk(films: Films, pairs: list[tuple[Document, Document]]) -> int:
    """As a command: PyMongo's own method asks for a newer server than SecantusDB says it is."""
    operations = [
        {"update": 0, "filter": query, "updateMods": {"$set": without_id(content)}}
        for query, content in pairs
    ]
    command = {"bulkWrite": 1, "ops": operations, "nsInfo": [{"ns": films.full_name}]}
    return films.database.client.admin.command(command)["nMatched"]


def without_id(content: Document) -> Document:
    return {name: value for name, value in content.items() if name != "_id"}


class WritingThread(threading.Thread):
    """Writes at random until told to stop."""

    def __init__(
        self, writer: Writer, registers: Registers, pace: float, stop: threading.Event
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self.writer = writer
        self.registers = registers
        self.pace = pace
        self.stop = stop

    def run(self) -> None:
        random = self.writer.random
        while not self.stop.wait(self.pace * random.uniform(0.2, 1.8)):
            self._action(random)()

    def _action(self, random: Random) -> Callable[[], object]:
        writer, pick = self.writer, random.random()
        some = random.sample(self.registers.all, 3)
        if pick < 0.04:
            return lambda: writer.many(some, "B")
        if pick < 0.10:
            return lambda: writer.transaction(some[:2], "A")
        if pick < 0.16:
            of_client = random.random() < 0.4
            return lambda: writer.bulk(some, random.choice(list(writer.doors)), of_client)
        # Some registers change more often than others, as documents do.
        favoured = self.registers.all[int(len(self.registers.all) * random.random() ** 2)]
        return lambda: writer.one(favoured, random.choice(list(writer.doors)))
